"""Whether a text is in a language that a network does not read: by its script, or by how finely it is cut."""

from __future__ import annotations

from data.fineness import cut
from data.literals import Masking
from data.tokenizer import Tokenizer
from mt_service.pieces import Plan


def is_foreign(plan: Plan, tokenizer: Tokenizer, masking: Masking, limit: float | None) -> bool:
    """Whether most letters of a text are of scripts that the network does not know, or it is cut too finely.

    Args:
        plan: the text.
        tokenizer: cut it.
        masking: found what the network does not know.
        limit: pieces a letter that hardly any text of the network's language takes, if that is known.
    """
    searched = [(piece.ids, piece.masked.text) for piece in plan.pieces if piece.ids]
    read, left = cut(tokenizer, searched), (text for piece in plan.pieces for text in piece.masked.carried)
    return sum(map(masking.unread, left)) > read.letters or read.is_finer(limit)
