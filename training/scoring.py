"""BLEU, chrF and TER by sacreBLEU, with signatures, confidence intervals and a paired bootstrap test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest, Result

from data.languages import has_spaces
from training.evaluation import bleu_for

RESAMPLES = 1000  # sacreBLEU's own numbers
LOWER_IS_BETTER = {"TER"}


class MetricScore(NamedTuple):
    """One metric of one system."""

    metric: str
    score: float
    low: float  # 95 % confidence interval by bootstrap (Koehn 2004)
    high: float
    signature: str


class Comparison(NamedTuple):
    """One metric of the second system, and how likely a difference like this is by chance."""

    metric: str
    score: float  # of the second system
    difference: float  # first minus second
    p_value: float
    signature: str


class Report(NamedTuple):
    """All results."""

    scores: list[MetricScore]
    comparison: list[Comparison]
    sentences: int
    empty: int  # hypotheses without a word
    length_ratio: float  # hypothesis to reference (the mean, if there are several), in characters


def metrics(target: str) -> dict[str, Metric]:
    """Fresh metrics; they remember references."""
    return {"BLEU": bleu_for(target), "chrF": CHRF(), "TER": ter_for(target)}


def ter_for(target: str) -> TER:
    """TER by words; where no spaces part these, by Chinese characters and runs of kana."""
    return TER() if has_spaces(target) else TER(normalized=True, asian_support=True)


def scored(metric: Metric, hypotheses: list[str], references: list[list[str]]) -> tuple[float, float, float]:
    """A score and its interval, which is nothing but the score where resamples have no mean: few lines, some empty."""
    try:
        result = metric.corpus_score(hypotheses, references, n_bootstrap=RESAMPLES)
    except TypeError:  # of sacreBLEU's scores, those without a match are of another type than the others
        result = metric.corpus_score(hypotheses, references)
        return float(result.score), float(result.score), float(result.score)
    spread, middle = float(getattr(result, "_ci", 0.0)), float(getattr(result, "_mean", result.score))
    return float(result.score), middle - spread, middle + spread


def score_all(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], other: Sequence[str] | None, target: str
) -> Report:
    """Score a system, and compare it with another one if given.

    Args:
        hypotheses: the system's translations.
        references: one set of translations by people, or several; a hypothesis may be like any of them.
        other: translations of a second system.
        target: language of them all.
    """
    scores = []
    for name, metric in metrics(target).items():
        score, low, high = scored(metric, list(hypotheses), list(map(list, references)))
        scores.append(MetricScore(name, score, low, high, str(metric.get_signature())))
    comparison = compare(hypotheses, other, references, target) if other is not None else []
    characters = sum(map(len, chain(*references))) / len(references)
    ratio = sum(map(len, hypotheses)) / max(1, characters)
    return Report(scores, comparison, len(hypotheses), sum(not one.strip() for one in hypotheses), ratio)


def compare(
    first: Sequence[str], second: Sequence[str], references: Sequence[Sequence[str]], target: str
) -> list[Comparison]:
    """Paired bootstrap resampling (Koehn 2004) as sacreBLEU does it; the second system is its baseline."""
    systems: list[tuple[str, Sequence[str]]] = [("second", list(second)), ("first", list(first))]
    test = PairedTest(systems, metrics(target), list(map(list, references)), test_type="bs", n_samples=RESAMPLES)
    signatures, results = test()
    found = []
    for name, key in zip(metrics(target), (key for key in results if key != "System"), strict=True):  # chrF is chrF2
        baseline, mine = (one for one in results[key] if isinstance(one, Result))
        difference = mine.score - baseline.score
        known = difference != 0 and len(first) > 1  # else sacreBLEU's is tiny
        p_value = float(mine.p_value) if known and mine.p_value is not None else 1.0
        found.append(Comparison(name, baseline.score, difference, p_value, str(signatures[key])))
    return found


def report_json(report: Report) -> str:
    """All numbers, unrounded."""
    tree: dict[str, Any] = report._asdict()
    tree["scores"] = [one._asdict() for one in report.scores]
    tree["comparison"] = [one._asdict() for one in report.comparison]
    return json.dumps(tree, indent=2)


def report_table(report: Report) -> str:
    """For people."""
    lines = [f"{'metric':<8}{'score':>8}   95 % interval       signature"]
    for one in report.scores:
        note = " (lower is better)" if one.metric in LOWER_IS_BETTER else ""
        lines.append(f"{one.metric:<8}{one.score:>8.2f}   {one.low:6.2f} to {one.high:6.2f}   {one.signature}{note}")
    if report.comparison:
        lines += ["", f"{'metric':<8}{'second':>8}{'difference':>12}{'p':>9}   paired bootstrap"]
        for pair in report.comparison:
            verdict = "significant at 0.05" if pair.p_value < 0.05 else "not significant"
            lines.append(f"{pair.metric:<8}{pair.score:>8.2f}{pair.difference:>+12.2f}{pair.p_value:>9.4f}   {verdict}")
    lines += ["", f"{report.sentences:,} sentences, {report.empty} empty, length ratio {report.length_ratio:.3f}"]
    return "\n".join(lines)
