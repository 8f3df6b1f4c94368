"""Pairs whose numbers become other ones, so that a network learns to carry numbers over that its text does not hold."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from data import languages
from data.numbers import YEARS
from data.placeholders import LETTER
from data.prepared import Pair

NUMERAL = rf"(?<![{LETTER}_\d.,:/-])(?P<digits>\d+(?:[.,:/-]\d+)*)(?P<ordinal>st|nd|rd|th)?(?![{LETTER}_\d]|[.,:/-]\d)"
BREAK = re.compile(r"[.,:/-]")
WRITTEN = 3  # that the weight of a pair grows by for each number in digits or time, as dates and times are few
JOINED = 0.3  # of these pairs, which another one follows, as sentences with several numbers are few

Key: TypeAlias = tuple[str, ...]  # the groups of digits of a number


class Style:
    """How a language writes numbers: in digits, in words that data.languages knows, and half hours."""

    def __init__(self, language: str) -> None:
        self.words = languages.number_words(language)
        spelled = "|".join(self.words) or r"(?!)"
        half = languages.half_hour(language)
        self.later = half.later if half else 0
        self.hours = languages.hour_words(language)
        self.names = {hour: word for word, hour in self.hours.items()}
        phrase, hours = (half.words, "|".join(self.hours)) if half else (r"(?!)", "")
        half_hour = rf"(?P<half>{phrase} )(?P<hour>1[0-2]|[1-9]|{hours})(?![\w-]|[.,:/]\d)"
        self.pattern = re.compile(rf"(?<![\w-])(?:{half_hour}|(?:{spelled})(?![\w-]))|{NUMERAL}", re.IGNORECASE)

    @classmethod
    @lru_cache
    def of(cls, language: str) -> Style:
        """The style of a language, made once."""
        return cls(language)

    def key(self, match: re.Match[str]) -> Key:
        """The groups of digits of a number; of half hours those of a clock."""
        if match["half"]:
            named = self.hours.get(languages.folded(match["hour"])) or int(match["hour"])
            return str((named - self.later - 1) % 12 + 1), "30"
        return tuple(BREAK.split(match["digits"] or str(self.words[languages.folded(match[0])])))

    def written(self, match: re.Match[str], groups: Key | None) -> str:
        """A number as it is written in a place; what stands there, if there is none."""
        if groups is None:
            return match[0]
        if match["half"]:
            hour = (int(groups[0]) + self.later - 1) % 12 + 1
            return match["half"] + (str(hour) if match["hour"].isdecimal() else self.names[hour])
        marks = [*BREAK.findall(match["digits"] or ""), ""]
        text = "".join(group + mark for group, mark in zip(groups, marks, strict=True))
        return text + (suffix(int(groups[-1])) if match["ordinal"] else "")


class Numbers(NamedTuple):
    """The numbers that stand exactly once on both sides of a pair."""

    pair: Pair
    shared: dict[Key, bool]  # whether both sides have it in digits


def renumbered(pairs: Sequence[Pair], rate: float, rng: random.Random) -> list[Pair]:
    """Put, with probability `rate`, in place of a pair some pair of the same list whose numbers are changed.

    Changed are numbers that both sides share, in digits or in words that data.languages knows; what was a word becomes
    digits. Times of day, days and years become such; some of these pairs are two.
    """
    known = [numbers for numbers in map(numbers_of, pairs) if numbers.shared] if rate else []
    if not known:
        return list(pairs)
    weights = [1 + WRITTEN * sum(len(key) > 1 or digits for key, digits in one.shared.items()) for one in known]
    places = [i for i in range(len(pairs)) if rng.random() < rate]
    drawn = iter(rng.choices(known, weights, k=2 * len(places)))
    anew = list(pairs)
    for place in places:
        anew[place] = joined(with_others(next(drawn), rng), with_others(next(drawn), rng), rng)
    return anew


def joined(first: Pair, second: Pair, rng: random.Random) -> Pair:
    """A pair, followed by another one of the same languages now and then."""
    if first.direction != second.direction or rng.random() >= JOINED:
        return first
    spaces = [" " * languages.parts_sentences_by_spaces(code) for code in first[:2]]
    source, target = (space.join(texts) for space, *texts in zip(spaces, first[2:], second[2:], strict=True))
    return first._replace(source=source, target=target)


def numbers_of(pair: Pair) -> Numbers:
    """The numbers that a pair shares."""
    left, right = found(pair.source, pair.source_language), found(pair.target, pair.target_language)
    once = [key for key, digits in left.items() if len(digits) == len(right.get(key, ())) == 1]
    return Numbers(pair, {key: left[key] == right[key] == [True] for key in once})


def found(text: str, language: str) -> dict[Key, list[bool]]:
    """For each number of a text, however it is written, whether it is in digits, every time that it stands there."""
    numbers, style = dict[Key, list[bool]](), Style.of(languages.primary(language))
    for match in style.pattern.finditer(text):
        numbers.setdefault(style.key(match), []).append(match["digits"] is not None)
    return numbers


def with_others(numbers: Numbers, rng: random.Random) -> Pair:
    """A pair with other numbers on both sides."""
    pair, table = numbers.pair, {key: other(key, digits, rng) for key, digits in numbers.shared.items()}

    def anew(text: str, language: str) -> str:
        style = Style.of(languages.primary(language))
        return style.pattern.sub(lambda match: style.written(match, table.get(style.key(match))), text)

    source, target = anew(pair.source, pair.source_language), anew(pair.target, pair.target_language)
    return pair._replace(source=source, target=target)


def suffix(number: int) -> str:
    """What follows an English ordinal number in digits."""
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def other(key: Key, digits: bool, rng: random.Random) -> Key:
    """Another number of the same kind, in groups; for one in words any small one, and half hours for half hours."""
    if not digits and len(key) == 2:
        return str(rng.randrange(1, 13)), key[1]
    if not digits:
        return (str(rng.randrange(2, rng.choice((13, 32, 100, 1000)))),)
    if len(key) == 2 and len(key[0]) <= 2 and len(key[1]) == 2 and int(key[0]) < 24 and int(key[1]) < 60:
        hour = rng.randrange(1, 13) if int(key[0]) <= 12 else rng.randrange(13, 24)
        return str(hour).zfill(len(key[0])), f"{rng.choice((rng.randrange(60), 5 * rng.randrange(12))):02}"
    return tuple(other_group(group, rng) for group in key)


def other_group(group: str, rng: random.Random) -> str:
    """Other digits: a day for a day, a year for a year, and nothing for 0 and 1, which stand in other sentences."""
    value, length = int(group), len(group)
    if value <= 1 and length == 1:
        return group
    if group[0] == "0":
        return "".join(rng.choices("0123456789", k=length))
    if value <= 31:
        return str(rng.randrange(2, 13 if value <= 12 and rng.random() < 0.5 else 32))
    if value in YEARS and rng.random() < 0.7:
        return str(rng.randrange(1800, 2051))
    return str(rng.randrange(10 ** (length - 1), 10**length))
