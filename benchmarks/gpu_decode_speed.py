"""Sentences and output tokens per second of the engines on a GPU, and a lone sentence's latency, beside a peer.

usage: python benchmarks/gpu_decode_speed.py BUNDLE FILE SOURCE TARGET [--references FILE] [--runs 5] [--repeat 4]
                                             [--batch 256] [--lone 200] [--engines cuda reference] [--peer FOLDER]

The peer is CTranslate2 in float16 with the model in FOLDER, beside a SentencePiece model `bpe8k.model`. Everything is
timed in this process, ids in and ids out, all systems in turns within a run; what is compiled, captured or allocated
for a size is so in a first run that does not count. Prints JSON: medians, ratios to the peer (or the last engine), BLEU
with references, hardware, versions, commit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from decode_speed import common_parser, jobs_of, score, texts_of, timed

from models.bundle import Bundle, read_bundle
from mt_service.engine.interface import Limits
from mt_service.engine.worker import Worker
from mt_service.registry import make_engine
from mt_service.settings import BILLION, Settings
from training.device import hardware
from training.manifest import git_state, versions

SETTINGS = ((1, True), (5, True), (1, False), (5, False))  # beam; all at once, or one after the other
System: TypeAlias = Callable[[int, bool], "Work"]


class Work(NamedTuple):
    """What one pass did."""

    sentences: int
    tokens: int
    seconds: float
    texts: list[str]


def ours(bundle: Bundle, engine: Any, lines: list[str], arguments: argparse.Namespace) -> System:
    """One of the project's engines, through the worker that serves."""
    settings = Settings(device="cuda", engine=engine)
    workers: dict[int, Worker] = {}

    def run(beam: int, together: bool) -> Work:
        limits = Limits(rows=arguments.batch * beam, tokens=BILLION, queue=BILLION)
        worker = workers.pop(beam, None) or Worker(lambda: make_engine(bundle, settings), limits)
        workers[beam] = worker
        jobs = jobs_of(bundle, lines if together else lines[: arguments.lone], arguments.target, beam)
        found, seconds = timed(worker, jobs, together)
        return Work(len(found), sum(len(one.tokens) + 1 for one in found), seconds, texts_of(bundle, found))

    return run


def peer(folder: Path, lines: list[str], arguments: argparse.Namespace) -> System:
    """CTranslate2, as benchmarks elsewhere use it."""
    import ctranslate2  # type: ignore[import-not-found]
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "bpe8k.model"))
    translator = ctranslate2.Translator(str(folder), device="cuda", compute_type="float16")

    def run(beam: int, together: bool) -> Work:
        sources = [pieces.encode(line, out_type=str) for line in (lines if together else lines[: arguments.lone])]
        groups = [sources] if together else [[source] for source in sources]
        options = {
            "beam_size": beam,
            "max_decoding_length": 80,
            "length_penalty": 1.0,
            "max_batch_size": arguments.batch,
        }
        started = time.perf_counter()
        found = [one.hypotheses[0] for group in groups for one in translator.translate_batch(group, **options)]
        seconds = time.perf_counter() - started
        return Work(len(found), sum(len(one) + 1 for one in found), seconds, [pieces.decode(one) for one in found])

    return run


def compare(systems: dict[str, System], beam: int, together: bool, runs: int) -> tuple[dict[str, Any], dict[str, Work]]:
    """Medians of one setting, and what each system wrote in its last run."""
    for run in systems.values():
        run(beam, together)
    works: dict[str, list[Work]] = {name: [] for name in systems}
    for _ in range(runs):
        for name, run in systems.items():
            works[name].append(run(beam, together))
    rates = {
        name: {
            "sentences_per_second": round(statistics.median(one.sentences / one.seconds for one in found), 1),
            "tokens_per_second": round(statistics.median(one.tokens / one.seconds for one in found), 1),
            "milliseconds_per_sentence": round(
                statistics.median(1e3 * one.seconds / one.sentences for one in found), 3
            ),
        }
        for name, found in works.items()
    }
    base = list(rates.values())[-1]
    ratios = {
        name: {kind: round(one[kind] / base[kind], 2) for kind in ("sentences_per_second", "tokens_per_second")}
        for name, one in rates.items()
    }
    found = {"beam": beam, "together": together, "medians": rates, "ratios": ratios}
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found, {name: one[-1] for name, one in works.items()}


def main() -> None:
    """Measure and print."""
    parser = common_parser(__doc__)
    add = parser.add_argument
    add("--repeat", type=int, default=4, help="times that the file is translated in a run")
    add("--batch", type=int, default=256)
    add("--lone", type=int, default=200, help="sentences that are translated one after the other")
    add("--engines", nargs="+", default=["cuda", "reference"])
    add("--peer", type=Path)
    arguments = parser.parse_args()
    bundle, lines = read_bundle(arguments.bundle), arguments.file.read_text(encoding="utf-8").splitlines()
    many = lines * arguments.repeat
    systems = {engine: ours(bundle, engine, many, arguments) for engine in arguments.engines}
    if arguments.peer:
        systems["peer"] = peer(arguments.peer, many, arguments)
    report: dict[str, Any] = {"bundle": arguments.bundle.name, "lines": len(many), "batch": arguments.batch}
    report["results"], bleu = [], {}
    for beam, together in SETTINGS:
        found, works = compare(systems, beam, together, arguments.runs)
        report["results"].append(found)
        if arguments.references and together:
            references = arguments.references.read_text(encoding="utf-8").splitlines()
            for name, work in works.items():
                bleu[f"{name}, beam {beam}"] = score(arguments.target, work.texts[: len(lines)], references)
    report |= {"bleu": bleu, "peak_gpu_megabytes": round(torch.cuda.max_memory_allocated() / 2**20)}
    print(json.dumps({**report, "hardware": hardware(), "versions": versions(), "git": git_state()}, indent=2))


if __name__ == "__main__":
    main()
