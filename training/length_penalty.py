"""How much longer hypotheses are preferred: tuned on the dev sets, from one look at what a search finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from data.normalize import normalize
from data.tokenizer import Tokenizer
from models.bundle import specials_of
from models.hypotheses import Hypothesis, SearchOptions, length_penalty
from models.search import translate_ids
from models.seq2seq import Seq2Seq
from training.examples import Example, bleu
from training.telemetry import say

GRID = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)  # length penalties that are tried
NO_LONGER = 0.9  # the share of references within the length that a search rewards
NOISE = 0.1  # BLEU; among penalties this close to the best, the largest is taken: small ones favour short translations


class Found(NamedTuple):
    """What searches found for a sentence, and up to how many words its hypotheses are rewarded for their length."""

    hypotheses: list[Hypothesis]
    rewarded: int

    def best(self, alpha: float) -> Hypothesis:
        """The hypothesis that a length penalty puts first."""
        return max(self.hypotheses, key=lambda one: one.log_probability / self.divisor(one, alpha))

    def divisor(self, one: Hypothesis, alpha: float) -> float:
        """What a search divides a hypothesis's log-probability by."""
        return length_penalty(len(one.tokens) + one.complete, self.rewarded, alpha)


def tune(network: Seq2Seq, tokenizer: Tokenizer, dev: Sequence[Example], search: SearchOptions) -> float:
    """The largest length penalty whose mean BLEU on the dev sets is within `NOISE` of the best; 1 without any.

    A penalty decides when a search ends and which hypothesis comes first, but not which way it goes. So all penalties
    choose among what searches with the smallest and the largest one find.
    """
    if not dev:
        return 1.0
    found, means = [candidates(network, tokenizer, example, search) for example in dev], dict[float, float]()
    for alpha in GRID:
        chosen = [[tokenizer.decode(one.best(alpha).tokens) for one in sentences] for sentences in found]
        scores = [bleu(texts, example) for texts, example in zip(chosen, dev, strict=True)]
        means[alpha] = sum(scores) / len(scores)
        say(f"length penalty {alpha:g}: mean dev BLEU {means[alpha]:.2f}")
    return largest_near_best(means)


def candidates(network: Seq2Seq, tokenizer: Tokenizer, example: Example, search: SearchOptions) -> list[Found]:
    """What searches with the smallest and the largest penalty find for each sentence."""
    sources = [tokenizer.encode_source(normalize(source), example.target) for source in example.sources]
    both = [
        translate_ids(
            network, sources, replace(search, n_best=search.beam, length_penalty=alpha), specials_of(tokenizer)
        )
        for alpha in (min(GRID), max(GRID))
    ]
    return [
        Found([*short, *long], search.rewarded(len(source))) for source, short, long in zip(sources, *both, strict=True)
    ]


def largest_near_best(means: dict[float, float]) -> float:
    """The largest key whose value is within `NOISE` of the largest value."""
    best = max(means.values())
    return max(alpha for alpha, mean in means.items() if mean >= best - NOISE)


def length_ratio(tokenizer: Tokenizer, dev: Sequence[Example]) -> float:
    """Words per source word that most references have at most, in the direction that makes the longest; 0 without any.

    Both ends, and the tag of the source, are words here.
    """
    return max((ratio_of(tokenizer, example) for example in dev), default=0.0)


def ratio_of(tokenizer: Tokenizer, example: Example) -> float:
    """Words per source word that `NO_LONGER` of an example's references have at most."""
    ratios = sorted(
        (len(tokenizer.encode(normalize(reference))) + 1)
        / len(tokenizer.encode_source(normalize(source), example.target))
        for source, reference in zip(example.sources, example.references, strict=True)
    )
    return round(ratios[int(NO_LONGER * (len(ratios) - 1))], 2)
