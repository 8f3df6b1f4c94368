"""What a search is asked for and what it gives; plain Python, for every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from data.config import check


class Specials(NamedTuple):
    """Ids with a meaning of their own; `forbidden` ones are never produced."""

    pad: int
    bos: int
    eos: int
    forbidden: tuple[int, ...] = ()

    @property
    def banned(self) -> set[int]:
        """All that is never produced."""
        return {self.pad, self.bos, *self.forbidden}


WIDEST = 1000  # beam; engines keep what belongs to one on their stack
STEEPEST = 1000.0  # words per source word


@dataclass(frozen=True)
class SearchOptions:
    """How to search; the same for all sentences of one BeamSearch."""

    beam: int = 5
    n_best: int = 1
    length_penalty: float = 1.0  # alpha of Wu et al. (2016): 0 prefers short hypotheses, 1 is neutral
    max_length: int = 250  # words of a hypothesis, at most
    max_ratio: float = 3.0  # and at most this many words per source word, plus ten
    alignments: bool = False  # keep attention weights
    length_ratio: float = 0.0  # words per source word up to which being longer is rewarded; 0 rewards any length

    def __post_init__(self) -> None:
        check(1 <= self.beam <= WIDEST, f"'beam' must be from 1 to {WIDEST}, but is {self.beam}")
        check(1 <= self.n_best <= self.beam, f"'n_best' must be from 1 to 'beam' ({self.beam}), but is {self.n_best}")
        check(self.max_length >= 1, f"'max_length' must be at least 1, but is {self.max_length}")
        most, ratio = f"at most {STEEPEST:.0f}", self.length_ratio
        check(0 < self.max_ratio <= STEEPEST, f"'max_ratio' must be above 0 and {most}, but is {self.max_ratio}")
        check(0 <= ratio <= STEEPEST, f"'length_ratio' must be from 0 and {most}, but is {ratio}")
        check(-5 <= self.length_penalty <= 5, f"'length_penalty' must be from -5 to 5, but is {self.length_penalty}")

    def limit(self, source_length: int, given: int = 0) -> int:
        """Words that a hypothesis for a source of so many ids may have; at least one more than the `given` ones that it
        begins with."""
        return max(min(self.max_length, int(source_length * self.max_ratio) + 10), given + 1)

    def rewarded(self, source_length: int) -> int:
        """Words up to which the score of a hypothesis, for a source of so many ids, is divided by its length.

        Longer ones are divided as if they had as many: a word more lowers their score, whatever the length penalty
        is. With a penalty above 1, and no such bound, endless repetition would outrank everything that ends.
        """
        most = math.ceil(source_length * self.length_ratio) if self.length_ratio else self.max_length
        return min(most, self.limit(source_length))


class Hypothesis(NamedTuple):
    """One translation as ids."""

    tokens: tuple[int, ...]  # without eos
    score: float  # log-probability over the length penalty; higher is better
    log_probability: float  # natural logarithm, summed over the words and eos
    alignment: tuple[tuple[float, ...], ...] | None  # a weight for each source id, for each word and eos
    complete: bool = True  # false when the length limit cut it before eos

    @property
    def per_word(self) -> float:
        """Log-probability per word, eos counted: how sure a network is, whatever the length penalty."""
        return self.log_probability / (len(self.tokens) + 1)


def length_penalty(length: int, rewarded: int, alpha: float) -> float:
    """The divisor of Wu et al. (2016), equation 14, for a length that counts eos, but no more than is `rewarded`."""
    return float(((5 + min(length, rewarded)) / 6) ** alpha)


def settled(found: Sequence[Hypothesis], live: float, length: int, rewarded: int, options: SearchOptions) -> bool:
    """Whether going on can hardly change a sentence's n-best list.

    It cannot when no live hypothesis, were every further word certain, could end above the worst on the list; and it
    is unlikely when as many as the beam have ended and none that lives would rank above that one by ending now.

    Args:
        found: hypotheses that have ended.
        live: log-probability of the best one under way.
        length: its words.
        rewarded: words up to which being longer is rewarded.
        options: of the search; a greedy one is settled by its first end.
    """
    if live == float("-inf"):
        return True
    if len(found) < options.n_best:
        return False
    worst = sorted((one.score for one in found), reverse=True)[options.n_best - 1]
    alpha = options.length_penalty
    most_lenient = length_penalty(rewarded if alpha > 0 else length + 1, rewarded, alpha)
    enough = len(found) >= options.beam and worst >= live / length_penalty(length + 1, rewarded, alpha)
    return options.beam == 1 or enough or worst >= live / most_lenient
