"""Pairs in which a word and its translation become symbols, as the terms of a glossary will, capitals, emphasised, or
all that there is.

Which words translate each other, the pairs themselves tell: see data.lexicon.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from data.languages import turned
from data.lexicon import Lexicon, learn, parts
from data.prepared import Pair

WORD = re.compile(r"(?<![\w'’./@-])[^\W\d_]{2,}(?![\w'’/@-]|\.\w)")
OFTEN = 0.01  # of the sentences, above which a word is one of grammar
SELDOM = 3  # sentences, below which nothing can be learned about a word
LIKELY = 0.25  # how probable a word and its translation must be given each other
SECOND = 0.3  # of the pairs with a term, which get another one
WHOLE = 0.5  # of the pairs in capitals, in which all words are
ALL = 0.25  # of the pairs with marks of emphasis, in which they stand around all words
EMPHASES = (("**", "**"), ("*", "*"), ("_", "_"), ("__", "__"), ("(", ")"), ("[", "]"))
LINK = 0.25  # of the pairs with marks of emphasis, in which these make a link: [word](address)
CAPITAL = 4.0  # times as likely are words with a capital on either side, as German nouns and names are

Table = dict[str, set[str]]  # words, and which they are translated with, in small letters


class Terms:
    """Which words translate each other in some pairs."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        groups: dict[str, list[Pair]] = {}
        for pair in pairs:
            group = groups.get(turned(pair.direction))
            groups.setdefault(pair.direction, []).append(pair) if group is None else group.append(pair.swapped())
        self._tables = {direction: translated(group) for direction, group in groups.items()}
        for direction, table in list(self._tables.items()):
            self._tables[turned(direction)] = reversed_table(table)

    def of(self, pair: Pair) -> list[tuple[str, str]]:
        """The words of a pair that stand once on their side, with their only translation on the other one."""
        table, right = self._tables.get(pair.direction, {}), Counter(WORD.findall(pair.target))
        found = []
        for word, count in Counter(WORD.findall(pair.source)).items():
            others = table.get(word.lower(), ())
            matches = [other for other in right if other.lower() in others] if others else []
            if count == 1 and len(matches) == 1 and right[matches[0]] == 1:
                found.append((word, matches[0]))
        once = Counter(other for _, other in found)
        return [one for one in found if once[one[1]] == 1]


def with_terms(
    pairs: Sequence[Pair], terms: Terms, rate: float, symbols: Sequence[str], rng: random.Random
) -> list[Pair]:
    """With probability `rate`, put a symbol in place of one word of a pair, or of two, and of what translates it."""
    if not rate or not symbols:
        return list(pairs)
    return [with_symbols(pair, terms.of(pair), symbols, rng) if rng.random() < rate else pair for pair in pairs]


def with_words(pairs: Sequence[Pair], terms: Terms, rate: float, rng: random.Random) -> list[Pair]:
    """With probability `rate`, put a word of a pair and what translates it in the pair's place."""
    if not rate:
        return list(pairs)
    return [word_of(pair, terms.of(pair), rng) if rng.random() < rate else pair for pair in pairs]


def word_of(pair: Pair, found: Sequence[tuple[str, str]], rng: random.Random) -> Pair:
    """One of the terms that were found in a pair in its place, but none that may owe its capital to its place."""
    within = [both for both in found if not any(map(str.startswith, pair[2:], both))]
    if not within:
        return pair
    source, target = rng.choice(within)
    return pair._replace(source=source, target=target)


def with_capitals(pairs: Sequence[Pair], terms: Terms, rate: float, rng: random.Random) -> list[Pair]:
    """With probability `rate`, put a pair into capitals, or a word of it and what translates it."""
    if not rate:
        return list(pairs)
    return [in_capitals(pair, terms.of(pair), rng) if rng.random() < rate else pair for pair in pairs]


def in_capitals(pair: Pair, found: Sequence[tuple[str, str]], rng: random.Random) -> Pair:
    """A pair in capitals, or with capitals for one of the terms that were found in it, if both languages have any."""
    if any(text.upper() == text.lower() for text in pair[2:]):
        return pair
    return changed(pair, found, WHOLE, str.upper, rng)


