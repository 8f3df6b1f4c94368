"""Which target ids translate which source ids, learned from pairs of sentences: IBM's first model (Brown et al. 1993).

Legend: L links between the source ids and the target ids of a pair, T target ids of all pairs, N links that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

Pair = tuple[Sequence[int], Sequence[int]]

ROUNDS = 5  # of expectation maximisation; probabilities hardly change their order after them
LINKS = 20_000_000  # that are learned from at once: some 600 MB


class Lexicon(NamedTuple):
    """Translations of ids."""

    source_N: NDArray[Any]
    target_N: NDArray[Any]
    probability_N: NDArray[Any]  # of the target id given the source id


def within(pairs: Sequence[Pair], links: int = LINKS) -> list[Pair]:
    """As many of the pairs as have no more links together, from all over the text."""
    total = sum(len(source) * len(target) for source, target in pairs)
    step = max(1.0, total / links)
    return [pairs[int(index * step)] for index in range(int(len(pairs) / step))]


def learn(pairs: Sequence[Pair], vocabulary: int) -> Lexicon:
    """The probability of each target id given each source id that it stands beside.

    Args:
        pairs: source ids (tag and eos among them, which take what belongs to no word) and target ids, eos among them.
        vocabulary: how many ids there are.
    """
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
    return Lexicon(source_N, key_N % vocabulary, probability_N)
