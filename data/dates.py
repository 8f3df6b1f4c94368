"""Dates in digits, which tell another day where the month comes first: 3.5.2024 is May 3, 5/3/2024 may be either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
ALONE, DAY_NUMBER, MONTH_NUMBER = r"(?<![\w.,:/–—-])", r"[1-9]|[12]\d|3[01]", r"[1-9]|1[0-2]"
DAY, MONTH = rf"{ALONE}0?(?P<day>{DAY_NUMBER})\. ?", rf"0?(?P<month>{MONTH_NUMBER})\."
YEAR = r"(?:1\d|20)\d\d"
EITHER_YEAR = rf" ?{YEAR}|\d\d"
RANGE = re.compile(  # 1.1.–31.12.2024
    rf"{DAY}(?:{MONTH}(?P<year>{EITHER_YEAR})?)?(?P<gap> ?)[–—-](?P=gap)"
    rf"0?(?P<last>{DAY_NUMBER})\. ?0?(?P<until>{MONTH_NUMBER})\.(?P<end>{EITHER_YEAR})?(?![\w/–—-]|[.,:]\d)"
)
BEFORE = (
    r"(?:(?P<word>(?i:am|vom|zum|bis|ab|seit|de[rnm]|beim)) "
    r"|(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonnabend|Sonntag),? (?:de[nmr] )?"
    r"|(?:Mo|Di|Mi|Do|Fr|Sa|So)\.?,? (?:de[nmr] )?)"
)
WHOLE = re.compile(rf"{DAY}{MONTH} ?(?P<year>{YEAR})(?![\w/–—-]|[.,:]\d)")
SHORT_YEAR = re.compile(rf"{BEFORE}?(?P<date>{DAY}{MONTH}(?P<year>\d\d))(?![\w/–—-]|[.,:]\d| Uhr)")
SHORT = re.compile(rf"{BEFORE}(?P<date>{DAY}{MONTH})(?![\w/–—-]|[.,:]?\d| \d)")
NUMBERED = re.compile(  # chapters, versions; and lists of these
    r"(?:§§?|\b(?:Versionen|Version|Kapiteln?|Kap\.|Abschnitte?n?|Abs\.|Absatz|Absätzen?|Punkte?n?|Nr\.|\w*nummern?|Ziffern?|Ziff\."
    r"|Artikeln?|Art\.|Aufgaben?|Fragen?|Folgen?|Seiten?|Teile?n?|TOP)):? ?(?:\d[\d. –—-]*(?:,|und|oder|bis) )*$",
    re.IGNORECASE,
)
LONGEST = 60  # characters that are looked at before a date
MAYBE = ("bis", "ab", "zum", "seit")  # "bis 8.1." may be a version, "bis 31.12." is a day
AT_END = re.compile(r"[\"'”’“«»)\]]*$")
SENTENCE = 4  # words from which a last mark is a sentence's, and not the date's alone
FIRST_CENTURY = 40  # from which two digits are a year of the century before
AMOUNT = r"%| ?(?:hours|days|weeks|months|years|mg|ml)\b"
SLASHES = re.compile(rf"(?<![\w./])0?([1-9]|1[0-2])/0?([1-9]|[12]\d|3[01])/({YEAR}|\d\d(?!{AMOUNT}))(?![\w/]|\.\d)")


class Change(NamedTuple):
    """A part of a text, and what a network is to read in its place."""

    start: int
    end: int
    read: str
    written: tuple[str, str] | None = None  # a part of that, and how it is to be written in the translation


def in_words(text: str) -> Iterator[Change]:
    """The dates of a German text, their months in words."""
    for match in RANGE.finditer(text):
        day, last = match["day"], match["last"]
        if (match["year"] or match["end"] or max(int(day), int(last)) > len(MONTHS)) and not is_numbered(match):
            first, second = spelled(day, match["month"], match["year"]), spelled(last, match["until"], match["end"])
            yield Change(*match.span(), f"{first} bis {second}" + ("" if match["end"] else stop_of(match)))
    for match in WHOLE.finditer(text):
        if not is_numbered(match):
            yield Change(*match.span(), spelled(match["day"], match["month"], match["year"]))
    of_short_years = [match for match in SHORT_YEAR.finditer(text) if not is_numbered(match)]
    if any(map(is_surely_a_date, of_short_years)):
        for match in of_short_years:
            yield Change(*match.span("date"), spelled(match["day"], match["month"], match["year"]))
    for match in SHORT.finditer(text):
        maybe = (match["word"] or "").lower() in MAYBE and int(match["day"]) <= len(MONTHS)
        if not (maybe and AT_END.match(text, match.end())):
            yield Change(*match.span("date"), spelled(match["day"], match["month"]) + stop_of(match))


def is_surely_a_date(match: re.Match[str]) -> bool:
    """Whether digits with a year of two are a date by a word before them, or by a zero that fills them up."""
    word = (match["word"] or "").lower()
    before = match.start() < match.start("date") and word not in MAYBE
    return before or re.search(r"\b0", match["date"]) is not None


def is_numbered(match: re.Match[str]) -> bool:
    """Whether what stands before tells of a version, or of a part of a text."""
    return NUMBERED.search(before_it(match.string, match.start(), LONGEST)) is not None


def before_it(text: str, start: int, longest: int) -> str:
    """So many characters before a place in a text, at most."""
    return text[max(0, start - longest) : start]


def spelled(day: str, month: str | None, year: str | None = None) -> str:
    """3. Mai 2024, as far as it is known."""
    return " ".join(filter(None, (f"{day}.", month and MONTHS[int(month) - 1], year and full_year(year.strip()))))


def full_year(digits: str) -> str:
    """2024, of 24 as well."""
    return digits if len(digits) > 2 else ("20" if int(digits) < FIRST_CENTURY else "19") + digits


def stop_of(match: re.Match[str]) -> str:
    """What is left of a date's last period where it ends a sentence, too."""
    ends = AT_END.match(match.string, match.end()) is not None
    return "." if ends and len(match.string.split()) >= SENTENCE else ""


def day_first(text: str) -> Iterator[Change]:
    """The dates of an English text as 24.12.2023, if one of them can only have its month first, and none its day."""
    found = list(SLASHES.finditer(text))
    if any(int(match[2]) > 12 for match in found):
        yield from (Change(*match.span(), f"{match[2]}.{match[1]}.{match[3]}") for match in found)
