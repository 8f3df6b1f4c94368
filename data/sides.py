"""Sides that are in the other language of their pair: columns that were swapped, text that nobody translated.

No list of words is needed. A language has marks, words that many of its sentences have and few of the other's, as the
corpora themselves tell; where a part of them is wrong, most of them are right.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache

from data.clean import Candidate, Rule

SAMPLE = 20_000  # pairs of a corpus that are looked at
SEEN = 20  # sentences that must have a mark
COMMON = 0.002  # of a language's sentences must have it
CLEARLY = 5.0  # times as many as of the other language's
MORE = 3  # marks of the other language than of its own that a side must have to be in that
WORD = re.compile(r"[^\W\d_]{2,}|(?<![\w'’])[^\W\d_](?![\w.])")  # a letter of an abbreviation, or of "I'd", is none
SIGN = re.compile("[\u2e80-\uffff]")  # of scripts that do not part words


def parts_of(text: str) -> set[str]:
    """What may be marks: words, and the signs of scripts that do not part them."""
    words = set(WORD.findall(text.lower()))
    return words if text.isascii() else words.union(SIGN.findall(text))


def marks_of(samples: Iterable[Candidate]) -> Callable[[str, str], frozenset[str]]:
    """What tells a language from another one, given both, as some pairs have it."""
    having: dict[str, Counter[str]] = defaultdict(Counter)
    sentences = Counter[str]()
    for pair in samples:
        for language, text in zip(pair.languages, (pair.source, pair.target), strict=True):
            having[language].update(parts_of(text))
            sentences[language] += 1

    @cache
    def marks(language: str, other: str) -> frozenset[str]:
        mine, theirs = having[language], having[other]
        scale = CLEARLY * sentences[language] / max(1, sentences[other])
        least = max(SEEN, COMMON * sentences[language])
        return frozenset(part for part, count in mine.items() if count >= least and count > scale * theirs[part])

    return marks


def other_language(samples: Iterable[Candidate]) -> Rule:
    """A rule: a side has many more marks of the pair's other language than of its own.

    Args:
        samples: pairs of all corpora; each pair of languages is told apart by these.
    """
    marks = marks_of(samples)

    def wrong(pair: Candidate) -> bool:
        source, target = pair.languages
        return is_rather(pair.source, marks(target, source), marks(source, target)) or is_rather(
            pair.target, marks(source, target), marks(target, source)
        )

    return wrong


def is_rather(text: str, others: frozenset[str], own: frozenset[str]) -> bool:
    """Whether a text has clearly more of others' marks than of its own."""
    parts = parts_of(text)
    return len(parts & others) >= len(parts & own) + MORE
