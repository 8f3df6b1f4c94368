"""Text in one language, which has no translations until a teacher makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from data.clean import CorpusReport
from data.config import check
from data.corpus import CorpusConfig, read, read_lines
from data.normalize import normalize

NO_WORD = re.compile(r"[\W_]+")
EMPTY, HELD_OUT, REPEATED = "empty", "held_out", "repeated"


@dataclass(frozen=True)
class MonolingualConfig:
    """A file of lines in one language. Relative paths start at the root of the whole configuration."""

    language: str
    path: Path
    held_out: tuple[Path, ...] = ()  # files of the same language whose lines are left out: those of test sets


def files_of(one: MonolingualConfig, root: Path) -> list[Path]:
    """The file itself, then those whose lines it must not have; UserError for one that is missing."""
    paths = [root / path for path in (one.path, *one.held_out)]
    for path in paths:
        check(path.is_file(), f"monolingual file {path} does not exist: mend its path, or the root that it starts at")
    return paths


def read_monolingual(
    one: MonolingualConfig, root: Path, dev: Iterable[CorpusConfig], seen: set[bytes], report: CorpusReport
) -> Iterator[str]:
    """Stream the texts that are new, normalised.

    Left out, and entered in the report, is what stands in a dev set or a file of `held_out`, or was there before,
    whatever its case and punctuation.

    Args:
        one: which file.
        root: where its paths start.
        dev: sets of parallel text that will be scored.
        seen: fingerprints of what is there already; the new ones are added.
        report: of the file.
    Raises:
        UserError: for a missing or malformed file.
    """
    path, *others = files_of(one, root)
    lines = [line for other in others for line in read_lines(other)]
    kept_out = {fingerprint(line) for line in (*lines, *sides_in(one.language, root, dev))}
    for number, line in enumerate(read_lines(path), start=1):
        report.read += 1
        text = normalize(line)
        rule = reason(text, kept_out, seen)
        if rule:
            report.drop(rule, number)
        else:
            seen.add(fingerprint(text))
            yield text


def reason(text: str, kept_out: set[bytes], seen: set[bytes]) -> str | None:
    """Why a text is left out; None keeps it."""
    if NO_WORD.fullmatch(text) or not text:
        return EMPTY
    key = fingerprint(text)
    return HELD_OUT if key in kept_out else REPEATED if key in seen else None


def fingerprint(text: str) -> bytes:
    """Equal for texts of the same words, whatever their case and punctuation."""
    words = NO_WORD.sub(" ", normalize(text).casefold()).strip()
    return blake2b(words.encode(), digest_size=12).digest()


def sides_in(language: str, root: Path, corpora: Iterable[CorpusConfig]) -> Iterator[str]:
    """The side of some corpora that is in a language, where there is one."""
    for corpus in corpora:
        if language in corpus.languages:
            side = corpus.languages.index(language)
            yield from ((line.source, line.target)[side] for line in read(corpus, root))
