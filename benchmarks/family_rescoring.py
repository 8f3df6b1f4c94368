"""N-best lists of one family, and what another one is worth as their judge.

Legend: F features, X statistics of a corpus score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import torch

from data.prepare import Pair
from data.tokenizer import Tokenizer
from models.bundle import specials_of
from models.hypotheses import SearchOptions
from models.search import translate_ids
from models.seq2seq import Seq2Seq
from training.mert import best, oracle, starts_of, statistics_of, tune
from training.nbest import Candidate, NBest
from training.pair_scores import score_pairs
from training.rescore import Judge, Values

WIDTH = 10  # hypotheses of a sentence


@torch.inference_mode()
def lists_of(network: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[Pair], ratio: float) -> NBest:
    """What a beam as wide as the lists finds for each source, cut at `ratio` words per source word, plus ten."""
    sources = [tokenizer.encode_source(pair.source, pair.target_language) for pair in pairs]
    options = SearchOptions(beam=WIDTH, n_best=WIDTH, max_ratio=ratio)
    found = translate_ids(network, sources, options, specials_of(tokenizer))
    return [
        [Candidate(number, tokenizer.decode(one.tokens), "", one.score) for one in hypotheses]
        for number, hypotheses in enumerate(found)
    ]


def judged(network: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[Pair], lists: NBest) -> dict[str, Any]:
    """BLEU of lists as they are, as tuned without and with the network's log-probabilities, and what they hold."""
    target = pairs[0].target_language
    asked = [(pairs[one.sentence].source, one.text) for candidates in lists for one in candidates]
    scores = iter(score_pairs(network, tokenizer, asked, target))
    all_three: Values = [[(one.total, *next(scores)) for one in candidates] for candidates in lists]
    own: Values = [[(total, tokens) for total, _, tokens in row] for row in all_three]
    references = [pair.target for pair in pairs]
    whole = Judge(lists, own, references, target)
    before = whole.bleu([1.0, 0.0])
    return {
        "width": WIDTH,
        "before": round(before, 2),
        "without": round(crossed(lists, own, references, target), 2),
        "after": round(crossed(lists, all_three, references, target), 2),
        "oracle": round(oracle(whole.table, numpy.eye(2)[0], whole.score), 2),
    }


def crossed(lists: NBest, values: Values, references: Sequence[str], target: str) -> float:
    """BLEU of all sentences, those of each half chosen by weights that were tuned on the other half alone."""
    halves = [Judge(lists[start::2], values[start::2], references[start::2], target) for start in (0, 1)]
    total_X = numpy.zeros(halves[0].table.statistic_NKX.shape[2], numpy.int64)
    for judge, tuner in (halves, halves[::-1]):
        count = tuner.table.feature_NKF.shape[2]
        starts = starts_of(tuner.table, [numpy.eye(count)[0], numpy.eye(count)[:-1].sum(0)])
        weight_F = tune(tuner.table, starts, tuner.score).weight_F
        total_X += statistics_of(judge.table, best(judge.table, weight_F))
    return halves[0].score(total_X.tolist())
