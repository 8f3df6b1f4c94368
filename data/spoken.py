"""Times of day as people say them, which a network takes for others: halb acht and half past seven are 7:30."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from data.dates import Change
from data.languages import folded, hour_words

HOUR = 60
HALF_DAY = 12 * HOUR
HOURS = {language: hour_words(language) for language in ("de", "en")}
SIZES = {"quarter": 15, "half": 30, "five": 5, "ten": 10, "twenty-five": 25, "twenty five": 25, "twenty": 20}
GERMAN_SIZES = {"fünf": 5, "zehn": 10}
MAY_SPEAK = re.compile(r"\b(?:halb|past|quarter|five|ten|twenty) ", re.IGNORECASE)  # of a time, without any digit
GERMAN = re.compile(
    rf"(?<![\w-])(?:(?P<size>fünf|zehn|5|10)(?: Minuten)? (?P<side>vor|nach) )?"
    rf"halb (?P<hour>{'|'.join(HOURS['de'])}|1[0-2]|[1-9])(?: Uhr)?(?![\w:-]|[.,]\d)"
    r"(?! (?:Leute|Stunden|Minuten|Tage|Wochen|Monate|Jahre|Meter|Kilo|Liter|Prozent)\b)",
    re.IGNORECASE,
)
PART = re.compile(r" (?P<part>nachts|morgens|früh|vormittags|nachmittags|abends|Mitternacht|in der Nacht)\b")
MINUTES = r"(?:five|ten|twenty(?:[- ]five)?|5|10|20|25)(?: minutes)?"
AFTER = (  # behind "it is ten to eight", which otherwise may be a range of anything
    r"(?=$|[.,;:!?)\"'”’]| (?:in|at night|already|now|when|and|or|but|on|sharp|today|tonight|tomorrow|this|every|here"
    r"|there|then|so|for|with|before|after|we|I|he|she|they|you|it|the|(?-i:[A-Z]\w*))\b)"
    r"(?! in (?:extra|the final|favou?r))"
)
ENGLISH = re.compile(
    rf"(?<![\w-])(?:(?P<half>(?:a )?quarter|half) (?P<side>past|to)|(?P<past>{MINUTES}) past"
    rf"|(?:(?<=\bat )|(?<=\buntil )|(?<=\bit['’]s )|(?<=\bit is )|(?<=\bit was ))(?P<before>{MINUTES}) to)"
    rf" (?P<hour>{'|'.join(HOURS['en'])}|1[0-2]|[1-9])(?: o['’]clock)?"
    r"(?![\w:/-]|[.,]\d| ?[ap]\.? ?m\b"
    r"| (?:half|third|fourth|fifth|quarter|of|percent|hundred|thousand|million|people|times)\b)"
    rf"(?(before){AFTER})",
    re.IGNORECASE,
)


def in_german(text: str) -> Iterator[Change]:
    """The half hours of a German text: halb acht as 7:30 Uhr, fünf vor halb acht as 7:25 Uhr."""
    for match in GERMAN.finditer(text):
        size = GERMAN_SIZES.get(folded(match["size"] or "")) or int(match["size"] or 0)
        minutes = hour_of(match, HOURS["de"]) * HOUR - HOUR // 2
        minutes += -size if folded(match["side"] or "") == "vor" else size
        part = PART.match(text, match.end())
        within = of_part(match.start(), minutes % HALF_DAY, part) if part else None
        yield within or Change(*match.span(), f"{clock(minutes)} Uhr")


def of_part(start: int, minutes: int, told: re.Match[str]) -> Change | None:
    """A time before one o'clock with a word behind it that tells the part of the day, unless that is odd."""
    hour, part = minutes // HOUR, told["part"]
    night = part in ("nachts", "Mitternacht", "in der Nacht")
    if night and hour == 12:
        minutes -= HALF_DAY
    elif (night and 8 <= hour < 12) or (part == "abends" and 5 <= hour < 12) or (part == "nachmittags" and hour < 8):
        minutes += HALF_DAY
    elif part in ("nachmittags", "abends") or hour >= 12:
        return None
    digits = shown(minutes)
    return Change(start, told.end(), f"{digits} Uhr", (digits, of_twelve(minutes)))


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


def shown(minutes: int) -> str:
    """9:30."""
    return f"{minutes // HOUR}:{minutes % HOUR:02}"


def of_twelve(minutes: int) -> str:
    """A time as English has it: 10 p.m., 10:30 p.m., noon."""
    if minutes % HALF_DAY == 0:
        return "noon" if minutes == HALF_DAY else "midnight"
    hour, rest = minutes % HALF_DAY // HOUR or 12, minutes % HOUR
    return f"{hour}{f':{rest:02}' if rest else ''} {'ap'[minutes // HALF_DAY % 2]}.m."


def clock(minutes: int) -> str:
    """7:30 of so many minutes since midnight or noon; 12:30 of thirty."""
    hour, rest = divmod(minutes, HOUR)
    return f"{hour % 12 or 12}:{rest:02}"
