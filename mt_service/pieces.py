"""A text made ready for the engine: split into sentences that fit, each as ids, with what stands between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from data.languages import has_spaces
from data.normalize import normalize
from data.segment import CLOSERS, LONGEST, Segment, split
from data.tokenizer import Tokenizer

WIDE = ("。", "！", "？", "｡", "；", "：", "，", "、")  # which have their space within
LONGEST_IDS = 200  # of what is searched for at once; a longer sentence is cut


class Piece(NamedTuple):
    """A part of a text that is searched for at once."""

    text: str  # as it stands in the source
    start: int  # its first character there
    separator: str  # what follows it
    ids: tuple[int, ...]  # tag, pieces, eos; empty where there is nothing to translate


class Plan(NamedTuple):
    """A whole text: texts and separators of its pieces, one after the other, spell it."""

    pieces: list[Piece]
    warnings: list[str]


def make_plan(tokenizer: Tokenizer, text: str, target: str, sentences: bool = True) -> Plan:
    """Split a text into sentences (or take it as one) and encode them.

    Raises:
        UserError: when the tokenizer has no tag for the target language.
    """
    plan, start = Plan([], []), 0
    for segment in split(text, len(text) + 1) if sentences else whole(text):
        parts = cut(tokenizer, segment, target)
        if len(parts) > 1:
            plan.warnings.append(
                f"a sentence of {len(segment.text)} characters was too long and was cut into {len(parts)} parts"
            )
        for part, ids in parts:
            plan.pieces.append(Piece(part.text, start, part.separator, ids))
            start += len(part.text) + len(part.separator)
    return plan


def separators(pieces: Sequence[Piece], target: str) -> list[str]:
    """What stands after the translation of each piece of a text: what stood after the piece itself.

    Chinese parts sentences by their full stops alone; where the target language has spaces, one comes in there.
    """
    spaced = has_spaces(target)
    found = [piece.separator for piece in pieces]
    for i, piece in enumerate(pieces[:-1]):
        if spaced and not found[i] and piece.text.rstrip(CLOSERS)[-1:] in WIDE:
            found[i] = " "
    return found


def whole(text: str) -> list[Segment]:
    """A text as one sentence, white space at its ends aside."""
    body = text.strip()
    start = text.find(body)
    return [Segment("", text[:start]), Segment(body, text[start + len(body) :])]


def cut(tokenizer: Tokenizer, segment: Segment, target: str) -> list[tuple[Segment, tuple[int, ...]]]:
    """Encode a sentence; as long as it is too long, cut it in half at the best place."""
    length = len(segment.text)
    clean = normalize(segment.text) if length <= LONGEST else ""  # which takes long where marks are many
    ids = tuple(tokenizer.encode_source(clean, target)) if clean else ()
    if length < 2 or (length <= LONGEST and len(ids) <= LONGEST_IDS):
        return [(segment, ids)]
    *parts, last = split(segment.text, (length + 1) // 2)
    parts.append(Segment(last.text, last.separator + segment.separator))
    return [encoded for part in parts for encoded in cut(tokenizer, part, target)]
