"""Sentences and output tokens per second of each engine, ids in and ids out, beside a peer if one is named.

usage: python benchmarks/decode_speed.py BUNDLE FILE SOURCE TARGET [--references FILE] [--runs 5] [--lines N]
                                         [--engines native reference] [--peer COMMAND]

COMMAND is run with {file}, {beam}, {batch} and {threads} filled in, and prints `... sentences/s, ... tokens/s, peak ...
MiB` last; it is timed as the engines are, without loading and without splitting text into tokens. Every measurement is
a process of its own. All systems take turns within a run, so that a machine that changes its speed changes it for all.
Prints JSON: medians, ratios to the peer, BLEU with references, hardware, versions, commit.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from data.normalize import normalize
from models.bundle import Bundle, read_bundle
from models.hypotheses import Hypothesis
from mt_service.engine.interface import Job, Limits
from mt_service.engine.worker import Worker
from mt_service.registry import make_engine
from mt_service.settings import BILLION, Settings

SETTINGS = [(1, 64, 1), (5, 64, 1), (1, 64, 2), (5, 64, 2), (1, 1, 1), (5, 1, 1)]  # beam, batch, threads
RATES = re.compile(r"([\d.,]+) sentences/s, ([\d.,]+) tokens/s, peak ([\d.,]+) MiB")
ENGINES = ("native", "reference")
WARM_UP = 8  # sentences


class Measured(NamedTuple):
    """Of one process."""

    sentences_per_second: float
    tokens_per_second: float
    peak_megabytes: float


def jobs_of(bundle: Bundle, lines: list[str], target: str, beam: int) -> list[Job]:
    """Lines as an engine takes them, each as one sentence."""
    search = bundle.info.search(beam)
    return [Job(tuple(bundle.tokenizer.encode_source(normalize(line), target)), search) for line in lines]


def timed(worker: Worker, jobs: list[Job], together: bool) -> tuple[list[Hypothesis], float]:
    """The best hypotheses of all jobs, asked for at once or one after the other, and the seconds that took."""
    groups = [jobs] if together else [[job] for job in jobs]
    started, found = time.perf_counter(), list[Hypothesis]()
    for name, group in enumerate(groups):
        found += [future.result()[0] for future in worker.submit(name, group, time.monotonic() + BILLION)]
    return found, time.perf_counter() - started


def texts_of(bundle: Bundle, found: list[Hypothesis]) -> list[str]:
    """Hypotheses as lines of text."""
    return [normalize(bundle.tokenizer.decode(one.tokens)) for one in found]


def score(target: str, texts: list[str], references: list[str]) -> float:
    """BLEU; what computes it is imported only now, when memory has been measured."""
    from training.evaluation import bleu_for

    return round(float(bleu_for(target).corpus_score(texts, [references]).score), 2)


def translate(arguments: argparse.Namespace) -> None:
    """Be one measurement: translate a file with one engine, through the worker that serves, and tell how fast."""
    bundle, beam, batch = read_bundle(arguments.bundle), arguments.beam, arguments.batch
    settings = Settings(device="cpu", engine=arguments.engine, threads=arguments.threads)
    worker = Worker(lambda: make_engine(bundle, settings), Limits(rows=batch * beam, tokens=BILLION, queue=BILLION))
    lines = arguments.file.read_text(encoding="utf-8").splitlines()
    jobs = jobs_of(bundle, lines, arguments.target, beam)
    for future in worker.submit("warm up", jobs[:WARM_UP], time.monotonic() + BILLION):
        future.result()
    found, seconds = timed(worker, jobs, together=batch > 1)
    worker.close()
    tokens = sum(len(one.tokens) + 1 for one in found)
    if arguments.output:
        texts = texts_of(bundle, found)
        arguments.output.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(lines) / seconds:.1f} sentences/s, {tokens / seconds:.0f} tokens/s, peak {peak:.0f} MiB")


def measure(command: list[str]) -> Measured:
    """Run once; return what its last line says."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    last = done.stdout.strip().splitlines()[-1]
    found = RATES.search(last)
    assert found, last
    return Measured(*(float(number.replace(",", "")) for number in found.groups()))


