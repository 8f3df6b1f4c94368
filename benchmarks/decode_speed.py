"""Sentences and output tokens per second of `mt translate`, engine by engine, beside a peer if one is named.

usage: python benchmarks/decode_speed.py BUNDLE FILE SOURCE TARGET [--runs 5] [--lines 1000] [--peer COMMAND]

COMMAND is run with {file}, {beam}, {batch} and {threads} filled in, and prints `... sentences/s, ... tokens/s` last.
All systems take turns within a run, so that a machine that changes its speed changes it for all. Prints JSON:
medians, hardware, versions, commit, and ratios to the first system.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from training.device import hardware
from training.manifest import git_state, versions

SETTINGS = [(1, 64, 1), (1, 64, 2), (5, 64, 1), (5, 64, 2), (1, 1, 1), (5, 1, 1)]  # beam, batch, threads
RATES = re.compile(r"([\d.,]+) sentences/s, ([\d.,]+) tokens/s")
ENGINES = ("reference", "cpu")


def measure(command: list[str], text: bytes, engine: str = "auto") -> tuple[float, float]:
    """Run once; return sentences and tokens per second, as the command says on its last line."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MT_")}
    environment |= {"MT_ENGINE": engine}
    done = subprocess.run(command, input=text, capture_output=True, env=environment, check=True)
    last = (done.stderr + done.stdout if engine == "peer" else done.stderr).decode().strip().splitlines()[-1]
    found = RATES.search(last)
    assert found, last
    sentences, tokens = (float(number.replace(",", "")) for number in found.groups())
    return sentences, tokens


def systems(arguments: argparse.Namespace, setting: tuple[int, int, int], file: Path) -> dict[str, list[str]]:
    """The commands that are compared."""
    beam, batch, threads = map(str, setting)
    translate = [sys.executable, "-m", "mt_service", "translate", "--bundle", str(arguments.bundle), "--no-split"]
    translate += ["--source", arguments.source, "--target", arguments.target, "--quiet", "--device", "cpu"]
    translate += ["--beam", beam, "--batch", batch, "--threads", threads]
    found = dict.fromkeys(ENGINES, translate)
    if arguments.peer:
        filled = arguments.peer.format(file=shlex.quote(str(file)), beam=beam, batch=batch, threads=threads)
        found["peer"] = shlex.split(filled)
    return found


def compare(arguments: argparse.Namespace, setting: tuple[int, int, int], file: Path) -> dict[str, Any]:
    """Medians of one setting."""
    text, rates = file.read_bytes(), dict[str, list[tuple[float, float]]]()
    for _ in range(arguments.runs):
        for name, command in systems(arguments, setting, file).items():
            rates.setdefault(name, []).append(measure(command, text, name))
    medians = {
        name: {
            "sentences_per_second": statistics.median(one[0] for one in found),
            "tokens_per_second": statistics.median(one[1] for one in found),
        }
        for name, found in rates.items()
    }
    base = medians.get("peer", medians["reference"])["tokens_per_second"]
    print(setting, {name: round(one["tokens_per_second"] / base, 2) for name, one in medians.items()}, file=sys.stderr)
    return {**dict(zip(("beam", "batch", "threads"), setting, strict=True)), **medians}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--peer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "source"
        lines = arguments.file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[: arguments.lines]), encoding="utf-8")
        results = [compare(arguments, setting, file) for setting in SETTINGS]
    report = {
        "bundle": arguments.bundle.name,
        "file": f"{arguments.file.name}, {min(len(lines), arguments.lines)} lines",
        "runs": arguments.runs,
        "results": results,
        "hardware": hardware(),
        "versions": versions(),
        "git": git_state(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
