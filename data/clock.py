"""Times of day, which some languages count from noon: 10 p.m. is 22 Uhr. Dates in digits: see data.dates.

A network that carries numbers over makes "10 Uhr" of the one and "22 p.m." of the other. So it reads both as 22:00,
which stands in its translation as it is, and is then written as the language has it. Only English and German are known.
Numbers before a time share what follows it ("from 9 to 6 p.m.") where it is plain that they are times, too.
What people say in words, halb acht, is in data.spoken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from data import spoken
from data.dates import AT_END, Change, before_it, day_first, in_words
from data.languages import primary
from data.spoken import HALF_DAY, SIZES, of_twelve, shown

TIME = r"\d{1,2}(?:[:.][0-5]\d(?![\d:]))?"
ALONE = r"(?<![\w.:/$€£#@–—-])(?<!\d,)"
TO = r" ?[–—/-] ?|, ?| (?:bis|und|oder|u\.|to|until|till|or|and|&) "
ENGLISH_HALF = r" ?[ap](?:\. ?m\b\.?|m\b)"
ENGLISH = re.compile(rf"{ALONE}(?:{TIME}(?:{ENGLISH_HALF})?(?:{TO})){{0,9}}{TIME}{ENGLISH_HALF}(?!\w)", re.IGNORECASE)
ENGLISH_TIME = re.compile(rf"(?P<time>{TIME})(?P<mark>{ENGLISH_HALF})?", re.IGNORECASE)
GERMAN = re.compile(rf"{ALONE}(?:{TIME}(?: ?(?i:Uhr))?(?:{TO})){{0,9}}{TIME}[ -]?(?i:Uhr)\b")
GERMAN_TIME = re.compile(rf"(?P<time>{TIME})(?P<mark>[ -]?(?i:Uhr)\b)?")
DAYS = "Mon(?:days?)?|Tue(?:s|sdays?)?|Wed(?:nesdays?)?|Thu(?:rs|rsdays?)?|Fri(?:days?)?|Sat(?:urdays?)?|Sun(?:days?)?"
TAGE = "Mo(?:ntags?)?|Di(?:enstags?)?|Mi(?:ttwochs?)?|Do(?:nnerstags?)?|Fr(?:eitags?)?|Sa(?:mstags?)?|So(?:nntags?)?"
# Behind these, numbers that no mark follows are times, too, if a time follows them.
BEFORE_TIMES = re.compile(
    rf"(?:^|[(:;|]|\b(?:from|between|at|open|daily|hours|von|zwischen|ab|um|täglich|geöffnet|{DAYS}|{TAGE})\.?:?) ?$",
    re.IGNORECASE,
)
COUNTED = re.compile(  # at a quarter to 5 p.m.
    r"(?:(?P<now>\b(?:it is|it['’]s|it was|the time is) )|(?P<at>^|\bat )|[(:;,] "
    r"|\b(?:about|after|almost|around|before|by|from|nearly|since|till|until) )"
    rf"(?P<whole>(?:a )?(?P<part>{'|'.join(SIZES)}|[1-5]?\d)(?P<minutes> minutes?)?[ -](?P<side>past|after|to)"
    rf" (?P<hour>\d{{1,2}}|{'|'.join(spoken.HOURS['en'])})(?::00)?(?P<mark>{ENGLISH_HALF}))(?!\w)",
    re.IGNORECASE | re.ASCII,
)
HALF_PAST = re.compile(r"\bhalf[ -]\w+ $", re.IGNORECASE)  # which in German is half of the next hour
VERB = re.compile(r" (?:I|sure|not|happy|glad|sorry|so|very|an?|the)\b")  # behind "am"
RADIO = re.compile(r" (?:radio|stations?|transmitters?)\b")  # behind "AM"
GOES_ON = re.compile(  # what begins with a capital and no sentence behind "p.m."
    rf" (?:(?:{DAYS})\b|January|February|March|April|May|June|July|August|September|October|November|December"
    r"|[A-Z]{2,4}\b|[A-Z]\w+ time\b)"
)
SPOKEN = re.compile(  # 20 Uhr 15, and not 20 Uhr 15 Gäste or 15 junge Gäste
    rf"{ALONE}(?P<hour>\d{{1,2}}) (?P<mark>(?i:Uhr)) (?P<minute>[0-5]\d)(?=$|[.,;:!?)](?!\d)"
    r"| (?:ab|am|an|auf|aus|bei|bis|ein|im|in|los|mit|nach|oder|sein|statt|und|vor|zu|zurück"
    r"|begann|fand|fing|fuhr|ging|habe|hat|ist|kam|lief|rief|sind|traf|war|waren|werden|wird|wurden?"
    r"|(?:beginn|end|fähr|fäng|flieg|find|geh|hol|komm|land|läuf|öffn|ruf|schließ|start|steh|triff|wart)e?t"
    r"|(?:beginn|end|fahr|geh|hab|komm|könn|müss|soll|start|treff|woll)en)\b)"
)
OF_DAY = re.compile(r"mittags?\b|\babends?\b|\bnachts?\b|\bmorgens\b|\bfrüh\b", re.IGNORECASE)
OF_SENTENCE = re.compile(r"\b[a-z]+ $")  # before a time; headings have capitals there, or nothing
LONGEST = 30  # characters that are looked at before a time
UNTRANSLATED = r"(?: ?(?:o['’]clock|[ap]\.m\.|[ap]m\b))?"  # that a network puts behind 22:00
RANGE = re.compile(r"[–—-]")
ONLY_TIMES = re.compile(rf"(?:{TIME}(?:{TO}))*{TIME}")
DIGIT = re.compile(r"\d")
DAY = 2 * HALF_DAY
NOT_WITHIN = r"(?!\d|:\d)"
IN_FULL = re.compile(rf"(?<![\d:.])\d{{1,2}}:\d\d{NOT_WITHIN}")

Minutes: TypeAlias = int  # since midnight


class Clock(NamedTuple):
    """A text with its times of day from 0:00 to 24:00, and its dates in words."""

    text: str
    read: tuple[tuple[str, str], ...] = ()  # what the network reads in place of other words, and these, in their order
    written: tuple[tuple[str, str], ...] = ()  # times as the network reads them, and as the translation is to have them

    @property
    def is_changed(self) -> bool:
        """Whether the network reads something else than stands in the text."""
        return bool(self.read or self.written)


class Time(NamedTuple):
    """A time of day in a text."""

    start: int
    end: int
    minutes: Minutes
    mark: str  # what it is known by: p.m., Uhr; nothing where it shares that of another one


def reader(source: str, target: str) -> Callable[[str, Iterable[tuple[int, int]]], Clock] | None:
    """What rewrites texts in one language for translations into the other, if their clocks differ.

    It leaves some spans of a text as they are.
    """
    return {("en", "de"): of_english, ("de", "en"): of_german}.get((primary(source), primary(target)))


def may_tell(text: str) -> bool:
    """Whether a first look does not rule out that there is a time of day or a date in a text."""
    return DIGIT.search(text) is not None or spoken.MAY_SPEAK.search(text) is not None


def changed(text: str, changes: Sequence[Change], kept: Iterable[tuple[int, int]]) -> Clock:
    """A text with all changes that touch nothing which is to be kept."""
    if not changes:
        return Clock(text)
    held = list(kept)
    parts, end, read, written = list[str](), 0, list[tuple[str, str]](), list[tuple[str, str]]()
    for change in sorted(changes, key=lambda one: (one.start, -one.end)):
        if change.start < end or any(change.start < last and first < change.end for first, last in held):
            continue
        before = text[change.start : change.end]
        parts += [text[end : change.start], change.read]
        end = change.end
        if len(before.split()) != len(change.read.split()):
            read.append((change.read.rstrip("."), before))
        if change.written:
            written.append(change.written)
    anew = "".join([*parts, text[end:]])
    there, own = Counter(IN_FULL.findall(anew)), Counter(time for time, _ in written)
    return Clock(anew, tuple(read), tuple(pair for pair in written if own[pair[0]] == there[pair[0]]))


def of_english(text: str, kept: Iterable[tuple[int, int]] = ()) -> Clock:
    """10 p.m. as 22:00, to be written 22 where Uhr follows; half past ten as 10:30; 12/24/2023 as 24.12.2023."""
    return changed(text, [*day_first(text), *counted(text), *spoken.in_english(text), *english(text)], kept)


def counted(text: str) -> Iterator[Change]:
    """The times of an English text that are counted from an hour."""
    for match in COUNTED.finditer(text):
        part, side = match["part"].lower(), match["side"].lower()
        hour = spoken.hour_of(match, spoken.HOURS["en"])
        if is_counted(match, part, side) and 1 <= hour <= 12:
            size = SIZES[part] if part in SIZES else int(part)
            there = of_half(60 * hour, match["mark"]) + (-size if side == "to" else size)
            time = Time(*match.span("whole"), there % DAY, match["mark"])
            yield Change(time.start, time.end, shown(time.minutes) + stop_of(text, time))


def is_counted(match: re.Match[str], part: str, side: str) -> bool:
    """Whether minutes and an hour are one time; "open 5 to 6 p.m." and "20 minutes after 6 p.m." are more than that."""
    if part in ("half", "quarter"):
        return part == "quarter" or side == "past"
    if side == "to" and not match["minutes"]:
        return match["now"] is not None and part in (*SIZES, "5", "10", "20", "25")
    return side != "after" and (match["now"] is not None or match["at"] is not None)


def english(text: str) -> Iterator[Change]:
    """The times of an English text."""
    for match in ENGLISH.finditer(text):
        before = before_it(text, match.start(), LONGEST)
        times = [] if HALF_PAST.search(before) else in_chain(match, ENGLISH_TIME, before)
        if not all(60 <= time.minutes < 13 * 60 for time in times) or is_no_time(match):
            continue
        later: Minutes | None = None
        for time in reversed(times):
            later = of_half(time.minutes, time.mark) if later is None or time.mark else earlier(time.minutes, later)
            written = (shown(later), str(later // 60)) if later % 60 == 0 else None
            yield Change(time.start, time.end, shown(later) + stop_of(text, time), written)


def is_no_time(match: re.Match[str]) -> bool:
    """Whether what looks like a time is "3 am I" or "10 AM radio"."""
    text, end = match.string, match.end()
    return (match[0].endswith(" am") and VERB.match(text, end) is not None) or RADIO.match(text, end) is not None


def in_chain(match: re.Match[str], pattern: re.Pattern[str], before: str) -> list[Time]:
    """The times of a chain; those without a mark, only where what stands before tells that they are times."""
    found = [
        Time(match.start() + one.start(), match.start() + one.end(), minutes(one["time"]), one["mark"] or "")
        for one in pattern.finditer(match[0])
    ]
    first = next(i for i, time in enumerate(found) if time.mark)
    with_minutes = all(":" in match.string[time.start : time.end] for time in found[:first])
    if with_minutes or BEFORE_TIMES.search(before):
        return found
    while first and RANGE.fullmatch(match.string, found[first - 1].end, found[first].start):
        first -= 1
    return found[first:]


def stop_of(text: str, time: Time) -> str:
    """What is left of "p.m." where its period ends a sentence, too."""
    return "." if time.mark.endswith(".") and ends_sentence(text, time) else ""


def ends_sentence(text: str, time: Time) -> bool:
    """Whether the period of "p.m." is that of a sentence, too."""
    if AT_END.match(text, time.end):
        return OF_SENTENCE.search(before_it(text, time.start, LONGEST)) is not None
    return re.match(r" [A-Z]", text[time.end :][:2]) is not None and GOES_ON.match(text, time.end) is None


def of_german(text: str, kept: Iterable[tuple[int, int]] = ()) -> Clock:
    """22 Uhr as 22:00 Uhr, to be written 10 p.m., if some time is after noon; halb 8 as 7:30 Uhr; 3.5. as 3. Mai."""
    with_minutes = [
        Time(*one.span(), minutes(f"{one['hour']}:{one['minute']}"), one["mark"]) for one in SPOKEN.finditer(text)
    ]
    chains = [in_chain(match, GERMAN_TIME, before_it(text, match.start(), LONGEST)) for match in GERMAN.finditer(text)]
    times = [time for time in (*with_minutes, *(time for chain in chains for time in chain)) if time.minutes <= 24 * 60]
    late = [time for time in times if time.minutes >= 13 * 60 or time.minutes < 60]
    dotted = any("." in text[time.start : time.end] for time in times)  # which 9.30 o'clock is not
    some = late if OF_DAY.search(text) or not (late or dotted) else times
    return changed(text, [*in_words(text), *spoken.in_german(text), *told(text, times), *map(in_full, some)], kept)


def told(text: str, times: Iterable[Time]) -> Iterator[Change]:
    """Those times of a German text that a word behind them tells the part of the day of."""
    for time in times:
        part = spoken.PART.match(text, time.end) if time.mark and time.minutes < 13 * 60 else None
        if part and (change := spoken.of_part(time.start, time.minutes, part)):
            yield change


def in_full(time: Time) -> Change:
    """A time of a German text: 22:00 Uhr."""
    gap = "" if time.mark[:1] in ("", " ", "-") else " "
    digits = shown(time.minutes)
    return Change(time.start, time.end, f"{digits}{gap}{time.mark}", (digits, of_twelve(time.minutes)))


def minutes(digits: str) -> Minutes:
    """Of a time in digits: 570 of 9:30."""
    hour, _, rest = digits.replace(".", ":").partition(":")
    return int(hour) * 60 + int(rest or 0)


def of_half(time: Minutes, mark: str) -> Minutes:
    """A time before or after noon, as a.m. or p.m. says."""
    return time % HALF_DAY + (HALF_DAY if mark.strip()[:1] in ("p", "P") else 0)


def earlier(time: Minutes, later: Minutes) -> Minutes:
    """The time of a clock of twelve hours that comes last before another one: 10 before 2 p.m. is in the morning."""
    there = later // HALF_DAY * HALF_DAY + time % HALF_DAY
    return there if there < later else (there - HALF_DAY) % DAY


def rendered_times(translation: str, clock: Clock, language: str) -> str:
    """A translation with its times as the language writes them."""
    if not clock.is_changed:
        return translation
    written = dict(clock.written)
    if primary(language) == "de":
        translation += " Uhr" if ONLY_TIMES.fullmatch(translation) else ""
        behind = rf"(?=(?:(?:{TO})\d{{1,2}}:00)* Uhr)"
        return re.sub(any_of(written) + behind, lambda match: written[match[0]], translation)
    anew = re.sub(f"({any_of(written)}){UNTRANSLATED}", lambda match: written[match[1]], translation)
    anew = re.sub(r"(?<=[ap]\.m\.)\.(?!\.)", "", anew)
    return anew[:1].upper() + anew[1:] if translation[:1].isdigit() else anew


def any_of(times: Iterable[str]) -> str:
    """The pattern of some times, wherever they are not part of something longer."""
    return rf"(?<![\d:.])(?:{'|'.join(map(re.escape, times)) or '(?!)'}){NOT_WITHIN}"


def phrases(clock: Clock, language: str) -> list[tuple[str, str]]:
    """What stands in a network's translation, and what is written in its place, where that may be of other words."""
    behind = " Uhr" if primary(language) == "de" else ""
    return [(time + behind, written + behind) for time, written in clock.written]
