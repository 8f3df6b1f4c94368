"""Minimum error rate training (Och 2003): weights of features whose best hypotheses have the highest corpus score.

Legend: N sentences, K hypotheses of a sentence, F features, X statistics of a corpus score, R sentences still on
their way, E places on a line where the best hypothesis of a sentence changes, C stretches between them, S starts.

Along a line through the space of weights, a hypothesis' total is a straight line, and the best one of a sentence is
the upper envelope of its hypotheses' lines. Between two places where any sentence's best changes the corpus score is
constant, so a line is searched exactly by walking from place to place and adding what changes to the statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Score: TypeAlias = Callable[[list[int]], float]  # of statistics that were summed over a corpus

RESTARTS = 8  # random points to start from, beside the given ones
SEED = 1
GAP = 1e-9  # relative; a stretch shorter than this is not entered
BEYOND = 0.1  # relative; how far a step goes into a stretch without an end


class Table(NamedTuple):
    """Lists as arrays, padded on the right."""

    feature_NKF: Array
    statistic_NKX: Array  # integers
    real_NK: Array  # false at padding; each sentence has at least one hypothesis


class Found(NamedTuple):
    """Weights and the corpus score of what they prefer."""

    weight_F: Array
    score: float


class Changes(NamedTuple):
    """Upper envelopes of all sentences, sorted by place."""

    first_N: Array  # the best hypotheses before any change
    place_E: Array
    sentence_E: Array
    before_E: Array
    after_E: Array


def make_table(features: Sequence[Sequence[Sequence[float]]], statistics: Sequence[Sequence[Sequence[int]]]) -> Table:
    """Arrays from a list of features and one of statistics for each hypothesis of each sentence."""
    size = max(map(len, features))
    real_NK = numpy.arange(size) < numpy.array([len(one) for one in features])[:, None]
    feature_NKF = numpy.zeros((*real_NK.shape, len(features[0][0])))
    statistic_NKX = numpy.zeros((*real_NK.shape, len(statistics[0][0])), numpy.int64)
    feature_NKF[real_NK] = [one for sentence in features for one in sentence]
    statistic_NKX[real_NK] = [one for sentence in statistics for one in sentence]
    return Table(feature_NKF, statistic_NKX, real_NK)


def best(table: Table, weight_F: Array) -> Array:
    """The hypothesis [N] of each sentence with the highest total; the first of equals."""
    chosen_N: Array = numpy.where(table.real_NK, table.feature_NKF @ weight_F, -numpy.inf).argmax(1)
    return chosen_N


def statistics_of(table: Table, chosen_N: Array) -> Array:
    """Statistics [X] of one hypothesis for each sentence, summed."""
    total_X: Array = table.statistic_NKX[numpy.arange(len(chosen_N)), chosen_N].sum(0)
    return total_X


def score_of(table: Table, weight_F: Array, score: Score) -> float:
    """The corpus score of the best hypotheses by these weights."""
    return score(statistics_of(table, best(table, weight_F)).tolist())


def changes_along(table: Table, weight_F: Array, direction_F: Array) -> Changes:
    """Where the best hypotheses change on the line `weight + place * direction`.

    All sentences walk along their envelopes side by side: from the line that is highest at minus infinity, always on
    to the steeper one that is met first.
    """
    real_NK, start_NK, slope_NK = table.real_NK, table.feature_NKF @ weight_F, table.feature_NKF @ direction_F
    lowest_N1 = numpy.where(real_NK, slope_NK, numpy.inf).min(1, keepdims=True)
    first_N = numpy.where(real_NK & (slope_NK == lowest_N1), start_NK, -numpy.inf).argmax(1)
    row_R, now_R = numpy.arange(len(first_N)), first_N
    found: list[tuple[Array, Array, Array, Array]] = []
    while len(row_R):
        start_RK, slope_RK = start_NK[row_R], slope_NK[row_R]
        at_R = numpy.arange(len(row_R))
        rise_RK = slope_RK - slope_RK[at_R, now_R][:, None]
        behind_RK = start_RK[at_R, now_R][:, None] - start_RK
        steeper_RK = real_NK[row_R] & (rise_RK > 0)
        place_RK = numpy.where(steeper_RK, behind_RK / numpy.where(steeper_RK, rise_RK, 1.0), numpy.inf)
        place_R = place_RK.min(1)
        next_R = numpy.where(place_RK == place_R[:, None], slope_RK, -numpy.inf).argmax(1)
        going_R = numpy.isfinite(place_R)
        found.append(tuple(part[going_R] for part in (place_R, row_R, now_R, next_R)))
        row_R, now_R = row_R[going_R], next_R[going_R]
    place_E, sentence_E, before_E, after_E = (numpy.concatenate(parts) for parts in zip(*found, strict=True))
    order_E = place_E.argsort(kind="stable")
    return Changes(first_N, place_E[order_E], sentence_E[order_E], before_E[order_E], after_E[order_E])


def stretches(place_E: Array) -> tuple[Array, Array]:
    """How many changes lie before each stretch between two places, and a point inside it.

    Stretches too short to stand in are left out. Where nothing ever changes, the point is where the line begins.
    """
    if not len(place_E):
        return numpy.zeros(1, numpy.int64), numpy.zeros(1)
    margin = BEYOND * max(1e-3, float(numpy.ptp(place_E)), float(numpy.abs(place_E).max()))
    edges = numpy.concatenate([[place_E[0] - 2 * margin], place_E, [place_E[-1] + 2 * margin]])
    wide = numpy.diff(edges) > GAP * (1.0 + numpy.abs(edges[1:]))
    return numpy.flatnonzero(wide), ((edges[1:] + edges[:-1]) / 2)[wide]


def search_line(table: Table, weight_F: Array, direction_F: Array, score: Score) -> Found:
    """The weights on the line through `weight_F` that score highest."""
    changes = changes_along(table, weight_F, direction_F)
    count, point = stretches(changes.place_E)
    statistic_NKX, sentence_E = table.statistic_NKX, changes.sentence_E
    change_EX = statistic_NKX[sentence_E, changes.after_E] - statistic_NKX[sentence_E, changes.before_E]
    first_1X = statistics_of(table, changes.first_N)[None]
    total_CX = numpy.concatenate([first_1X, first_1X + change_EX.cumsum(0)])[count]
    scores = [score(statistic_X) for statistic_X in total_CX.tolist()]
    chosen = int(numpy.argmax(scores))
    return Found(weight_F + point[chosen] * direction_F, scores[chosen])


def climb(table: Table, weight_F: Array, score: Score) -> Found:
    """Search along one feature's weight after the other, until none of them gains."""
    at, still, count = Found(weight_F, score_of(table, weight_F, score)), 0, len(weight_F)
    feature = 0
    while still < count:
        found = search_line(table, at.weight_F, numpy.eye(count)[feature], score).weight_F
        found_score = score_of(table, found, score)
        better = found_score > at.score + GAP
        at, still = (Found(found, found_score), 0) if better else (at, still + 1)
        feature = (feature + 1) % count
    return at


