"""A text made ready for the engine: split into sentences that fit, each as ids, with what stands between them.

Numbers, addresses and the like are not for the engine: see data.literals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from data.languages import has_spaces, parts_sentences_by_spaces
from data.literals import Masked, Masking
from data.normalize import normalize
from data.segment import CLOSERS, LONGEST, Segment, is_code, is_mark, split
from data.tokenizer import Tokenizer
from data.wrapping import rejoined
from mt_service.excerpts import named
from mt_service.records import KEPT, PLAIN, Passage, Writing, passages

WIDE = ("。", "！", "？", "｡", "；", "：", "，", "、")  # which have their space within
NARROW = re.compile(r"\w(?:\.{3,}|[…?!])\Z")
LONGEST_IDS = 200  # of what is searched for at once; a longer sentence is cut
WHY = "parts: it was too long, or held more numbers, addresses and terms than can be carried over at once"
LONG_ADDRESS = re.compile(r"(?:https?://|www\.)[!#-;=?-~]{200,}")  # which is never cut


Spans: TypeAlias = Sequence[tuple[int, int]]  # parts of a text
Part: TypeAlias = tuple[Segment, tuple[int, ...], Masked]


class Piece(NamedTuple):
    """A part of a text that is searched for at once."""

    text: str  # as it stands in the source
    start: int  # its first character there
    separator: str  # what follows it
    ids: tuple[int, ...]  # tag, pieces, eos; empty where there is nothing to translate
    masked: Masked  # what the ids say
    writing: Writing = PLAIN  # how the text is written

    @property
    def line(self) -> str:
        """The text as one normalised line."""
        return normalize(rejoined(self.writing.read(self.text)))


class Plan(NamedTuple):
    """A whole text: texts and separators of its pieces, one after the other, spell it."""

    pieces: list[Piece]
    warnings: list[str]


def make_plan(tokenizer: Tokenizer, masking: Masking, text: str, sentences: bool = True, kept: Spans = ()) -> Plan:
    """Split a text into sentences (or take it as one) and encode them.

    Args:
        tokenizer: of the network.
        masking: finds literals and terms.
        text: any.
        sentences: whether to split it.
        kept: where parts of it begin and end that are in the target language already, and stay as they are.
    Raises:
        UserError: when the tokenizer has no tag for the target language.
    """
    plan, start = Plan([], []), 0
    if kept:
        told = named([text[begin:end] for begin, end in kept])
        plan.warnings.append(f"in {masking.target} already, and left as it is: {told}")
    for passage in passages(text):
        for segment in segments(passage, sentences):
            stays = passage.writing is KEPT or any(begin <= start < end for begin, end in kept)
            writing = KEPT if stays else passage.writing
            parts = [untouched(segment)] if stays else cut(tokenizer, masking, segment, writing)
            if len(parts) > 1:
                plan.warnings.append(f"a sentence of {len(segment.text)} characters was cut into {len(parts)} {WHY}")
            for part, ids, masked in parts:
                plan.pieces.append(Piece(part.text, start, part.separator, ids, masked, writing))
                start += len(part.text) + len(part.separator)
    return plan


def segments(passage: Passage, sentences: bool) -> list[Segment]:
    """The sentences of a part of a text, or that as one."""
    text = passage.text
    if passage.writing is KEPT:
        return [Segment(text, "")]
    return split(text, len(text) + 1) if sentences else whole(text)


def separators(pieces: Sequence[Piece], target: str) -> list[str]:
    """What stands after the translation of each piece of a text: what stood after the piece itself.

    Chinese parts sentences by their full stops alone; where the target language has spaces, one comes in there, and
    where it has none between sentences, a single one is left out. One comes in, too, behind other marks that somebody
    wrote without.
    """
    spaced, parted = has_spaces(target), parts_sentences_by_spaces(target)
    found = [piece.separator for piece in pieces]
    for i, piece in enumerate(pieces[:-1]):
        if piece.writing is not pieces[i + 1].writing:
            continue
        if spaced and not found[i] and lacks_space(piece, pieces[i + 1]):
            found[i] = " "
        elif not parted and piece.text and found[i] == " " and not is_mark(piece.text):
            found[i] = ""
    return found


def lacks_space(piece: Piece, following: Piece) -> bool:
    """Whether a sentence follows behind marks without a space: Chinese ones, or those that somebody wrote so."""
    wide = piece.text.rstrip(CLOSERS)[-1:] in WIDE
    return wide or (NARROW.search(piece.text) is not None and following.text[:1].isalpha())


def whole(text: str) -> list[Segment]:
    """A text as one sentence, white space at its ends aside."""
    body = text.strip()
    start = text.find(body)
    return [Segment("", text[:start]), Segment(body, text[start + len(body) :])]


def cut(tokenizer: Tokenizer, masking: Masking, segment: Segment, writing: Writing = PLAIN) -> list[Part]:
    """Encode a sentence in parts: long addresses, and what stands between them."""
    return [part for some in apart(segment) for part in halved(tokenizer, masking, some, writing)]


def untouched(segment: Segment, writing: Writing = PLAIN) -> Part:
    """A sentence that is not translated."""
    return segment, (), Masked(writing.read(segment.text), {}, {})


def apart(segment: Segment) -> list[Segment]:
    """A sentence with its long addresses as parts of their own."""
    parts, rest = list[Segment](), segment
    while (address := LONG_ADDRESS.search(rest.text)) and address.span() != (0, len(rest.text)):
        *before, rest = around(rest, *address.span())
        parts += before
    return [*parts, rest]


def halved(tokenizer: Tokenizer, masking: Masking, segment: Segment, writing: Writing) -> list[Part]:
    """Encode a part; as long as it is too long, or holds more literals than there are symbols, cut it in two."""
    text = writing.read(segment.text)
    if is_code(text):
        return [untouched(segment, writing)]
    length = len(segment.text)
    short = length <= LONGEST or LONG_ADDRESS.fullmatch(segment.text) is not None
    masked = masking.mask(normalize(rejoined(text)) if short else "")  # which takes long where marks are many
    worded = masked.text and not masked.wordless and not is_mark(text)
    ids = tuple(tokenizer.encode_source(masked.text, masking.target)) if worded else ()
    if length < 2 or (short and len(ids) <= LONGEST_IDS and (not masked.beyond or not masked.targets)):
        return [(segment, ids, masked)]
    *parts, last = split(segment.text, (length + 1) // 2)
    parts.append(Segment(last.text, last.separator + segment.separator))
    return [encoded for part in parts for encoded in cut(tokenizer, masking, part, writing)]


def otherwise(tokenizer: Tokenizer, masking: Masking, piece: Piece) -> list[Piece]:
    """A piece with other numbers of it as symbols, as far as that differs and is not too long."""
    found = []
    for masked in masking.others(piece.line, piece.masked):
        ids = tuple(tokenizer.encode_source(masked.text, masking.target))
        if len(ids) <= LONGEST_IDS:
            found.append(piece._replace(ids=ids, masked=masked))
    return found


def around(segment: Segment, start: int, end: int) -> list[Segment]:
    """A sentence in three: what stands before a part of it, the part, and what follows."""
    before, after = segment.text[:start], segment.text[end:]
    body, rest = before.rstrip(), after.lstrip()
    parts = [
        Segment(body, before[len(body) :]),
        Segment(segment.text[start:end], after[: len(after) - len(rest)]),
        Segment(rest, ""),
    ]
    kept = [part for part in parts if part.text or part.separator]
    return [*kept[:-1], Segment(kept[-1].text, kept[-1].separator + segment.separator)]
