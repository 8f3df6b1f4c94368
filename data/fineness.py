"""How finely a vocabulary cuts a text: words of languages that it was learned from are a piece or two, others many.

Of a German-English vocabulary of 8,000 pieces a German or English letter takes 0.27 to 0.29 of a piece in the median
sentence and 0.39 to 0.40 in the hundredth finest, a French or Spanish one 0.53 and 0.56 in the median.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from data.tokenizer import Tokenizer

LEAST_LETTERS = 30  # of a text that tells something
LEAST_TEXTS = 100  # that a limit is found from
COMMON = 0.99  # of a language's texts, which are cut less finely than
FINER = 1.2  # times as finely as the limit


class Cut(NamedTuple):
    """Letters, and the pieces that they were cut into."""

    pieces: int
    letters: int

    @property
    def tells(self) -> bool:
        """Whether these are enough letters to tell anything."""
        return self.letters >= LEAST_LETTERS

    def is_finer(self, limit: float | None) -> bool:
        """Whether a letter takes more of a piece than that; never, where nothing is known."""
        return limit is not None and self.tells and self.pieces > limit * self.letters


def cut(tokenizer: Tokenizer, parts: Iterable[tuple[Sequence[int], str]]) -> Cut:
    """How the parts of a text were cut, ids and text of each; marks, digits and symbols do not count."""
    pieces = letters = 0
    for ids, text in parts:
        pieces += sum(map(tokenizer.lettered.__contains__, ids))
        letters += sum(map(str.isalpha, text))
    return Cut(pieces, letters)


def limit(tokenizer: Tokenizer, texts: Iterable[str]) -> float | None:
    """Pieces a letter that hardly any text of a language takes; nothing, where too few normalised texts tell."""
    cuts = [cut(tokenizer, [(tokenizer.encode(text), text)]) for text in texts]
    finest = sorted(one.pieces / one.letters for one in cuts if one.tells)
    return round(FINER * finest[int(COMMON * len(finest))], 3) if len(finest) >= LEAST_TEXTS else None
