"""Text in one language, which has no translations until a teacher makes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from data.clean import CorpusReport, key_of
from data.corpus import CorpusConfig, check_there, read, read_lines
from data.normalize import normalize

NO_WORD = re.compile(r"[\W_]+")  # marks are no word by Python's count, but the vowels of many scripts
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
        check_there(path, "monolingual")
    return paths


def read_monolingual(
    one: MonolingualConfig, root: Path, scored: Set[bytes], seen: set[bytes], report: CorpusReport
) -> Iterator[str]:
    """Stream the texts that are new, normalised.

    Left out, and entered in the report, is what will be scored, stands in a file of `held_out`, or was there before,
    whatever its case and punctuation.

    Args:
        one: which file.
        root: where its paths start.
        scored: fingerprints of what stands in dev sets.
        seen: fingerprints of what is there already; the new ones are added.
        report: of the file.
    Raises:
        UserError: for a missing or malformed file.
    """
    path, *others = files_of(one, root)
    held_out = scored | {fingerprint(normalize(line)) for other in others for line in read_lines(other)}
    for number, line in enumerate(read_lines(path), start=1):
        report.read += 1
        text = normalize(line)
        key = fingerprint(text)
        rule = EMPTY if key == NOTHING else HELD_OUT if key in held_out else REPEATED if key in seen else None
        if rule:
            report.drop(rule, number)
        else:
            seen.add(key)
            yield text


def fingerprint(text: str) -> bytes:
    """Equal for normalised texts of the same words, whatever their case and punctuation."""
    return key_of(NO_WORD.sub(marks, text.casefold()).strip())


def marks(between: re.Match[str]) -> str:
    """The marks among what is no word; without any, a space."""
    return "".join(one for one in between[0] if unicodedata.category(one).startswith("M")) or " "


NOTHING = fingerprint("")


def scored_in(language: str, root: Path, corpora: Iterable[CorpusConfig]) -> set[bytes]:
    """Fingerprints of the sides of parallel text that are in a language."""
    return {
        fingerprint(normalize((line.source, line.target)[corpus.languages.index(language)]))
        for corpus in corpora
        if language in corpus.languages
        for line in read(corpus, root)
    }
