"""Reranking: an n-best list is read backwards, too, and what makes its source likely comes to the front.

Hypotheses are ordered by log P(target | source) + 0.2 log P(source | target) + 0.1 for each token, the second by a
model of the other direction: MMI-bidi of Li et al. (2016, "A Diversity-Promoting Objective Function for Neural
Conversation Models"), the noisy channel of Yee et al. (2019). What a translation leaves out or makes up costs most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from data.tokenizer import Tokenizer
from models.hypotheses import Hypothesis, SearchOptions
from models.info import BundleInfo
from mt_service.engine.interface import Job
from mt_service.pieces import Piece, Plan
from mt_service.retries import Found, Rows
from mt_service.settings import BILLION

BACKWARD, LENGTH = 0.2, 0.1  # nats for a nat of the source's log-probability, and for a token; tuned on Tatoeba dev
LIST = 12  # hypotheses that are compared, unless a beam was asked for
SCORING = SearchOptions(beam=1)


def beam_of(info: BundleInfo, asked: int | None, n_best: int, rerank: bool, most: int = BILLION) -> int:
    """The beam that is asked for; by default the bundle's, or to rerank a list's, and wide enough for the n best.

    Args:
        info: the bundle's description.
        asked: what was asked for, if anything.
        n_best: translations to return.
        rerank: whether they are to be reranked.
        most: that a default may be.
    """
    return max(min(LIST if rerank else info.beam, most), n_best) if asked is None else asked


class Reranker:
    """Asks a translator of the other direction.

    Args:
        texts: a piece and a hypothesis for it as the other translator reads them.
        tokenizer: the other translator's.
        language: of the source, which is what that one translates to.
    """

    def __init__(
        self, texts: Callable[[Piece, Hypothesis], tuple[str, str]], tokenizer: Tokenizer, language: str
    ) -> None:
        self.texts, self.tokenizer, self.language = texts, tokenizer, language

    def jobs(self, plans: Sequence[Plan], rows: Rows) -> list[Job]:
        """What to ask: how probable a piece is, given each of its translations."""
        return [
            self.job(*self.texts(piece, one))
            for plan, row in zip(plans, rows, strict=True)
            for piece, found in zip(plan.pieces, row, strict=True)
            for one in found or ()
        ]

    def job(self, text: str, translation: str) -> Job:
        """A piece as the one translation of its translation."""
        ids = (*self.tokenizer.encode(text), self.tokenizer.eos_id)
        return Job(tuple(self.tokenizer.encode_source(translation, self.language)), SCORING, ids)


def reordered(rows: Rows, answers: Iterator[Found]) -> Rows:
    """The lists by all scores, with one answer for each hypothesis."""
    return [[None if found is None else ranked(found, [next(answers) for _ in found]) for found in row] for row in rows]


def ranked(found: Found, answers: Sequence[Found]) -> Found:
    """One list anew, with what it is ordered by as scores; as it was where the source has no probability at all."""
    if not all(answers):
        return found
    scores = [
        one.log_probability + BACKWARD * back[0].log_probability + LENGTH * (len(one.tokens) + 1)
        for one, back in zip(found, answers, strict=True)
    ]
    anew = [one._replace(score=score) for one, score in zip(found, scores, strict=True)]
    return sorted(anew, key=lambda one: -one.score)
