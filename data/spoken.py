"""Times of day as people say them, which a network takes for others: halb acht and half past seven are 7:30."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from data.dates import Change
from data.languages import folded, hour_words

HOUR = 60
HOURS = {language: hour_words(language) for language in ("de", "en")}
SIZES = {
    "half": 30, "quarter": 15, "five": 5, "fünf": 5, "ten": 10, "zehn": 10, "twenty": 20,
    "twenty five": 25, "twenty-five": 25,
}  # fmt: skip
MAY_SPEAK = re.compile(r"\b(?:halb|past|quarter|five|ten|twenty) ", re.IGNORECASE)  # of a time, without any digit
GERMAN = re.compile(
    rf"(?<![\w-])(?:(?P<size>fünf|zehn|5|10)(?: Minuten)? (?P<side>vor|nach) )?"
    rf"halb (?P<hour>{'|'.join(HOURS['de'])}|1[0-2]|[1-9])(?: Uhr)?(?![\w:-]|[.,]\d)",
    re.IGNORECASE,
)
MINUTES = r"(?:five|ten|twenty(?:[- ]five)?|5|10|20|25)(?: minutes)?"
ENGLISH = re.compile(
    rf"(?<![\w-])(?:(?P<half>(?:a )?quarter|half) (?P<side>past|to)|(?P<past>{MINUTES}) past"
    rf"|(?:(?<=\bat )|(?<=\buntil )|(?<=\bit['’]s )|(?<=\bit is )|(?<=\bit was ))(?P<before>{MINUTES}) to)"
    rf" (?P<hour>{'|'.join(HOURS['en'])}|1[0-2]|[1-9])(?: o['’]clock)?"
    r"(?![\w:/-]|[.,]\d| ?[ap]\.? ?m\b"
    r"| (?:half|third|fourth|fifth|quarter|of|percent|hundred|thousand|million|people|times)\b)",
    re.IGNORECASE,
)


def in_german(text: str) -> Iterator[Change]:
    """The half hours of a German text: halb acht as 7:30 Uhr, fünf vor halb acht as 7:25 Uhr."""
    for match in GERMAN.finditer(text):
        size = SIZES.get(folded(match["size"] or "")) or int(match["size"] or 0)
        minutes = hour_of(match, HOURS["de"]) * HOUR - HOUR // 2
        minutes += -size if folded(match["side"] or "") == "vor" else size
        yield Change(*match.span(), f"{clock(minutes)} Uhr")


def in_english(text: str) -> Iterator[Change]:
    """The times of an English text that are counted from an hour: half past seven as 7:30, ten to eight as 7:50."""
    for match in ENGLISH.finditer(text):
        part = folded(match["half"] or match["past"] or match["before"]).removeprefix("a ").removesuffix(" minutes")
        size = SIZES.get(part) or int(part)
        to = match["before"] is not None or folded(match["side"] or "") == "to"
        if not (to and part == "half"):
            yield Change(*match.span(), clock(hour_of(match, HOURS["en"]) * HOUR + (-size if to else size)))


def hour_of(match: re.Match[str], words: Mapping[str, int]) -> int:
    """The hour that is named in digits or in a word."""
    named = folded(match["hour"])
    return words.get(named) or int(named)


def clock(minutes: int) -> str:
    """7:30 of so many minutes since midnight or noon; 12:30 of thirty."""
    hour, rest = divmod(minutes, HOUR)
    return f"{hour % 12 or 12}:{rest:02}"
