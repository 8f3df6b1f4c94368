"""Dates in digits, which tell another day where the month comes first: 3.5.2024 is May 3, 5/3/2024 may be either."""

from __future__ import annotations

import re

MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
DAY, MONTH, YEAR = r"(?<![\w.,:/-])0?(?P<day>[1-9]|[12]\d|3[01])\. ?", r"0?(?P<month>[1-9]|1[0-2])\.", r"(?:1\d|20)\d\d"
BEFORE = (
    r"(?:(?i:am|vom|zum|bis|ab|seit|de[rnm]|beim) "
    r"|(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonnabend|Sonntag),? (?:de[nmr] )?"
    r"|(?:Mo|Di|Mi|Do|Fr|Sa|So)\.?,? (?:de[nmr] )?)"
)
WHOLE = re.compile(rf"{DAY}{MONTH} ?(?P<year>{YEAR})(?![\w/-]|[.,:]\d)")
SHORT = re.compile(rf"(?P<before>{BEFORE}){DAY}{MONTH}(?![\w/-]|[.,:]?\d| \d)")
AT_END = re.compile(r"[\"'”’“«»)\]]*$")
SENTENCE = 4  # words from which a last mark is a sentence's, and not the date's alone
MONTH_FIRST = re.compile(rf"0?([1-9]|1[0-2])/(1[3-9]|2\d|3[01])/({YEAR})")


def in_words(text: str) -> tuple[str, dict[str, str]]:
    """A German text whose dates have their months in words, and how each of these was written."""
    read = dict[str, str]()

    def anew(match: re.Match[str]) -> str:
        parts = match.groupdict()
        before, year = parts.get("before") or "", parts.get("year")
        words = f"{match['day']}. {MONTHS[int(match['month']) - 1]}{f' {year}' if year else ''}"
        read[words] = match[0][len(before) :]
        ends = not year and AT_END.match(match.string, match.end()) and len(match.string.split()) >= SENTENCE
        return f"{before}{words}{'.' if ends else ''}"

    return SHORT.sub(anew, WHOLE.sub(anew, text)), read


def day_first(digits: str) -> str | None:
    """24.12.2023 of 12/24/2023; nothing of what is no such date, or may be one with the day first."""
    match = MONTH_FIRST.fullmatch(digits)
    return f"{match[2]}.{match[1]}.{match[3]}" if match else None
