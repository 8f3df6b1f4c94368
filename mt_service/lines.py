"""`mt translate`: lines in, as many lines out."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import dataclasses
import json
import os
import re
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tqdm import tqdm

from data.config import check
from data.errors import UserError
from data.files import create
from models.bundle import Bundle
from mt_service.markup import read
from mt_service.pieces import LONGEST_IDS
from mt_service.projection import put_back, texts
from mt_service.registry import Registry, make_translator
from mt_service.rerank import beam_of
from mt_service.settings import BILLION, Settings, load_settings
from mt_service.translation import Options, Translation
from mt_service.translator import WINDOW, Translator

LISTED = 5  # lines that are no UTF-8
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CHUNK = 1 << 20  # bytes that are read at once
BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # what some reader or other takes for the end of a line


class Work(NamedTuple):
    """What was done."""

    lines: int
    sentences: int
    tokens: int
    doubtful: int


def say(line: str) -> None:
    """A line on standard error, above the progress bar; nowhere when that is closed."""
    if sys.stderr is not None:
        tqdm.write(line, file=sys.stderr)


def silent(stream: BinaryIO) -> bool:
    """Whether there is nothing to read from a pipe or terminal at this moment."""
    try:
        return not select.select([stream.fileno()], [], [], 0)[0]
    except (OSError, ValueError):  # no file of the system's
        return False


def windows(source: BinaryIO, target: BinaryIO) -> Iterator[list[str]]:
    """Lines as they come, some thousand at most at a time; only \\n ends a line.

    Whenever the source falls silent, there is an empty window first, upon which what was read is to be answered; so
    a program may write a line, and wait for its translation before it writes the next.

    Args:
        source: bytes; broken UTF-8 is replaced, with a warning that names the line.
        target: is flushed before the source is waited for.
    Raises:
        UserError: for UTF-16, of which nothing would be right.
    """
    number, rest, broken = 0, b"", list[int]()
    wait_for_input(source)
    while True:
        if silent(source):
            yield []
            target.flush()
        chunk = source.read1(CHUNK) if hasattr(source, "read1") else source.read(CHUNK)
        *lines, rest = (rest + chunk).split(b"\n")
        if not chunk and rest:
            lines, rest = [rest], b""
        for start in range(0, len(lines), WINDOW):
            window = lines[start : start + WINDOW]
            yield [text_of(line, number + i, broken) for i, line in enumerate(window, 1)]
            number += len(window)
        if not chunk:
            if len(broken) > LISTED:
                say(f"mt: in all, {len(broken):,} lines are no UTF-8; convert the text, for example with iconv")
            return


def wait_for_input(source: BinaryIO) -> None:
    """Let reading wait, whatever whoever opened it wants: to be empty for a moment is not to be at the end."""
    with contextlib.suppress(OSError, ValueError):  # no file of the system's
        os.set_blocking(source.fileno(), True)


def text_of(line: bytes, number: int, broken: list[int]) -> str:
    """A line's text; of those that are no UTF-8, whose numbers are kept, the first few are told.

    Raises:
        UserError: for UTF-16, of which nothing would be right.
    """
    is_utf_16 = number == 1 and line.startswith(UTF_16)
    check(not is_utf_16, "the text is UTF-16: convert it, for example with iconv -f UTF-16 -t UTF-8")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        broken.append(number)
        if len(broken) <= LISTED:
            say(f"mt: line {number} is no UTF-8 ({error.reason} at byte {error.start}); what is broken was replaced")
        return line.decode("utf-8", errors="replace")


def flat(text: str) -> str:
    """A translation on one line, whoever reads it; the \\r of a file whose lines end with \\r\\n stays."""
    end = "\r" if text.endswith("\r") else ""
    return BREAK.sub(" ", text.removesuffix(end)) + end


def render(number: int, translation: Translation, layout: str) -> str:
    """The output for one input line."""
    if layout == "text":
        return flat(translation.text)
    if layout == "moses":
        texts = [flat(one.text).strip().replace("|||", "| | |") for one in translation.alternatives]
        scores = [f"{one.score:.6f}" for one in translation.alternatives]
        return "\n".join(f"{number} ||| {text} ||| {score}" for text, score in zip(texts, scores, strict=True))
    alternatives = [
        {"text": flat(one.text).removesuffix("\r"), "score": round(one.score, 6)} for one in translation.alternatives
    ]
    return json.dumps(
        {"line": number + 1, "translations": alternatives, "warnings": translation.remarks}, ensure_ascii=False
    )


@contextlib.contextmanager
def opened(source: Path | None, target: Path | None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Input and output as bytes, whatever the locale; a file appears when it is complete.

    Raises:
        UserError: for a file that cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        check(source is not None or sys.stdin is not None, "standard input is closed: name a file with --input")
        check(target is not None or sys.stdout is not None, "standard output is closed: name a file with --output")
        try:
            reader = stack.enter_context(source.open("rb")) if source else sys.stdin.buffer
        except OSError as error:
            raise UserError(f"cannot read {source}: {error.strerror}") from None
        try:
            writer = stack.enter_context(create(target)) if target else sys.stdout.buffer
        except OSError as error:
            raise UserError(f"cannot write {target}: {error.strerror}") from None
        yield reader, writer


def load(arguments: argparse.Namespace) -> Registry:
    """The registry, with engines that hold a batch: --batch counts sentences, an engine hypotheses.

    Raises:
        UserError: for bad settings or bundles.
    """
    for name in ("batch", "beam", "n_best"):
        value = getattr(arguments, name)
        check(value is None or value >= 1, f"--{name.replace('_', '-')} must be at least 1, but is {value}")
    bundles = (str(arguments.bundle),) if arguments.bundle else None
    glossaries = tuple(arguments.glossaries or ())  # not those of MT_GLOSSARIES, or evaluations and teachers had them
    settings = load_settings(
        os.environ, bundles=bundles, glossaries=glossaries, device=arguments.device, threads=arguments.threads
    )

    def make(bundle: Bundle, settings: Settings) -> Translator:
        beam = beam_of(bundle.info, arguments.beam, arguments.n_best, arguments.rerank)
        tokens = min(BILLION, arguments.batch * LONGEST_IDS)
        rows = min(BILLION, arguments.batch * beam)
        settings = dataclasses.replace(settings, max_rows=rows, max_tokens=tokens, max_queue=BILLION)
        return make_translator(bundle, settings)

    registry = Registry(settings, make)
    registry.load()
    return registry


def run(arguments: argparse.Namespace) -> int:
    """Translate all lines; the last line on standard error tells how fast.

    Raises:
        UserError: for a wrong call.
        EngineError: when the engine failed.
    """
    check(not arguments.html or arguments.n_best == 1, "--html gives one translation: leave --n-best out")
    check(arguments.n_best <= 1 or arguments.format != "text", "--n-best needs --format json or --format moses")
    check(not arguments.html or arguments.format == "text", f"--html gives HTML: leave --format {arguments.format} out")
    options = Options(
        arguments.source,
        arguments.target,
        arguments.beam,
        arguments.n_best,
        arguments.length_penalty,
        alignments=arguments.html,
        split=not arguments.no_split,
    )
    with opened(arguments.input, arguments.output) as (source, target):
        registry = load(arguments)
        try:
            translator = registry.find(arguments.source, arguments.target)
            reverse = find_reverse(registry, arguments) if arguments.rerank else None
            translator.search_for(options, reverse)
            if not arguments.quiet:
                say(f"mt: {translator.info.name}: {translator.worker.description}")
            started = time.perf_counter()
            if arguments.html:
                work = write_document(translator, source, target, options, reverse)
            else:
                lines = translator.translate_windows(windows(source, target), options, reverse)
                work = write(lines, target, arguments)
            seconds = max(time.perf_counter() - started, 1e-9)
        finally:
            registry.close()
    rate = f"{work.sentences / seconds:.1f} sentences/s, {work.tokens / seconds:.0f} tokens/s"
    if work.doubtful and not arguments.html:
        say(f"mt: the model is unsure of {work.doubtful:,} of {work.sentences:,} sentences; --format json names them")
    say(f"{seconds:.2f} s, {rate} ({work.lines:,} lines, {work.sentences:,} sentences, {work.tokens:,} tokens)")
    return 0


def find_reverse(registry: Registry, arguments: argparse.Namespace) -> Translator:
    """What reads translations backwards.

    Raises:
        UserError: when nothing does.
    """
    try:
        return registry.find(arguments.target, arguments.source)
    except UserError as error:
        raise UserError(f"--rerank needs both directions: {error}") from None


def write_document(
    translator: Translator, source: BinaryIO, target: BinaryIO, options: Options, reverse: Translator | None
) -> Work:
    """Translate HTML as a whole; lines are blocks of it."""
    lines = enumerate(source.read().split(b"\n"), 1)
    broken = list[int]()
    document = read("\n".join(text_of(line, number, broken) for number, line in lines))
    found = list(translator.translate_windows([texts([document])], options, reverse))
    whole = put_back([document], found)[0]
    for remark in whole.remarks:
        say(f"mt: {remark}")
    target.write(whole.text.encode("utf-8"))
    target.flush()
    return Work(len(found), whole.sentences, whole.tokens, len(whole.doubtful))


def write(translations: Iterator[Translation], target: BinaryIO, arguments: argparse.Namespace) -> Work:
    """Translate and write."""
    lines = sentences = tokens = doubtful = 0
    with tqdm(translations, unit="line", disable=arguments.quiet or sys.stderr is None, file=sys.stderr) as progress:
        for translation in progress:
            for warning in translation.warnings:
                say(f"mt: line {lines + 1}: {warning}")
            target.write((render(lines, translation, arguments.format) + "\n").encode("utf-8"))
            lines, sentences, tokens = lines + 1, sentences + translation.sentences, tokens + translation.tokens
            doubtful += len(translation.doubtful)
    target.flush()
    return Work(lines, sentences, tokens, doubtful)