def command(arguments: argparse.Namespace, engine: str, setting: tuple[int, int, int], file: Path) -> list[str]:
    """One measurement: an engine translates a file, by a beam, a batch and threads."""
    beam, batch, threads = map(str, setting)
    one = [sys.executable, __file__, str(arguments.bundle), str(file), arguments.source, arguments.target]
    return [*one, "--engine", engine, "--beam", beam, "--batch", batch, "--threads", threads]


def commands(arguments: argparse.Namespace, setting: tuple[int, int, int], file: Path) -> dict[str, list[str]]:
    """What is compared."""
    beam, batch, threads = map(str, setting)
    found = {
        engine: [*command(arguments, engine, setting, file), "--output", f"{file}.{engine}.{beam}"]
        for engine in arguments.engines
    }
    if arguments.peer:
        filled = arguments.peer.format(file=shlex.quote(str(file)), beam=beam, batch=batch, threads=threads)
        found["peer"] = shlex.split(filled)
    return found


def compare(arguments: argparse.Namespace, setting: tuple[int, int, int], file: Path) -> dict[str, Any]:
    """Medians of one setting, and their ratios to the last system's: the peer, if there is one."""
    rates: dict[str, list[Measured]] = {}
    for _ in range(arguments.runs):
        for name, words in commands(arguments, setting, file).items():
            rates.setdefault(name, []).append(measure(words))
    medians = {
        name: Measured(*(round(statistics.median(column), 1) for column in zip(*found, strict=True)))
        for name, found in rates.items()
    }
    base = list(medians.values())[-1]
    ratios = {
        name: {
            "sentences": round(one.sentences_per_second / base.sentences_per_second, 2),
            "tokens": round(one.tokens_per_second / base.tokens_per_second, 2),
            "memory": round(one.peak_megabytes / base.peak_megabytes, 2),
        }
        for name, one in medians.items()
    }
    print(setting, ratios["native"], file=sys.stderr)
    named = dict(zip(("beam", "batch", "threads"), setting, strict=True))
    return {**named, "medians": {name: one._asdict() for name, one in medians.items()}, "ratios": ratios}


def bleu(arguments: argparse.Namespace, file: Path, references: list[str]) -> dict[str, float]:
    """BLEU of what each engine wrote with beam 5 and greedily."""

    def written(engine: str, beam: int) -> list[str]:
        return Path(f"{file}.{engine}.{beam}").read_text(encoding="utf-8").splitlines()

    return {
        f"{engine}, beam {beam}": score(arguments.target, written(engine, beam), references)
        for engine in arguments.engines
        for beam in (1, 5)
    }


def common_parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments of every benchmark of engines."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("bundle", type=Path)
    add("file", type=Path)
    add("source")
    add("target")
    add("--references", type=Path)
    add("--runs", type=int, default=5)
    return parser


def make_parser() -> argparse.ArgumentParser:
    """Arguments."""
    parser = common_parser(__doc__)
    add = parser.add_argument
    add("--lines", type=int)
    add("--peer")
    add("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    add("--engine", choices=ENGINES, help=argparse.SUPPRESS)  # with these it is one of the processes that are measured
    for name in ("--beam", "--batch", "--threads"):
        add(name, type=int, help=argparse.SUPPRESS)
    add("--output", type=Path, help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Measure and print."""
    arguments = make_parser().parse_args()
    if arguments.engine:
        translate(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "source"
        lines = arguments.file.read_text(encoding="utf-8").splitlines()[: arguments.lines]
        file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        report: dict[str, Any] = {"bundle": arguments.bundle.name, "lines": len(lines), "runs": arguments.runs}
        report["results"] = [compare(arguments, setting, file) for setting in SETTINGS]
        if arguments.references:
            references = arguments.references.read_text(encoding="utf-8").splitlines()[: arguments.lines]
            report["bleu"] = bleu(arguments, file, references)
    from training.device import hardware  # only now: a process begins with the peak of the one that started it
    from training.manifest import git_state, versions

    print(json.dumps({**report, "hardware": hardware(), "versions": versions(), "git": git_state()}, indent=2))


if __name__ == "__main__":
    main()
