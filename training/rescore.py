"""`mt rescore`: order n-best lists anew by what networks make of each hypothesis, as Auli et al. (2013) did."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy
from tqdm import tqdm

from data.config import check
from data.corpus import all_lines
from data.files import create
from models.bundle import Bundle
from models.device import choose_device
from training.evaluation import bleu_for
from training.evaluation_job import language, same_length
from training.feature_weights import FeatureWeights, choose_weights, write_weights
from training.mert import make_table, oracle, score_of, starts_of, tune
from training.nbest import NBest, moses, names_of, ranked, read_nbest, rescored
from training.pair_scores import PairScore, score_many
from training.systems import find_bundle
from training.telemetry import say

LISTED = 20  # lines that a message names
BACKWARD = 0.3  # weight of a source's log-probability, unless told otherwise

Values: TypeAlias = list[list[tuple[float, ...]]]  # features of each hypothesis of each sentence


class Scorer(NamedTuple):
    """A bundle that computes a feature: how probable hypotheses are or, backwards, sources given the hypotheses."""

    bundle: Bundle
    target: str  # language of what gets the probability
    backwards: bool = False


class Task(NamedTuple):
    """All that is read and checked before the long work begins."""

    sources: list[str]
    lists: NBest
    target: str  # language of the hypotheses
    scorers: dict[str, Scorer]  # by the feature that each computes
    weights: dict[str, float]  # of all features: the list's total, one for each bundle, tokens
    references: list[str] | None


class Judge:
    """BLEU of any choice from the lists; each hypothesis is compared with its reference once.

    It calls what sacreBLEU's own significance tests are made of: there is no public way to its statistics.

    Args:
        lists: what there is to choose from; a sentence without hypotheses counts as one that came out empty.
        values: features of the hypotheses.
        references: one for each sentence.
        target: the language.
    """

    def __init__(self, lists: NBest, values: Values, references: Sequence[str], target: str) -> None:
        metric = self.metric = bleu_for(target)
        known = metric._cache_references([references])
        texts = [[one.text for one in candidates] or [""] for candidates in lists]
        statistics = [
            [metric._compute_segment_statistics(metric._preprocess_segment(text), reference) for text in row]
            for row, reference in zip(texts, known, strict=True)
        ]
        nothing = [(0.0,) * max(len(one) for row in values for one in row)]
        self.table = make_table([row or nothing for row in values], statistics)

    def score(self, statistics: list[int]) -> float:
        """sacreBLEU's score of summed statistics."""
        return float(self.metric._compute_score_from_stats(statistics).score)

    def bleu(self, weights: Iterable[float]) -> float:
        """BLEU of the hypotheses that these weights prefer."""
        return score_of(self.table, numpy.array(list(weights)), self.score)


def run(arguments: argparse.Namespace) -> int:
    """Read, score, tune if asked to, and write."""
    task = read_task(arguments)
    values, weights = values_of(task, arguments.device), task.weights
    if task.references is not None:
        judge = Judge(task.lists, values, task.references, task.target)
        weights = judged(judge, task, bool(arguments.tune), arguments.weights)
    lists = combined(task.lists, values, weights)
    text = moses(lists) if arguments.format == "moses" else first_best(lists)
    if arguments.output:
        with create(arguments.output) as stream:
            stream.write(text.encode())
    else:
        sys.stdout.buffer.write(text.encode())
    return 0


def read_task(arguments: argparse.Namespace) -> Task:
    """Read everything but the networks' weights.

    Raises:
        UserError: for whatever is wrong with files and flags.
    """
    for path in filter(None, (arguments.output, arguments.weights if arguments.tune else None)):
        check(path.parent.is_dir(), f"cannot write {path}: there is no folder {path.parent}")
    sources, reference = all_lines(arguments.source), arguments.tune or arguments.reference
    references = None if reference is None else all_lines(reference)
    if references is not None:
        same_length(arguments.source, len(sources), reference, len(references))
    lists = read_nbest(arguments.nbest, arguments.source, len(sources))
    say_what_is_there(arguments.nbest, lists)
    origin = language(arguments.source_language, arguments.source, "--source-language")
    check(bool(arguments.target_language or reference), "say the language of the hypotheses with --target-language")
    target = language(arguments.target_language, reference or Path(), "--target-language")
    there = [Scorer(find_bundle(folder, f"{origin}-{target}"), target) for folder in arguments.bundles or [None]]
    back = [Scorer(find_bundle(folder, f"{target}-{origin}"), origin, True) for folder in arguments.backward]
    taken = names_of(lists)
    names = [*free_names("Joint", len(there), taken), *free_names("Backward", len(back), taken)]
    scorers = dict(zip(names, [*there, *back], strict=True))
    (total,), (tokens,) = free_names("Total", 1, taken), free_names("Tokens", 1, taken)
    own = {name: BACKWARD if scorer.backwards else 1.0 for name, scorer in scorers.items()}
    defaults = {total: 1.0, **own, tokens: 0.0}
    file = None if arguments.tune else arguments.weights
    weights = choose_weights(defaults, file, names_of_bundles(scorers), arguments.weight)
    return Task(sources, lists, target, scorers, weights, references)


