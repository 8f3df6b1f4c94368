"""Dates in digits, which tell another day where the month comes first: 3.5.2024 is May 3, 5/3/2024 may be either."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
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
SHORT = re.compile(  # and not 3.5. 20 Leute
    rf"{BEFORE}?(?P<date>{DAY}{MONTH})(?![\w/–—-]|[.,:]?\d| \d(?!\d?(?:[:.][0-5]\d)? ?Uhr))"
)
NUMBERED = re.compile(  # chapters, versions; and lists of these
    r"(?:§§?|\b(?:Versionen|Version|Kapiteln?|Kap\.|Abschnitte?n?|Abs\.|Absatz|Absätzen?|Punkte?n?|Nr\.|\w*nummern?|Ziffern?|Ziff\."
    r"|Artikeln?|Art\.|Aufgaben?|Fragen?|Folgen?|Seiten?|Teile?n?|TOP"
    r"|Pos\.|Position|Firmware|Build|Release|Update|Az\.|Aktenzeichen|Tel\.|Telefon)):? ?"
    r"(?:\d[\d. –—-]*(?:,|und|oder|bis) )*$",
    re.IGNORECASE,
)
LONGEST = 60  # characters that are looked at before a date
MAYBE = ("bis", "ab", "zum", "seit")  # "bis 8.1." may be a version, "bis 31.12." is a day
AT_END = re.compile(r"[\"'”’“«»)\]]*$")
SENTENCE = 4  # words from which a last mark is a sentence's, and not the date's alone
BEGINNING = re.compile(r"(?:^|[,:;(|]|\b(?:Stand|Datum|geb\.|geboren)) ?$")  # before 03.05.24, which may be a version
FILLED = re.compile(r"0|\d+\. ?0")
FROM = re.compile(r"\b(?:[Vv]om|[Vv]on|[Aa]m) $")
CHAIN = re.compile(r",? ?(?:(?:und|oder|bis|sowie|and|or|to|through|[–—-]),? ?)?(?:(?:de[nm]|am|zum|on) )?")
LAST_YEAR, LAST_BIRTH = 39, 29  # of this century, where a year has two digits
BORN = re.compile(r"\bgeb\.|(?i:\bgebor|\bgeburt|\bjahrgang|\bgestorben|\bverstorben)")
SLASHES = re.compile(rf"(?<![\w./])0?([1-9]|1[0-2])/0?([1-9]|[12]\d|3[01])/({YEAR}|\d\d)(?![\w/%]|\.\d)")
BEFORE_SLASHES = re.compile(
    r"(?:^|[,:;(|]|\b(?:on|by|since|until|till|from|through|dated|due|born"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day),?) ?$",
    re.IGNORECASE,
)
AMOUNT = re.compile(r" ?(?:[A-Z]{2}|[a-z]+s|min|mg|ml|people)\b")  # behind 12/24/36


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
        sure = match["year"] or match["end"] or max(int(day), int(last)) > len(MONTHS)
        if (sure or FROM.search(before_it(text, match.start(), LONGEST))) and not is_numbered(match):
            first, second = spelled(day, match["month"], year(match)), spelled(last, match["until"], year(match, "end"))
            yield Change(*match.span(), f"{first} bis {second}" + ("" if match["end"] else stop_of(match)))
    for match in WHOLE.finditer(text):
        if not is_numbered(match):
            yield Change(*match.span(), spelled(match["day"], match["month"], year(match)))
    for match in chained(SHORT_YEAR.finditer(text), is_surely_a_date):
        yield Change(*match.span("date"), spelled(match["day"], match["month"], year(match)))
    for match in chained(SHORT.finditer(text), is_surely_a_day):
        yield Change(*match.span("date"), spelled(match["day"], match["month"]) + stop_of(match))


def chained(matches: Iterable[re.Match[str]], surely: Callable[[re.Match[str]], bool]) -> Iterator[re.Match[str]]:
    """What may be dates, as versions and chapters may look like some: those that surely are, and what joins them."""
    before = 0
    for match in matches:
        if surely(match) or (before and CHAIN.fullmatch(match.string, before, match.start("date"))):
            before = match.end()
            yield match


def is_surely_a_day(match: re.Match[str]) -> bool:
    """The same of digits without a year, of which those behind "bis" at an end may be versions."""
    if match.start() == match.start("date"):
        return is_surely_a_date(match)
    maybe = (match["word"] or "").lower() in MAYBE and int(match["day"]) <= len(MONTHS)
    return not (maybe and AT_END.match(match.string, match.end()))


def is_surely_a_date(match: re.Match[str]) -> bool:
    """Whether digits with a year of two are a date, by a word before them, or a zero in them and none before them."""
    if is_numbered(match):
        return False
    start, filled = match.start("date"), FILLED.match(match["date"]) is not None
    if match.start() < start:
        return filled or (match["word"] or "").lower() not in MAYBE
    return filled and BEGINNING.search(before_it(match.string, start, LONGEST)) is not None


def is_numbered(match: re.Match[str]) -> bool:
    """Whether what stands before tells of a version, or of a part of a text."""
    return NUMBERED.search(before_it(match.string, match.start(), LONGEST)) is not None


def before_it(text: str, start: int, longest: int) -> str:
    """So many characters before a place in a text, at most."""
    return text[max(0, start - longest) : start]


def spelled(day: str, month: str | None, year: str | None = None) -> str:
    """3. Mai 2024, as far as it is known."""
    return " ".join(filter(None, (f"{day}.", month and MONTHS[int(month) - 1], year)))


def year(match: re.Match[str], group: str = "year") -> str | None:
    """2024, of 24 as well; 1935 where somebody was born in 35."""
    digits = match[group] and match[group].strip()
    if not digits or len(digits) > 2:
        return digits
    last = LAST_BIRTH if BORN.search(match.string) else LAST_YEAR
    return ("20" if int(digits) <= last else "19") + digits


def stop_of(match: re.Match[str]) -> str:
    """What is left of a date's last period where it ends a sentence, too."""
    ends = AT_END.match(match.string, match.end()) is not None
    return "." if ends and len(match.string.split()) >= SENTENCE else ""


def day_first(text: str) -> Iterator[Change]:
    """The dates of an English text as 24.12.2023, if one of them can only have its month first, and none its day."""
    found = list[re.Match[str]]()
    for match in SLASHES.finditer(text):
        linked = found and CHAIN.fullmatch(text, found[-1].end(), match.start())
        if len(match[3]) == 4 or linked or is_short_date(match):
            found.append(match)
    if any(int(match[2]) > 12 for match in found):
        yield from (Change(*match.span(), f"{match[2]}.{match[1]}.{match[3]}") for match in found)


def is_short_date(match: re.Match[str]) -> bool:
    """Whether 12/24/23 is a date by what stands before it, and no amounts by what stands behind it."""
    before = BEFORE_SLASHES.search(before_it(match.string, match.start(), LONGEST))
    return before is not None and AMOUNT.match(match.string, match.end()) is None
