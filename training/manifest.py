"""What a run was made of: data, versions, hardware, code."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from data.files import write_json
from data.prepare import Prepared
from training.device import Choice, hardware
from training.run_folder import read_json

MANIFEST = "manifest.json"
PACKAGES = ("mt-service", "torch", "sentencepiece", "safetensors", "sacrebleu", "numpy")


def installed(package: str) -> str | None:
    """The version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Python's and the packages' versions."""
    return {"python": platform.python_version(), **{package: installed(package) for package in PACKAGES}}


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that runs, and whether it has changes; None outside one."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain", "."))}
    except (OSError, subprocess.CalledProcessError):
        return None


def write_manifest(folder: Path, prepared: Prepared, seed: int, choice: Choice, processes: int) -> None:
    """Write or extend a run's manifest; every sitting adds its start, code, versions and hardware."""
    path = folder / MANIFEST
    before: list[Any] = read_json(path).get("sittings", []) if path.exists() else []
    sitting = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": git_state(),
        "versions": versions(),
        "hardware": hardware(),
        "device": str(choice.device),
        "precision": f"{str(choice.precision).removeprefix('torch.')}: {choice.reason}",
        "processes": processes,
    }
    data = {"sources": prepared.manifest["sources"], "files": prepared.manifest["files"]}
    write_json(path, {"seed": seed, "data": data, "sittings": [*before, sitting]})