def say_what_is_there(path: Path, lists: NBest) -> None:
    """Tell how large a list is, and which sentences it leaves out."""
    say(f"{path}: {sum(map(len, lists)):,} hypotheses of {sum(map(bool, lists)):,} sentences")
    missing = [number for number, candidates in enumerate(lists, 1) if not candidates]
    if missing:
        listed = ", ".join(map(str, missing[:LISTED])) + (", ..." if len(missing) > LISTED else "")
        say(f"mt: {path} has no hypotheses for {len(missing):,} lines of the source: {listed}; they come out empty")


def free_names(stem: str, count: int, taken: set[str]) -> list[str]:
    """Names that a list does not use yet: Joint0, Joint1 and so on."""
    names = (f"{stem}{number}" for number in range(len(taken) + count))
    return [name for name in names if name not in taken][:count]


def names_of_bundles(scorers: Mapping[str, Scorer]) -> dict[str, str]:
    """Which bundle computes a feature."""
    return {feature: scorer.bundle.info.name for feature, scorer in scorers.items()}


def scores_of(scorer: Scorer, pairs: Sequence[tuple[str, str]], device: str) -> list[PairScore]:
    """What a bundle makes of sources and hypotheses."""
    network = scorer.bundle.network(choose_device(device))
    turned = [pair[::-1] for pair in pairs] if scorer.backwards else pairs
    return list(score_many(network, scorer.bundle.tokenizer, turned, scorer.target, "hypothesis"))


def values_of(task: Task, device: str) -> Values:
    """Features of all hypotheses, in the order of `Task.weights`; a pair that stands there twice is scored once."""
    pairs = [[(task.sources[one.sentence], one.text) for one in candidates] for candidates in task.lists]
    different = list(dict.fromkeys(pair for row in pairs for pair in row))
    scores = [scores_of(scorer, different, device) for scorer in task.scorers.values()]
    by_pair = dict(zip(different, zip(*scores, strict=True), strict=True))
    return [
        [
            (one.total, *(score.log_probability for score in by_pair[pair]), by_pair[pair][0].tokens)
            for one, pair in zip(candidates, row, strict=True)
        ]
        for candidates, row in zip(task.lists, pairs, strict=True)
    ]


def judged(judge: Judge, task: Task, tuning: bool, file: Path | None) -> dict[str, float]:
    """Tell BLEU before and after; tune the weights first, and write them, if asked to."""
    names, given = list(task.weights), numpy.array(list(task.weights.values()))
    own = numpy.eye(len(names))[0]
    before = judge.bleu(own)
    say(f"before: BLEU {before:.2f}; the list holds {oracle(judge.table, own, judge.score):.2f} at least")
    weights = task.weights
    if tuning:
        starts = tqdm(starts_of(judge.table, [own, given]), desc="tuning", unit="start", file=sys.stderr)
        weights = dict(zip(names, tune(judge.table, starts, judge.score).weight_F.tolist(), strict=True))
    after, signature = judge.bleu(weights.values()), str(judge.metric.get_signature())
    listed = ", ".join(f"{name} {weight:.4g}" for name, weight in weights.items())
    say(f"after: BLEU {after:.2f} with {listed} | {signature}")
    if tuning and file is not None:
        told = {"sentences": len(task.lists), "before": before, "after": after, "signature": signature}
        write_weights(file, FeatureWeights(weights, names_of_bundles(task.scorers), told))
        say(f"wrote {file}")
    return weights


def combined(lists: NBest, values: Values, weights: Mapping[str, float]) -> NBest:
    """The lists with the features and the new totals, best first."""
    names, weight_F = list(weights), numpy.array(list(weights.values()))
    return [
        ranked(
            rescored(one, zip(names, row, strict=True), float(numpy.dot(row, weight_F)))
            for one, row in zip(candidates, rows, strict=True)
        )
        for candidates, rows in zip(lists, values, strict=True)
    ]


def first_best(lists: NBest) -> str:
    """A line for each sentence; an empty one where there are no hypotheses."""
    return "".join((candidates[0].text if candidates else "") + "\n" for candidates in lists)
