"""Times of day, which some languages count from noon: 10 p.m. is 22 Uhr.

A network that carries numbers over makes "10 Uhr" of the one and "22 p.m." of the other. So it reads both as 22:00,
which stands in its translation as it is, and is then written as the language has it. Only English and German are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from data.dates import AT_END, in_words
from data.languages import primary

TIME = r"\d{1,2}(?:[:.][0-5]\d(?!\d))?"
ALONE = r"(?<![\w.,:/$€£-])"
TO = r" ?[–—-] ?| (?:bis|und|oder|to|until|till|or|and) "  # between two times that may share what follows the second
ENGLISH = re.compile(
    rf"{ALONE}(?:(?P<first>{TIME})(?P<early> ?[ap](?:\. ?m\.|m\b))?(?P<to>{TO}))?"
    rf"(?P<last>{TIME})(?P<late> ?[ap](?:\. ?m\.|m\b))(?!\w| I\b)",
    re.IGNORECASE,
)
GERMAN = re.compile(
    rf"{ALONE}(?:(?P<first>{TIME})(?P<early> (?i:Uhr))?(?P<to>{TO}))?(?P<last>{TIME})(?P<late>[ -](?i:Uhr))\b",
)
SPOKEN = re.compile(rf"{ALONE}(\d{{1,2}}) ((?i:Uhr)) ([0-5]\d)(?![\w%]|[.,:]\d| ?[A-ZÄÖÜ€$%])")  # 20 Uhr 15
UNTRANSLATED = r"(?: ?(?:o['’]clock|[ap]\.m\.|[ap]m\b))?"  # that a network puts behind 22:00
OF_SENTENCE = re.compile(r"\b[a-z]+ $")  # before a time; headings have capitals there, or nothing
ONLY_TIMES = re.compile(rf"(?:{TIME}(?:{TO}))?{TIME}")
LONGEST = 30  # letters of such a word
HALF_DAY = 12 * 60

Minutes: TypeAlias = int  # since midnight


class Clock(NamedTuple):
    """A text with its times of day from 0:00 to 24:00, and its dates in words."""

    text: str
    read: Mapping[str, str] = {}  # each of these times and dates that has other words, as it stood there
    written: Mapping[str, str] = {}  # how each is to be written in the translation


def reader(source: str, target: str) -> Callable[[str], Clock] | None:
    """What rewrites the times of texts in one language for translations into the other, if their clocks differ."""
    return {("en", "de"): of_english, ("de", "en"): of_german}.get((primary(source), primary(target)))


def of_english(text: str) -> Clock:
    """10 p.m. as 22:00, to be written 22 where Uhr follows."""
    read, written = dict[str, str](), dict[str, str]()

    def anew(match: re.Match[str]) -> str:
        last = minutes(match["last"])
        first = last if match["first"] is None else minutes(match["first"])
        if not all(60 <= one < 13 * 60 for one in (first, last)):
            return match[0]
        late = of_half(last, match["late"])
        early = of_half(first, match["early"]) if match["early"] else before(first, late)
        parts = []
        for name, half, time in (("first", "early", early), ("last", "late", late)):
            if match[name] is not None:
                parts.append(shown(time))
                read[parts[-1]] = match[name] + (match[half] or "")
                if time % 60 == 0:
                    written[parts[-1]] = str(time // 60)
        sentence = OF_SENTENCE.search(text[: match.start()][-LONGEST:]) is not None
        is_end = sentence and match["late"].endswith(".") and AT_END.match(text, match.end()) is not None
        return (match["to"] or "").join(parts) + ("." if is_end else "")

    return Clock(ENGLISH.sub(anew, text), read, written)


def of_german(text: str) -> Clock:
    """22 Uhr as 22:00 Uhr, to be written 10 p.m., unless no time is after noon; 3.5.2024 as 3. Mai 2024."""
    dated, read = in_words(text)
    spelled = SPOKEN.sub(r"\1:\3 \2", dated)
    found = [match for match in GERMAN.finditer(spelled) if all(one <= 24 * 60 for one in times(match))]
    if not any(one >= 13 * 60 or one < 60 for match in found for one in times(match)):
        return Clock(dated, read)
    written = {shown(one): in_english(one) for match in found for one in times(match)}

    def anew(match: re.Match[str]) -> str:
        if any(one > 24 * 60 for one in times(match)):
            return match[0]
        *first, last = map(shown, times(match))
        return "".join([*first, match["early"] or "", match["to"] or "", last, match["late"]])

    return Clock(GERMAN.sub(anew, spelled), read, written)


def times(match: re.Match[str]) -> list[Minutes]:
    """The one or two times of a match."""
    return [minutes(match[name]) for name in ("first", "last") if match[name] is not None]


def minutes(digits: str) -> Minutes:
    """Of a time in digits: 570 of 9:30."""
    hour, _, rest = digits.replace(".", ":").partition(":")
    return int(hour) * 60 + int(rest or 0)


def shown(time: Minutes) -> str:
    """9:30."""
    return f"{time // 60}:{time % 60:02}"


def of_half(time: Minutes, half: str) -> Minutes:
    """A time before or after noon."""
    return time % HALF_DAY + (HALF_DAY if half.strip()[0] in "pP" else 0)


def before(time: Minutes, late: Minutes) -> Minutes:
    """The time of a clock of twelve hours that comes last before another one: 10 before 2 p.m. is in the morning."""
    there = late // HALF_DAY * HALF_DAY + time % HALF_DAY
    return there if there < late else (there - HALF_DAY) % (2 * HALF_DAY)


def in_english(time: Minutes) -> str:
    """10 p.m., 10:30 p.m., noon."""
    if time % HALF_DAY == 0:
        return "noon" if time == HALF_DAY else "midnight"
    hour, rest = time % HALF_DAY // 60 or 12, time % 60
    return f"{hour}{f':{rest:02}' if rest else ''} {'ap'[time // HALF_DAY % 2]}.m."


def in_place(translation: str, written: Mapping[str, str], language: str) -> str:
    """A translation with its times as the language writes them."""
    if not written:
        return translation
    some = "|".join(map(re.escape, written))
    if primary(language) == "de":
        translation += " Uhr" if ONLY_TIMES.fullmatch(translation) else ""
        behind = rf"(?=(?:(?:{TO})\d{{1,2}}:00)? Uhr)"
        return re.sub(rf"(?<![\d:.])(?:{some}){behind}", lambda match: written[match[0]], translation)
    anew = re.sub(rf"(?<![\d:.])({some})(?![\d:]){UNTRANSLATED}", lambda match: written[match[1]], translation)
    anew = re.sub(r"(?<=[ap]\.m\.)\.(?!\.)", "", anew)
    return anew[:1].upper() + anew[1:] if translation[:1].isdigit() else anew


def spread(text: str, table: Mapping[str, str]) -> str:
    """A text with other times in place of some: as many words as they take."""
    some = "|".join(map(re.escape, table))
    return re.sub(rf"(?<![\d:.])(?:{some})(?![\d:])", lambda match: table[match[0]], text) if table else text
