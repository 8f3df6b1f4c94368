"""Line search and tuning against brute force: every place, a fine grid, every choice."""

from __future__ import annotations

import itertools
import random

import numpy
import pytest
from sacrebleu.metrics.bleu import BLEU

from training.mert import (
    Array,
    Table,
    best,
    changes_along,
    make_table,
    oracle,
    score_of,
    search_line,
    starts_of,
    statistics_of,
    tune,
)

METRIC = BLEU()
WORDS = ["a", "b", "c", "d", "e", "f"]


def bleu(statistics: list[int]) -> float:
    return float(METRIC._compute_score_from_stats(statistics).score)


def made(seed: int, sentences: int = 8, most: int = 6, features: int = 3) -> Table:
    """Lists of different lengths; the first feature tells something of how good a hypothesis is."""
    rng = random.Random(seed)
    rows, counts = list[list[list[float]]](), list[list[list[int]]]()
    for _ in range(sentences):
        reference = rng.choices(WORDS, k=rng.randint(4, 9))
        texts = [[word if rng.random() < 0.8 else rng.choice(WORDS) for word in reference] for _ in range(most)]
        texts = [text[: rng.randint(3, 9)] for text in texts[: rng.randint(1, most)]]
        (known,) = METRIC._cache_references([[" ".join(reference)]])
        counts.append([METRIC._compute_segment_statistics(" ".join(text), known) for text in texts])
        rows.append(
            [[sum(one[2:6]) + rng.gauss(0, 4), *(rng.gauss(0, 1) for _ in range(features - 1))] for one in counts[-1]]
        )
    return make_table(rows, counts)


def direct(table: Table, weights: Array) -> list[int]:
    """The best hypothesis of each sentence, one at a time."""
    return [
        max(numpy.flatnonzero(real), key=lambda index: (float(rows[index] @ weights), -index))
        for rows, real in zip(table.feature_NKF, table.real_NK, strict=True)
    ]


def all_points(table: Table, weights: Array, direction: Array) -> list[float]:
    """A point between any two neighbouring crossings of any two lines of a sentence, and beyond all."""
    crossings = []
    for rows, real in zip(table.feature_NKF, table.real_NK, strict=True):
        lines = [(float(row @ weights), float(row @ direction)) for row in rows[real]]
        for (one, slope), (other, steeper) in itertools.combinations(lines, 2):
            if slope != steeper:
                crossings.append((one - other) / (steeper - slope))
    ordered = sorted(crossings)
    return [ordered[0] - 1, *((low + high) / 2 for low, high in itertools.pairwise(ordered)), ordered[-1] + 1]


@pytest.mark.parametrize("seed", range(8))
def test_a_line_is_searched_exactly(seed: int) -> None:
    table, generator = made(seed), numpy.random.default_rng(seed)
    weights, direction = generator.normal(size=3), generator.normal(size=3)
    found = search_line(table, weights, direction, bleu)
    points = [weights + point * direction for point in all_points(table, weights, direction)]
    expected = max(bleu(statistics_of(table, numpy.array(direct(table, one))).tolist()) for one in points)
    assert found.score == pytest.approx(expected)
    assert score_of(table, found.weight_F, bleu) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_envelopes_tell_the_best_hypothesis_everywhere(seed: int) -> None:
    table, generator = made(seed), numpy.random.default_rng(seed)
    weights, direction = generator.normal(size=3), generator.normal(size=3)
    changes = changes_along(table, weights, direction)
    for point in generator.normal(0, 3, 50):
        chosen = changes.first_N.copy()
        for place, sentence, before, after in zip(*changes[1:], strict=True):
            if place < point:
                assert chosen[sentence] == before
                chosen[sentence] = after
        assert chosen.tolist() == direct(table, weights + point * direction)


@pytest.mark.parametrize("seed", range(4))
def test_two_weights_are_tuned_as_well_as_by_a_fine_grid(seed: int) -> None:
    table = made(seed, features=2)
    angles = numpy.linspace(0, 2 * numpy.pi, 1000)
    grid = max(score_of(table, numpy.array([numpy.cos(one), numpy.sin(one)]), bleu) for one in angles)
    found = tune(table, starts_of(table, []), bleu)
    assert found.score >= grid - 1e-9
    assert found.score == pytest.approx(score_of(table, found.weight_F, bleu))
    assert numpy.abs(found.weight_F).sum() == pytest.approx(1)


def test_tuning_gains_and_never_loses() -> None:
    gains = []
    for seed in range(5):
        table, start = made(seed, sentences=15), numpy.array([0.1, 1.0, 0.0])
        gains.append(tune(table, [start], bleu).score - score_of(table, start, bleu))
    assert min(gains) >= 0
    assert max(gains) > 2


def test_tuning_repeats() -> None:
    table = made(3)
    first, second = (tune(table, starts_of(table, []), bleu) for _ in range(2))
    assert first.weight_F.tolist() == second.weight_F.tolist()


def test_features_that_tell_nothing_apart_are_left_alone() -> None:
    table = made(1)
    flat = table._replace(feature_NKF=numpy.ones_like(table.feature_NKF))
    start = numpy.array([0.5, 0.5, 0.0])
    assert tune(flat, starts_of(flat, [start]), bleu).weight_F.tolist() == start.tolist()
    assert best(flat, start).tolist() == [0] * len(flat.real_NK)


def test_padding_is_never_chosen() -> None:
    table = make_table(
        [[[-5.0], [-4.0]], [[-9.0]]], [[[3, 3, 1, 0, 0, 0, 3, 2, 1, 0]] * 2, [[2, 3, 2, 1, 0, 0, 2, 1, 0, 0]]]
    )
    assert best(table, numpy.array([1.0])).tolist() == [1, 0]
    assert best(table, numpy.array([-1.0])).tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_the_oracle_lies_between_the_list_and_the_best_of_all_choices(seed: int) -> None:
    table, weights = made(seed, sentences=5, most=4), numpy.array([1.0, 0.0, 0.0])
    choices = itertools.product(*(numpy.flatnonzero(real) for real in table.real_NK))
    highest = max(bleu(statistics_of(table, numpy.array(choice)).tolist()) for choice in choices)
    found = oracle(table, weights, bleu)
    assert score_of(table, weights, bleu) <= found <= highest + 1e-9
    assert found > 0.97 * highest
