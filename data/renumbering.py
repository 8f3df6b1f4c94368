"""Pairs whose numbers become other ones, so that a network learns to carry numbers over that its text does not hold."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from data.languages import number_words, primary
from data.placeholders import LETTER
from data.prepared import Pair

NUMERAL = rf"(?<![{LETTER}_\d.,:/-])(?P<digits>\d+(?:[.,:/-]\d+)*)(?P<ordinal>st|nd|rd|th)?(?![{LETTER}_\d]|[.,:/-]\d)"
BREAK = re.compile(r"[.,:/-]")
WRITTEN = 3  # that the weight of a pair grows by for each number in digits, as dates and times are few
JOINED = 0.3  # of these pairs, which another one follows, as sentences with several numbers are few
YEARS = range(1000, 2101)

Key: TypeAlias = tuple[str, ...]  # the groups of digits of a number


class Numbers(NamedTuple):
    """The numbers that stand exactly once on both sides of a pair."""

    pair: Pair
    shared: dict[Key, bool]  # whether both sides have it in digits


def renumbered(pairs: Sequence[Pair], rate: float, rng: random.Random) -> list[Pair]:
    """Put, with probability `rate`, in place of a pair some pair of the same list whose numbers are changed.

    Changed are numbers that both sides share, in digits or in words that data.languages knows; what was a word becomes
    digits. Times of day, days and years become such; some of these pairs are two.
    """
    known = [numbers for pair in pairs if rate for numbers in [numbers_of(pair)] if numbers.shared]
    if not known:
        return list(pairs)
    weights = [1 + WRITTEN * sum(numbers.shared.values()) for numbers in known]
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
    return first._replace(source=f"{first.source} {second.source}", target=f"{first.target} {second.target}")


def numbers_of(pair: Pair) -> Numbers:
    """The numbers that a pair shares."""
    left, right = found(pair.source, pair.source_language), found(pair.target, pair.target_language)
    once = [key for key, digits in left.items() if len(digits) == len(right.get(key, ())) == 1]
    return Numbers(pair, {key: left[key] == right[key] == [True] for key in once})


def found(text: str, language: str) -> dict[Key, list[bool]]:
    """For each number of a text, however it is written, whether it is in digits, every time that it stands there."""
    numbers = dict[Key, list[bool]]()
    pattern, words = pattern_of(primary(language))
    for match in pattern.finditer(text):
        numbers.setdefault(key_of(match, words), []).append(match["digits"] is not None)
    return numbers


def key_of(match: re.Match[str], words: Mapping[str, int]) -> Key:
    """The groups of digits of a number."""
    return tuple(BREAK.split(match["digits"] or str(words[match[0].lower()])))


@lru_cache
def pattern_of(language: str) -> tuple[re.Pattern[str], Mapping[str, int]]:
    """What finds the numbers of a language, and what its words mean."""
    words = number_words(language)
    spelled = "|".join(words) or r"(?!)"
    return re.compile(rf"{NUMERAL}|(?<![\w-])(?:{spelled})(?![\w-])", re.IGNORECASE), words


def with_others(numbers: Numbers, rng: random.Random) -> Pair:
    """A pair with other numbers on both sides."""
    pair, table = numbers.pair, {key: other(key, digits, rng) for key, digits in numbers.shared.items()}

    def anew(text: str, language: str) -> str:
        pattern, words = pattern_of(primary(language))
        return pattern.sub(replacement(table, words), text)

    source, target = anew(pair.source, pair.source_language), anew(pair.target, pair.target_language)
    return pair._replace(source=source, target=target)


def replacement(table: Mapping[Key, Key], words: Mapping[str, int]) -> Callable[[re.Match[str]], str]:
    """What writes a number of the table with the marks that stood between its groups."""

    def write(match: re.Match[str]) -> str:
        groups = table.get(key_of(match, words))
        if groups is None:
            return match[0]
        marks = [*BREAK.findall(match["digits"] or ""), ""]
        text = "".join(group + mark for group, mark in zip(groups, marks, strict=True))
        return text + (suffix(int(text)) if match["ordinal"] else "")

    return write


def suffix(number: int) -> str:
    """What follows an English ordinal number in digits."""
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def other(key: Key, digits: bool, rng: random.Random) -> Key:
    """Another number of the same kind, in groups; for one in words any small one."""
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
