"""Searches that are told how to begin: against exhaustive search and teacher forcing."""

from __future__ import annotations

import random

import pytest
import torch
from test_search import SOURCES, SPECIALS, exhaustive, log_probability
from test_search import network as network  # a fixture

from models.hypotheses import Hypothesis, SearchOptions
from models.search import BeamSearch
from models.seq2seq import Seq2Seq

PREFIXES = [[5], [], [4, 4], [6, 5, 4, 6], [5, 6]]


def search_for(
    network: Seq2Seq, options: SearchOptions, prefixes: list[list[int]], order: list[int]
) -> list[list[Hypothesis]]:
    """All sources, joining one after the other in some order, a step between them."""
    search, results = BeamSearch(network, options, SPECIALS), {}
    for index in order:
        search.add([index], [SOURCES[index]], [prefixes[index]])
        results.update(search.step())
    while len(search):
        results.update(search.step())
    return [results[index] for index in range(len(SOURCES))]


@torch.no_grad()
def test_it_finds_the_best_of_all_that_begin_so(network: Seq2Seq) -> None:
    options = SearchOptions(beam=120, n_best=3, max_length=6)
    found = search_for(network, options, PREFIXES, [0, 1, 2, 3, 4])
    for source, prefix, hypotheses in zip(SOURCES, PREFIXES, found, strict=True):
        everything = exhaustive(network, source, 5, 1.0)
        expected = [(score, words) for score, words in everything if list(words[: len(prefix)]) == prefix][:3]
        assert [one.tokens for one in hypotheses] == [words for _, words in expected]
        for one, (score, _) in zip(hypotheses, expected, strict=True):
            assert one.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 3])
def test_what_it_finds_does_not_depend_on_who_shares_the_batch(network: Seq2Seq, beam: int) -> None:
    options, orders = SearchOptions(beam, beam, alignments=True), [list(range(5)) for _ in range(4)]
    for seed, order in enumerate(orders):
        random.Random(seed).shuffle(order)
    first, *others = (search_for(network, options, PREFIXES, order) for order in orders)
    assert all([one.tokens for one in row] == [one.tokens for one in same] for other in others
               for row, same in zip(other, first, strict=True))  # fmt: skip
    assert all(
        list(one.tokens[: len(prefix)]) == prefix for row, prefix in zip(first, PREFIXES, strict=True) for one in row
    )
    assert all(len(one.alignment or ()) == len(one.tokens) + one.complete for row in first for one in row)


@torch.no_grad()
def test_a_whole_translation_is_only_scored(network: Seq2Seq) -> None:
    words = [[4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6], [], [6], [5, 5], [4]]
    options = SearchOptions(1, max_length=4)  # which is no bound for what was asked for
    found = search_for(network, options, [[*row, SPECIALS.eos] for row in words], [3, 1, 0, 2, 4])
    for source, row, (one,) in zip(SOURCES, words, found, strict=True):
        assert (one.tokens, one.complete) == (tuple(row), True)
        assert one.log_probability == pytest.approx(log_probability(network, source, tuple(row)), abs=1e-4)


def test_a_word_that_is_never_produced_gives_an_empty_list(network: Seq2Seq) -> None:
    found = search_for(network, SearchOptions(3), [[4], [1], [5, 2, 4], [], [6]], [0, 1, 2, 3, 4])
    assert [bool(one) for one in found] == [True, False, False, True, True]