def changed(
    pair: Pair, found: Sequence[tuple[str, str]], whole: float, change: Callable[[str], str], rng: random.Random
) -> Pair:
    """A pair with one of its terms changed on both sides or, with probability `whole` and without terms, all of it."""
    if not found or rng.random() < whole:
        return pair._replace(source=change(pair.source), target=change(pair.target))
    word, other = rng.choice(found)
    source, target = put({word: change(word)}, pair.source), put({other: change(other)}, pair.target)
    return pair._replace(source=source, target=target)


def with_emphasis(
    pairs: Sequence[Pair], terms: Terms, rate: float, symbols: Sequence[str], rng: random.Random
) -> list[Pair]:
    """With probability `rate`, put marks of emphasis around a word of a pair and what translates it, or around all."""
    if not rate:
        return list(pairs)
    return [emphasised(pair, terms.of(pair), symbols, rng) if rng.random() < rate else pair for pair in pairs]


def emphasised(pair: Pair, found: Sequence[tuple[str, str]], symbols: Sequence[str], rng: random.Random) -> Pair:
    """A pair with the same marks on both sides; a symbol stands for the address of a link."""
    left, right = rng.choice(EMPHASES)
    free = [symbol for symbol in symbols if symbol not in pair.source + pair.target]
    if free and rng.random() < LINK:
        left, right = "[", f"]({rng.choice(free)})"
    return changed(pair, found, ALL, lambda text: left + text + right, rng)


def with_symbols(pair: Pair, found: Sequence[tuple[str, str]], symbols: Sequence[str], rng: random.Random) -> Pair:
    """A pair with symbols in place of one or two of the terms that were found in it."""
    count = min(2 if rng.random() < SECOND else 1, len(found), len(symbols))
    if not count:
        return pair
    chosen = list(zip(preferred(found, count, rng), rng.sample(symbols, count), strict=True))
    left = {word: symbol for (word, _), symbol in chosen}
    right = {word: symbol for (_, word), symbol in chosen}
    return pair._replace(source=put(left, pair.source), target=put(right, pair.target))


def preferred(found: Sequence[tuple[str, str]], count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Draw some, by weights and without replacement (Efraimidis and Spirakis 2006)."""
    weights = [CAPITAL if any(word[0].isupper() for word in one) else 1.0 for one in found]
    keys = {one: rng.random() ** (1 / weight) for one, weight in zip(found, weights, strict=True)}
    return sorted(found, key=lambda one: keys[one], reverse=True)[:count]


def put(table: Mapping[str, str], text: str) -> str:
    """A text with other words in place of some."""
    return WORD.sub(lambda match: table.get(match[0], match[0]), text) if table else text


def translated(pairs: Sequence[Pair]) -> Table:
    """Which words of the source are likely translated with which of the target, and the other way around."""
    sides = [[[word.lower() for word in WORD.findall(text)] for text in pair[2:]] for pair in pairs]
    left, right = (numbered([side[i] for side in sides]) for i in (0, 1))
    ids = [([left[w] for w in a if w in left], [right[w] for w in b if w in right]) for a, b in sides]
    filled = [one for one in ids if all(one)]
    if not filled:
        return {}
    some, size = parts(filled)[0], max(len(left), len(right))
    forth = set(likely(learn(some, size)))
    back = {(source, target) for target, source in likely(learn([(b, a) for a, b in some], size))}
    words, others = list(left), list(right)
    table: Table = {}
    for source, target in forth & back:
        table.setdefault(words[source], set()).add(others[target])
    return table


def reversed_table(table: Table) -> Table:
    """The same in the other direction."""
    found: Table = {}
    for word, others in table.items():
        for other in others:
            found.setdefault(other, set()).add(word)
    return found


def numbered(sentences: Sequence[Sequence[str]]) -> dict[str, int]:
    """The words that are neither of grammar nor too rare, with a number each."""
    counts = Counter(chain.from_iterable(map(set, sentences)))
    kept = [word for word, count in counts.items() if SELDOM <= count <= max(SELDOM, OFTEN * len(sentences))]
    return {word: number for number, word in enumerate(sorted(kept))}


def likely(lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """The pairs of words that are probable enough."""
    chosen_N = lexicon.probability_N >= LIKELY
    yield from zip(lexicon.source_N[chosen_N].tolist(), lexicon.target_N[chosen_N].tolist(), strict=True)
