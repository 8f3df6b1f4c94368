"""From attention between subword pieces to links between words.

Legend: T target pieces, S source pieces.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Sequence
from typing import NamedTuple

from data.clock import any_of, phrases
from data.languages import UNPARTED_LETTERS
from data.literals import unmasked
from data.normalize import normalize
from data.tokenizer import Tokenizer
from data.wrapping import HYPHEN, quote_marks
from models.hypotheses import Hypothesis
from mt_service.pieces import Piece

WORD = re.compile(rf"(?:{HYPHEN.pattern}|\S)+")  # with what a line end parts
BYTE = re.compile(r"<0x([0-9A-F]{2})>")  # a piece that is a part of a rare character
UNPARTED = re.compile(f"[{UNPARTED_LETTERS}]")
SPACE_MARK = "\u2581"  # begins a piece that begins a word, in SentencePiece
SAME = -1  # words that a word shares with the one before it
LEAST = 0.1  # of a target word's attention: weaker links are left out


class Span(NamedTuple):
    """Characters start (included) to end (excluded) of a text."""

    start: int
    end: int


class Link(NamedTuple):
    """How much a target word looked at a source word, from 0 to 1."""

    source: int
    target: int
    weight: float


class Passage(NamedTuple):
    """Characters of the source text, and those of the translation that came of them; ends are excluded."""

    source_start: int
    source_end: int
    target_start: int
    target_end: int


class Alignment(NamedTuple):
    """Links between words, which are given as spans of characters of the source text and of the translation."""

    source_words: list[Span]
    target_words: list[Span]
    links: list[Link]
    unsure: Sequence[Passage] = ()  # where the network is unsure


def words_of(text: str, offset: int = 0) -> list[Span]:
    """The words of a text, those aside that normalisation leaves nothing of, and marks of a quotation within it."""
    marks = quote_marks(text)
    return [
        Span(match.start() + offset, match.end() + offset)
        for match in WORD.finditer(text)
        if match.start() not in marks and normalize(match.group())
    ]


def grouped(
    words: Sequence[Span], masked: str, literals: dict[str, str], read: Sequence[tuple[str, str]] = ()
) -> list[Span]:
    """The words of a text as the network saw them, which reads a literal of several words as one symbol.

    Args:
        words: of the text, literals included.
        masked: the text with symbols.
        literals: what each symbol stands for.
        read: what it reads in place of other words, and these, as they follow each other.
    Returns:
        For each word of the masked text what that is in the text; neighbours may be the same word.
    """
    if not literals and not read:
        return list(words)
    parted = [unmasked(word, literals) for word in masked.split()]
    counts = [len(normalize(word).split()) for word in in_place_of(parted, read)]
    for phrase, own in ((one.split(), len(other.split())) for one, other in read if " " in one):
        for start in places(phrase, parted):
            if SAME not in counts[start : start + len(phrase)]:
                counts[start : start + len(phrase)] = [own] + [SAME] * (len(phrase) - 1)
                break
    if sum(count for count in counts if count != SAME) != len(words):
        return list(words)
    spans, rest = list[Span](), iter(words)
    for count in counts:
        group = list(itertools.islice(rest, max(count, 0)))
        spans += [Span(group[0].start, group[-1].end)] if group else spans[-1:] if count == SAME else []
    return spans


def in_place_of(words: Sequence[str], read: Sequence[tuple[str, str]]) -> list[str]:
    """Words as they stand in the text, where one is read in place of others: 22:00 of 10 p.m."""
    there: dict[str, list[str]] = {}
    for one, other in reversed(read):
        if " " not in one:
            there.setdefault(one, []).append(other)
    if not there:
        return list(words)
    some = re.compile(any_of(there))

    def other_of(match: re.Match[str]) -> str:
        left = there[match[0]]
        return left.pop() if len(left) > 1 else left[0]

    return [some.sub(other_of, word) for word in words]


def places(phrase: Sequence[str], words: Sequence[str]) -> list[int]:
    """Where a phrase of two words or more begins among others, marks before and after it aside."""
    first, *inner, last = phrase
    found = (i for i in range(len(words) - len(phrase) + 1) if words[i].endswith(first))
    return [
        i for i in found if list(words[i + 1 :][: len(inner)]) == inner and words[i + len(inner) + 1].startswith(last)
    ]


def word_of_piece(pieces: Sequence[str]) -> list[int]:
    """For each piece the number of the word that it belongs to."""
    words, word = [], -1
    for piece in pieces:
        word += piece.startswith(SPACE_MARK) or word < 0
        words.append(word)
    return words


def spelled(pieces: Sequence[str], literals: dict[str, str]) -> list[str]:
    """What each piece of a word says; of several that are bytes the first says all that they spell."""
    texts: list[str] = []
    for are_bytes, run in itertools.groupby(pieces, lambda piece: BYTE.fullmatch(piece) is not None):
        some = list(run)
        if are_bytes:
            codes = bytes(int(piece[3:5], 16) for piece in some)
            texts += [codes.decode(errors="replace"), *[""] * (len(some) - 1)]
        else:
            texts += [unmasked(piece.removeprefix(SPACE_MARK), literals) for piece in some]
    return texts


class Words(NamedTuple):
    """The words of a text, and for each piece the number of the word that it belongs to."""

    spans: list[Span]
    of_piece: list[int]

    def united(self) -> Words:
        """The same, with neighbours that are one word of the text made one."""
        numbers = [0] if self.spans else []
        for before, span in itertools.pairwise(self.spans):
            numbers.append(numbers[-1] + (span != before))
        return Words([span for span, _ in itertools.groupby(self.spans)], [numbers[word] for word in self.of_piece])

    def parted(self, pieces: Sequence[str], text: str, offset: int, literals: dict[str, str]) -> Words:
        """The same, with pieces for words where no spaces part these, and the pieces spell what stands there.

        Args:
            pieces: of the text.
            text: as it stands.
            offset: of its first character in what the spans count.
            literals: what symbols among the pieces stand for.
        """
        found = Words([], [])
        for number, run in itertools.groupby(zip(self.of_piece, pieces, strict=True), lambda pair: pair[0]):
            span, texts = self.spans[number], spelled([piece for _, piece in run], literals)
            whole = text[span.start - offset : span.end - offset]
            if UNPARTED.search(whole) and "".join(texts) == whole:
                found.add(texts, span.start)
            else:
                found.of_piece.extend([len(found.spans)] * len(texts))
                found.spans.append(span)
        return found

    def add(self, texts: Sequence[str], start: int) -> None:
        """A word for each piece; letters and digits of other scripts stay together."""
        first, last = len(self.spans), ""
        for text in texts:
            together = all(one.isalnum() and not UNPARTED.match(one) for one in (last[-1:], text[:1]))
            if text and not together:
                self.spans.append(Span(start, start))
            start += len(text)
            if len(self.spans) > first:
                self.spans[-1] = self.spans[-1]._replace(end=start)
            self.of_piece.append(max(first, len(self.spans) - 1))
            last = text or last


def pinned(
    weights_TS: Sequence[Sequence[float]],
    source_pieces: Sequence[str],
    target_pieces: Sequence[str],
    target_words: Sequence[int],
    symbols: Container[str],
) -> list[Sequence[float]]:
    """Attention, with that of words which hold a symbol on the same symbol of the source alone: no need to guess there.

    Args:
        weights_TS: attention, a row per target piece, a column per source piece.
        source_pieces: of the source, symbols included.
        target_pieces: of the translation.
        target_words: the word of each of them.
        symbols: that stand for literals.
    """
    places = {piece: place for place, piece in enumerate(source_pieces) if piece in symbols}
    pins = {word: places[piece] for word, piece in zip(target_words, target_pieces, strict=True) if piece in places}
    return [
        [float(place == pins[word]) for place in range(len(source_pieces))] if word in pins else row
        for word, row in zip(target_words, weights_TS, strict=False)
    ]


def link_words(source: Sequence[int], target: Sequence[int], weights_TS: Sequence[Sequence[float]]) -> list[Link]:
    """Links between words from the attention between their pieces.

    Args:
        source: the word of each source piece, as `word_of_piece` gives it.
        target: the word of each target piece.
        weights_TS: attention, a row per target piece, a column per source piece.
    """
    totals: dict[tuple[int, int], float] = {}
    for target_word, row in zip(target, weights_TS, strict=False):
        for source_word, weight in zip(source, row, strict=True):
            totals[target_word, source_word] = totals.get((target_word, source_word), 0.0) + weight
    sums: dict[int, float] = {}
    for (target_word, _), weight in totals.items():
        sums[target_word] = sums.get(target_word, 0.0) + weight
    shares = (
        (target_word, source_word, weight / (sums[target_word] or 1.0))
        for (target_word, source_word), weight in totals.items()
    )
    return [
        Link(source_word, target_word, round(share, 3)) for target_word, source_word, share in shares if share >= LEAST
    ]


def add_links(
    alignment: Alignment, tokenizer: Tokenizer, piece: Piece, best: Hypothesis, text: str, position: int
) -> None:
    """Add a piece's words and links to those of its text.

    Args:
        alignment: of the text, up to the piece.
        tokenizer: of the translator.
        piece: what was translated.
        best: its translation, with attention.
        text: the same, spelled.
        position: of its first character in the translation of the text.
    """
    masked, raw = piece.masked, tokenizer.decode(best.tokens)
    source_words = grouped(words_of(piece.text, piece.start), masked.text, masked.sources, masked.clock.read)
    shown = masked.shown(raw)
    target_words = grouped(words_of(text, position), raw, shown, phrases(masked.clock, masked.language))
    source_pieces, target_pieces = tokenizer.pieces(piece.ids[1:-1]), tokenizer.pieces(best.tokens)
    source = Words(source_words, word_of_piece(source_pieces))
    target = Words(target_words, word_of_piece(target_pieces))
    if all(max(words.of_piece, default=-1) + 1 == len(words.spans) for words in (source, target)):
        source = source.parted(source_pieces, piece.text, piece.start, masked.sources).united()
        target = target.parted(target_pieces, text, position, shown).united()
        first_source, first_target = len(alignment.source_words), len(alignment.target_words)
        rows = [row[1:-1] for row in best.alignment or ()]
        weights = pinned(rows, source_pieces, target_pieces, target.of_piece, masked.targets)
        alignment.links.extend(
            Link(link.source + first_source, link.target + first_target, link.weight)
            for link in link_words(source.of_piece, target.of_piece, weights)
        )
    alignment.source_words.extend(source.spans)
    alignment.target_words.extend(target.spans)
