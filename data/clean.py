"""Named rules that drop pairs nobody should learn from, and a report of every pair dropped."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from data.config import check
from data.normalize import normalize

LISTED = 5  # line numbers per rule in the readable report
SLACK = 10  # characters that the ratio rule forgives, so that "Ja." may be "Yes, he is."
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Two bytes of UTF-8 read as Latin-1 or Windows-1252: a lead byte's letter, then what that code page shows for 80-BF.
MOJIBAKE = re.compile("[ÂÃ][\u0080-\u00bfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]|â€|ï»¿|ðŸ")


@dataclass(frozen=True)
class CleanConfig:
    """One field per limit; 0 or false turns its rule off.

    A pair goes when a side is `empty`, has more than `length_words` words or `length_characters` characters, or is
    longer than `ratio` times the other plus ten characters; when the pair stood before (`duplicates`), holds U+FFFD
    or UTF-8 read as another encoding (`encoding`), has equal sides of `identical` or more words, holds control
    characters (`control`), or has a side that is rather in the other language (`language`).
    """

    empty: bool = True
    length_words: int = 150
    length_characters: int = 1000
    ratio: float = 4.0
    duplicates: bool = True
    encoding: bool = True
    identical: int = 3
    control: bool = True
    language: bool = True

    def __post_init__(self) -> None:
        for name in ("length_words", "length_characters", "identical"):
            check(getattr(self, name) >= 0, f"{name} must be 0 (off) or more, but is {getattr(self, name)}")
        check(self.ratio == 0 or self.ratio >= 1, f"ratio must be 0 (off) or at least 1, but is {self.ratio}")


class Candidate(NamedTuple):
    """A pair before cleaning: as read, and normalised; `languages` of source and target."""

    raw_source: str
    raw_target: str
    source: str
    target: str
    languages: tuple[str, str]


def candidate(source: str, target: str, languages: tuple[str, str]) -> Candidate:
    """A pair as it was read."""
    return Candidate(source, target, normalize(source), normalize(target), languages)


Rule = Callable[[Candidate], bool]  # True: drop the pair


def empty(config: CleanConfig) -> Rule | None:
    """A side is empty."""
    return (lambda pair: not pair.source or not pair.target) if config.empty else None


def length(config: CleanConfig) -> Rule | None:
    """A side has too many words or characters."""
    words, characters = config.length_words, config.length_characters

    def too_long(text: str) -> bool:
        return bool((words and text.count(" ") >= words) or (characters and len(text) > characters))

    return (lambda pair: too_long(pair.source) or too_long(pair.target)) if words or characters else None


def ratio(config: CleanConfig) -> Rule | None:
    """One side is many times as long as the other, in characters."""

    def unequal(pair: Candidate) -> bool:
        shorter, longer = sorted((len(pair.source), len(pair.target)))
        return longer > config.ratio * shorter + SLACK

    return unequal if config.ratio else None


def duplicates(config: CleanConfig) -> Rule | None:
    """The same pair stood before, in either orientation."""
    seen: set[bytes] = set()

    def repeated(pair: Candidate) -> bool:
        sides = sorted(zip(pair.languages, (pair.source, pair.target), strict=True))
        key = key_of(repr(sides))
        known = key in seen
        seen.add(key)
        return known

    return repeated if config.duplicates else None


def key_of(text: str) -> bytes:
    """What stands for a text where very many are remembered."""
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def encoding(config: CleanConfig) -> Rule | None:
    """A side was decoded wrongly somewhere."""

    def broken(text: str) -> bool:
        return not text.isascii() and ("\ufffd" in text or MOJIBAKE.search(text) is not None)

    return (lambda pair: broken(pair.raw_source) or broken(pair.raw_target)) if config.encoding else None


def identical(config: CleanConfig) -> Rule | None:
    """Both sides are the same text of several words: not a translation."""
    least = config.identical
    return (lambda pair: pair.source == pair.target and pair.source.count(" ") + 1 >= least) if least else None


def control(config: CleanConfig) -> Rule | None:
    """A side holds control characters other than tab and line end."""

    def found(text: str) -> bool:
        return not text.isprintable() and CONTROL.search(text) is not None

    return (lambda pair: found(pair.raw_source) or found(pair.raw_target)) if config.control else None


RULES: dict[str, Callable[[CleanConfig], Rule | None]] = {
    "empty": empty,
    "encoding": encoding,
    "control": control,
    "length": length,
    "ratio": ratio,
    "identical": identical,
    "duplicates": duplicates,
}


class Cleaner:
    """The rules that are on, in their fixed order; remembers pairs for the duplicates rule.

    Args:
        config: which these are.
        language: the rule of that name, which knows the corpora (`data.sides`).
    """

    def __init__(self, config: CleanConfig, language: Rule | None = None) -> None:
        made = {name: make(config) for name, make in RULES.items()} | {"language": language}
        self.rules = {name: rule for name, rule in made.items() if rule is not None}

    def __call__(self, pair: Candidate) -> str | None:
        """The name of the first rule that drops the pair; None keeps it."""
        return next((name for name, rule in self.rules.items() if rule(pair)), None)


@dataclass
class CorpusReport:
    """What became of one corpus's pairs: counts per rule and the line numbers dropped."""

    name: str
    read: int = 0
    dropped: dict[str, list[int]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        return self.read - sum(map(len, self.dropped.values()))

    def drop(self, rule: str, number: int) -> None:
        self.dropped.setdefault(rule, []).append(number)

    def counts(self) -> dict[str, Any]:
        """The numbers alone, for the manifest."""
        return {
            "corpus": self.name,
            "read": self.read,
            "kept": self.kept,
            "dropped": {rule: len(numbers) for rule, numbers in self.dropped.items()},
        }


def to_json(reports: Sequence[CorpusReport]) -> str:
    """Every line number of every rule, one rule a line."""
    rows = [
        {"corpus": report.name, "rule": rule, "count": len(numbers), "lines": numbers}
        for report in reports
        for rule, numbers in report.dropped.items()
    ]
    body = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{body}\n]\n" if rows else "[]\n"


def to_text(reports: Sequence[CorpusReport]) -> str:
    """A table to read: kept and dropped per rule, with the first line numbers."""
    lines: list[str] = []
    for report in reports:
        lines.append(f"{report.name}: {report.read} read, {report.kept} kept")
        for rule, numbers in sorted(report.dropped.items(), key=lambda item: -len(item[1])):
            first = ", ".join(map(str, numbers[:LISTED])) + (", ..." if len(numbers) > LISTED else "")
            lines.append(f"  {rule:<12}{len(numbers):>10}  lines {first}")
    total = Counter(rule for report in reports for rule, numbers in report.dropped.items() for _ in numbers)
    lines.append(
        f"all: {sum(r.read for r in reports)} read, {sum(r.kept for r in reports)} kept, {total.total()} dropped"
    )
    return "\n".join(lines) + "\n"
