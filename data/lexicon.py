"""Which target ids translate which source ids, learned from pairs of sentences: IBM's first model (Brown et al. 1993).

Legend: L links between the source ids and the target ids of some pairs, T target ids of them, N links that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

Pair = tuple[Sequence[int], Sequence[int]]

ROUNDS = 5  # of expectation maximisation; probabilities hardly change their order after them
LINKS = 20_000_000  # that are learned from at once: some 600 MB
LEAST = 0.02  # times that ids translate each other in a part, below which it is forgotten where there are more parts


class Counts(NamedTuple):
    """How often each source id is translated with each target id, as far as one can tell."""

    key_N: NDArray[Any]  # source id * vocabulary + target id, ascending
    count_N: NDArray[Any]


class Lexicon(NamedTuple):
    """Translations of ids."""

    source_N: NDArray[Any]
    target_N: NDArray[Any]
    probability_N: NDArray[Any]  # of the target id given the source id


def parts(pairs: Sequence[Pair], links: int = LINKS) -> list[Sequence[Pair]]:
    """Pairs dealt out to as few parts as have about so many links each, from all over the text."""
    total = sum(len(source) * len(target) for source, target in pairs)
    count = -(-total // links)
    return [pairs[start::count] for start in range(min(count, len(pairs)))]


def learn(pairs: Sequence[Pair], vocabulary: int) -> Lexicon:
    """The probability of each target id given each source id that it stands beside.

    A text of many parts is learned part by part, which needs the memory of one, and what was counted is added up.

    Args:
        pairs: source ids (tag and eos among them, which take what belongs to no word) and target ids, eos among them.
        vocabulary: how many ids there are.
    """
    return lexicon_of(reduce(added, (counts(part, vocabulary) for part in parts(pairs))), vocabulary)


def counts(pairs: Sequence[Pair], vocabulary: int) -> Counts:
    """What pairs tell; Args as of `learn`."""
    source_L = numpy.concatenate([numpy.tile(source, len(target)) for source, target in pairs])
    target_L = numpy.concatenate([numpy.repeat(target, len(source)) for source, target in pairs])
    width_T = numpy.concatenate([numpy.full(len(target), len(source)) for source, target in pairs])
    place_L = numpy.repeat(numpy.arange(len(width_T)), width_T)
    key_N, link_L = numpy.unique(source_L.astype(numpy.int64) * vocabulary + target_L, return_inverse=True)
    source_N = key_N // vocabulary
    probability_N = numpy.ones(len(key_N))
    for _ in range(ROUNDS):
        share_L = probability_N[link_L]
        share_L /= numpy.bincount(place_L, share_L)[place_L]
        count_N = numpy.bincount(link_L, share_L)
        probability_N = count_N / numpy.bincount(source_N, count_N)[source_N]
    return Counts(key_N, count_N)


def added(some: Counts, more: Counts) -> Counts:
    """What two parts tell together."""
    often_N = more.count_N >= LEAST
    key_N, place_N = numpy.unique(numpy.concatenate([some.key_N, more.key_N[often_N]]), return_inverse=True)
    return Counts(key_N, numpy.bincount(place_N, numpy.concatenate([some.count_N, more.count_N[often_N]])))


def lexicon_of(found: Counts, vocabulary: int) -> Lexicon:
    """Probabilities from counts."""
    source_N = found.key_N // vocabulary
    probability_N = found.count_N / numpy.bincount(source_N, found.count_N)[source_N]
    return Lexicon(source_N, found.key_N % vocabulary, probability_N)
