"""Dates in digits, which tell another day where the month comes first: 3.5.2024 is May 3, 5/3/2024 may be either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
DAY, MONTH = r"(?<![\w.,:/–—-])0?(?P<day>[1-9]|[12]\d|3[01])\. ?", r"0?(?P<month>[1-9]|1[0-2])\."
YEAR = r"(?:1\d|20)\d\d"
BEFORE = (
    r"(?:(?P<word>(?i:am|vom|zum|bis|ab|seit|de[rnm]|beim)) "
    r"|(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonnabend|Sonntag),? (?:de[nmr] )?"
    r"|(?:Mo|Di|Mi|Do|Fr|Sa|So)\.?,? (?:de[nmr] )?)"
)
WHOLE = re.compile(rf"{DAY}{MONTH} ?(?P<year>{YEAR})(?![\w/–—-]|[.,:]\d)")
SHORT = re.compile(rf"{BEFORE}(?P<date>{DAY}{MONTH})(?![\w/–—-]|[.,:]?\d| \d)")
NUMBERED = re.compile(
    r"(?:§§?|\b(?:Version|Kapitel|Abschnitt|Punkt|Nr\.|Ziffer|Ziff\.|Artikel|Art\.)) ?$", re.IGNORECASE
)
MAYBE = ("bis", "ab", "zum", "seit")  # "bis 8.1." may be a version, "bis 31.12." is a day
AT_END = re.compile(r"[\"'”’“«»)\]]*$")
SENTENCE = 4  # words from which a last mark is a sentence's, and not the date's alone
SLASHES = re.compile(rf"(?<![\w./])0?([1-9]|1[0-2])/0?([1-9]|[12]\d|3[01])/({YEAR})(?![\w/]|\.\d)")


class Change(NamedTuple):
    """A part of a text, and what a network is to read in its place."""

    start: int
    end: int
    read: str
    written: tuple[str, str] | None = None  # a part of that, and how it is to be written in the translation


def in_words(text: str) -> Iterator[Change]:
    """The dates of a German text, their months in words."""
    for match in WHOLE.finditer(text):
        if NUMBERED.search(text[: match.start()][-12:]) is None:
            yield Change(*match.span(), f"{spelled(match)} {match['year']}")
    for match in SHORT.finditer(text):
        ends = AT_END.match(text, match.end()) is not None
        if not (ends and (match["word"] or "").lower() in MAYBE and int(match["day"]) <= 12):
            stop = "." if ends and len(text.split()) >= SENTENCE else ""
            yield Change(*match.span("date"), spelled(match) + stop)


def spelled(match: re.Match[str]) -> str:
    """3. Mai."""
    return f"{match['day']}. {MONTHS[int(match['month']) - 1]}"


def day_first(text: str) -> Iterator[Change]:
    """The dates of an English text as 24.12.2023, if one of them can only have its month first, and none its day."""
    found = list(SLASHES.finditer(text))
    if any(int(match[2]) > 12 for match in found):
        yield from (Change(*match.span(), f"{match[2]}.{match[1]}.{match[3]}") for match in found)
