"""Second tries: where all translations of a sentence lack a number or make one up, other numbers of it become symbols.

What a network spells wrongly, a symbol may bring through, and the other way round.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from data.literals import Masking
from data.tokenizer import Tokenizer
from models.hypotheses import Hypothesis, SearchOptions
from mt_service.engine.interface import Job
from mt_service.pieces import Piece, Plan, otherwise

Found: TypeAlias = Sequence[Hypothesis]
Rows: TypeAlias = list[list[Found | None]]  # an n-best list for each piece of each text, None where there is no text


@functools.lru_cache(maxsize=64)
def whole_beam(search: SearchOptions) -> SearchOptions:
    """A search that gives all of its hypotheses."""
    return dataclasses.replace(search, n_best=search.beam)


class Retry(NamedTuple):
    """A piece that is masked in another way."""

    text: int  # which of the texts it is of
    place: int  # which of its pieces it may stand for
    piece: Piece


class SecondTries:
    """What to try again of some texts.

    Args:
        tokenizer: of the translator.
        masking: of its direction.
        plans: texts; when a second try is better, its piece comes in.
        rows: what was found for them; then, too, what was found for that one.
    """

    def __init__(self, tokenizer: Tokenizer, masking: Masking, plans: Sequence[Plan], rows: Rows) -> None:
        self.tokenizer, self.plans, self.rows = tokenizer, plans, rows
        self.least = {  # faults of a piece, by its text and its place there
            (i, j): faults
            for i, (plan, row) in enumerate(zip(plans, rows, strict=True))
            for j, (piece, found) in enumerate(zip(plan.pieces, row, strict=True))
            if found and piece.masked.exacting and (faults := self.faults(piece, found))
        }
        self.retries = [
            Retry(i, j, other) for i, j in self.least for other in otherwise(tokenizer, masking, plans[i].pieces[j])
        ]

    def jobs(self, search: SearchOptions) -> list[Job]:
        """What to ask the engine: for as many hypotheses as a search keeps."""
        longer = whole_beam(search)
        return [Job(retry.piece.ids, longer) for retry in self.retries]

    def faults(self, piece: Piece, found: Found) -> int:
        """Faults of the hypothesis that has fewest."""
        return min(piece.masked.faults(self.tokenizer.decode(one.tokens)) for one in found)

    def settle(self, answers: Sequence[Found]) -> None:
        """Take what has fewer faults than what there was."""
        for (text, place, piece), found in zip(self.retries, answers, strict=True):
            if found and (faults := self.faults(piece, found)) < self.least[text, place]:
                self.least[text, place] = faults
                self.plans[text].pieces[place], self.rows[text][place] = piece, found
