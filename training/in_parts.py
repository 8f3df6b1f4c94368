"""Long translations part by part, so that a killed process costs one part and not all."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any

from data.files import write_text
from training.telemetry import say

PART = 20_000  # texts


def parts_folder(folder: Path, origin: Mapping[str, Any]) -> Path:
    """Where the parts of a folder's translations wait for each other; those of another origin are removed.

    Args:
        folder: that all of them become.
        origin: what they depend on.
    """
    key = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:16]
    parts = folder.with_name(f".{folder.name}-{key}.parts")
    forget_parts(folder, parts)
    parts.mkdir(parents=True, exist_ok=True)
    return parts


def forget_parts(folder: Path, but: Path | None = None) -> None:
    """Remove the parts that wait beside a folder, but those of one origin."""
    for parts in folder.parent.glob(f".{glob.escape(folder.name)}-*.parts"):
        if parts != but:
            shutil.rmtree(parts, ignore_errors=True)


def translate_parts(translate: Callable[[Path, Path], None], source: Path, target: Path, parts: Path) -> None:
    """Translate a file, keeping the parts of it that were translated before, which their texts tell.

    Args:
        translate: makes as many lines of a file's lines; what it makes appears whole or not at all.
        source: texts, one to a line.
        target: gets their translations.
        parts: a folder for them.
    """
    texts = parts / f"texts.{os.getpid()}"
    with (
        source.open(encoding="utf-8", newline="\n") as lines,
        target.open("w", encoding="utf-8", newline="\n") as whole,
    ):
        for number in count():
            if not (some := list(islice(lines, PART))):
                break
            text = "".join(some)
            part = parts / hashlib.sha256(text.encode()).hexdigest()[:32]
            if part.exists():
                say(f"texts {number * PART + 1:,} to {number * PART + len(some):,} are translated already")
            else:
                write_text(texts, text)
                translate(texts, part)
                texts.unlink()
            whole.write(part.read_text(encoding="utf-8"))
