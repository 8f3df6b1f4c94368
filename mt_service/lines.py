"""`mt translate`: lines in, as many lines out."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

from tqdm import tqdm

from data.config import check
from data.errors import UserError
from models.search import SearchOptions
from mt_service.registry import Registry
from mt_service.settings import Settings
from mt_service.translator import Options, Translation


def say(line: str) -> None:
    """A line on standard error."""
    print(f"mt: {line}", file=sys.stderr)


def read_lines(stream: BinaryIO) -> Iterator[str]:
    """Lines that end with \\n alone; broken UTF-8 is replaced, with a warning that names the line."""
    for number, line in enumerate(stream, 1):
        data = line.removesuffix(b"\n")
        try:
            yield data.decode("utf-8")
        except UnicodeDecodeError as error:
            say(f"line {number} is no UTF-8 ({error.reason} at byte {error.start}); what is broken was replaced")
            yield data.decode("utf-8", errors="replace")


def flat(text: str) -> str:
    """A translation on one line, for a line-by-line format."""
    return " ".join(text.split("\n"))


def render(number: int, translation: Translation, layout: str) -> str:
    """The output for one input line."""
    if layout == "text":
        return flat(translation.text)
    if layout == "moses":
        return "\n".join(f"{number} ||| {flat(one.text)} ||| {one.score:.6f}" for one in translation.alternatives)
    alternatives = [{"text": one.text, "score": round(one.score, 6)} for one in translation.alternatives]
    return json.dumps(
        {"line": number, "translations": alternatives, "warnings": translation.warnings}, ensure_ascii=False
    )


@contextlib.contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Input and output as bytes, whatever the locale; a missing file is a clear sentence."""
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(arguments.input.open("rb")) if arguments.input else sys.stdin.buffer
            target = stack.enter_context(arguments.output.open("wb")) if arguments.output else sys.stdout.buffer
        except OSError as error:
            raise UserError(f"cannot open {error.filename}: {error.strerror}") from None
        yield source, target


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings for one local translator; the batch is counted in sentences here, in hypotheses there."""
    check(arguments.batch >= 1, f"--batch must be at least 1, but is {arguments.batch}")
    bundles = (str(arguments.bundle),) if arguments.bundle else ()
    rows = arguments.batch * (arguments.beam or 5)
    return Settings(
        bundles=bundles, device=arguments.device, threads=arguments.threads, max_rows=rows, max_queue=1 << 30
    )


def run(arguments: argparse.Namespace) -> int:
    """Translate all lines; the last line on standard error tells how fast."""
    check(arguments.n_best == 1 or arguments.format != "text", "--n-best needs --format json or --format moses")
    check(arguments.beam is None or arguments.beam >= 1, f"--beam must be at least 1, but is {arguments.beam}")
    beam = arguments.beam or max(5, arguments.n_best)
    SearchOptions(beam, arguments.n_best, 1.0 if arguments.length_penalty is None else arguments.length_penalty)
    registry = Registry(settings_of(arguments))
    registry.load()
    translator = registry.find(arguments.source, arguments.target)
    options = Options(
        arguments.source,
        arguments.target,
        arguments.beam or (beam if arguments.n_best > 1 else None),
        arguments.n_best,
        arguments.length_penalty,
        split=not arguments.no_split,
    )
    with opened(arguments) as (source, target):
        started, sentences, tokens = time.perf_counter(), 0, 0
        translations = translator.translate_lines(read_lines(source), options)
        progress = tqdm(translations, unit="line", disable=arguments.quiet, file=sys.stderr)
        for number, translation in enumerate(progress):
            for warning in translation.warnings:
                say(f"line {number + 1}: {warning}")
            target.write((render(number, translation, arguments.format) + "\n").encode("utf-8"))
            sentences, tokens = sentences + translation.sentences, tokens + translation.tokens
        target.flush()
        seconds = max(time.perf_counter() - started, 1e-9)
    registry.drain()
    say_rate(seconds, sentences, tokens)
    return 0


def say_rate(seconds: float, sentences: int, tokens: int) -> None:
    """The last line on standard error."""
    rate = f"{sentences / seconds:.1f} sentences/s, {tokens / seconds:.0f} tokens/s"
    print(f"{seconds:.2f} s, {rate} ({sentences:,} sentences, {tokens:,} tokens)", file=sys.stderr)