def starts_of(table: Table, given: Iterable[Array]) -> list[Array]:
    """The given points, and random ones at which each feature counts about as much as any other."""
    mean_N1F = table.feature_NKF.mean(1, keepdims=True, where=table.real_NK[..., None])
    spread_F = (table.feature_NKF - mean_N1F)[table.real_NK].std(0)
    generator = numpy.random.default_rng(SEED)
    random_SF = generator.uniform(-1, 1, (RESTARTS, len(spread_F))) / numpy.where(spread_F > 0, spread_F, 1.0)
    return [*given, *random_SF]


def tune(table: Table, starts: Iterable[Array], score: Score) -> Found:
    """The best weights that are found from any start; their absolute values sum to one.

    Never worse than the starts themselves. Of equals, the earlier start's are taken.
    """
    found = max((climb(table, start_F, score) for start_F in starts), key=lambda one: one.score)
    size = float(numpy.abs(found.weight_F).sum())
    return found._replace(weight_F=found.weight_F / size) if size else found


def oracle(table: Table, weight_F: Array, score: Score, rounds: int = 2) -> float:
    """What the lists hold: the score when each sentence in turn takes the hypothesis that helps the corpus most.

    A lower bound of the highest possible score, which nobody can compute.
    """
    chosen_N = best(table, weight_F)
    total_X = statistics_of(table, chosen_N)
    for sentence in [*range(len(chosen_N))] * rounds:
        own_KX = table.statistic_NKX[sentence, table.real_NK[sentence]]
        different = numpy.unique(own_KX, axis=0, return_index=True)[1]
        others_X = total_X - own_KX[chosen_N[sentence]]
        scores = [score(statistic_X) for statistic_X in (others_X + own_KX[different]).tolist()]
        chosen_N[sentence] = different[int(numpy.argmax(scores))]
        total_X = others_X + own_KX[chosen_N[sentence]]
    return score(total_X.tolist())
