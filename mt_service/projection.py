"""Mark-up put where it belongs in a translation, by which words were looked at for which.

The attention of a network tells for each word of a translation which words of the text it came from. An element goes
around those neighbours that came from its own words; what an element is within, it stays within.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from html import escape

from mt_service.alignment import Alignment, Span
from mt_service.attributes import Attribute, filled
from mt_service.markup import Block, Document, Element
from mt_service.translation import Alternative, Translation

LITERAL = re.compile(r"\{\{[a-z]+\d+\}\}")
OF_WORD = re.compile(r"[\w{}]")  # or of a literal
FAIR = 0.5  # of a word's attention: with less on an element's words, it is rather none of the element's


def texts(documents: Iterable[Document]) -> list[str]:
    """All that is to be translated of some documents."""
    return [part.text for document in documents for part in document if not isinstance(part, str)]


def put_back(documents: Iterable[Document], translations: Iterable[Translation]) -> list[Translation]:
    """Translated documents from the translations of their texts, with alignments, in the same order."""
    remaining = iter(translations)
    return [whole(document, remaining) for document in documents]


def whole(document: Document, translations: Iterator[Translation]) -> Translation:
    """One document."""
    parts, used = list[str](), list[Translation]()
    warnings, doubtful, foreign = list[str](), list[str](), list[str]()
    values: dict[str, str] = {}
    for part in document:
        if isinstance(part, str):
            parts.append(filled(part, values))
            continue
        one = next(translations)
        used.append(one)
        if isinstance(part, Attribute):
            values[part.symbol] = part.written(one.text)
            warnings += one.warnings
            doubtful += one.doubtful
            foreign += one.foreign
        else:
            part = part.with_values(values) if values else part
            text, lost = marked_up(part, one)
            parts.append(text)
            warnings += [original(warning, part) for warning in one.warnings]
            warnings += [f"the translation has no place for {raw}, which stands at its end" for raw in lost]
            doubtful += [original(sentence, part) for sentence in one.doubtful]
            foreign += [original(text, part) for text in one.foreign]
    return summed_up("".join(parts), used)._replace(warnings=warnings, doubtful=doubtful, foreign=foreign)


def summed_up(text: str, used: Sequence[Translation]) -> Translation:
    """A document's translation, and what those that it was made of took."""
    searched = sum(one.sentences for one in used)
    score = sum(one.score * one.sentences for one in used) / max(1, searched)
    return Translation(
        text=text,
        score=score,
        alternatives=[Alternative(text, score)],
        alignment=None,
        tokens=sum(one.tokens for one in used),
        sentences=searched,
        warnings=[],
        doubtful=[],
    )


def original(text: str, block: Block) -> str:
    """A text with what its literals stand for."""
    return LITERAL.sub(lambda match: block.kept.get(match[0], match[0]), text) if block.kept else text


def marked_up(block: Block, translation: Translation) -> tuple[str, list[str]]:
    """A block's translation as HTML, and what had no place in it."""
    projection = Projection(block, translation)
    text = projection.html()
    lost = list(projection.left.values())
    return "".join([block.before, text, *lost, block.behind]), lost


class Projection:
    """A block and its translation.

    Args:
        block: text with elements.
        translation: of that text, with its alignment.
    """

    def __init__(self, block: Block, translation: Translation) -> None:
        alignment = translation.alignment or Alignment([], [], [])
        self.block, self.text = block, translation.text
        self.left = dict(block.kept)  # literals that were not put yet
        self.source, self.target = alignment.source_words, alignment.target_words
        self.source_starts = [word.start for word in self.source]
        self.target_starts = [word.start for word in self.target]
        self.links = alignment.links

    @cached_property
    def shares(self) -> dict[int, list[tuple[int, float]]]:
        """For each source word the target words linked to it, and how much of their attention it has."""
        totals: dict[int, float] = defaultdict(float)
        for link in self.links:
            totals[link.target] += link.weight
        shares: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for link in self.links:
            shares[link.source].append((link.target, link.weight / totals[link.target]))
        return shares

    @cached_property
    def spaces(self) -> list[int]:
        """Where white space stands in the translation."""
        return [place for place, character in enumerate(self.text) if character.isspace()]

    @cached_property
    def next_word(self) -> list[int]:
        """For each place of the text that of the next character that is no white space."""
        text, found = self.block.text, [len(self.block.text)]
        for place in range(len(text) - 1, -1, -1):
            found.append(found[-1] if text[place].isspace() else place)
        return found[::-1]

    def html(self) -> str:
        """The translation with all elements; those behind its last white space stay there."""
        ends = len(self.block.text), len(self.text)
        within = [one for one in self.block.elements if one.start <= ends[0]]
        behind = [one for one in self.block.elements if one.start > ends[0]]
        text = self.render(within, (0, ends[0]), (0, ends[1]))
        return f"{text} {self.render(behind, ends[:1] * 2, ends[1:] * 2)}" if behind else text

    def render(self, elements: Sequence[Element], source: tuple[int, int], target: tuple[int, int]) -> str:
        """A part of the translation with the elements in it.

        Args:
            elements: that are not within each other.
            source: characters of the text that hold them.
            target: characters of the translation that they belong to.
        """
        taken: set[int] = set()
        spans = {id(one): self.span(one, source, target, taken) for one in elements if one.end > one.start}
        around = sorted(spans.values())
        spans |= {id(one): (self.point(one, source, target, around),) * 2 for one in elements if one.end <= one.start}
        parts, position = list[str](), target[0]
        for element in sorted(elements, key=lambda one: spans[id(one)][0]):
            start, end = (max(position, place) for place in spans[id(element)])
            within = self.render(element.children, (element.start, element.end), (start, end))
            parts += [self.shown(position, start), element.opening, within, element.closing]
            position = end
        return "".join([*parts, self.shown(position, target[1])])

    def shown(self, start: int, end: int) -> str:
        """A part of the translation as HTML, with what its literals stand for, each once."""

        def put(match: re.Match[str]) -> str:
            return self.left.pop(match[0], "") if match[0] in self.block.kept else match[0]

        return LITERAL.sub(put, escape(self.text[start:end], quote=False))

    def span(
        self, element: Element, source: tuple[int, int], target: tuple[int, int], taken: set[int]
    ) -> tuple[int, int]:
        """The characters that an element is around; it takes their words."""
        if self.is_space(source[0], element.start) and self.is_space(element.end, source[1]):
            return target
        within = words_between(self.target, self.target_starts, *target)
        shares: dict[int, float] = defaultdict(float)
        for word in words_between(self.source, self.source_starts, element.start, element.end):
            for other, share in self.shares[word]:
                if other in within and other not in taken:
                    shares[other] += share
        if not shares:
            return self.unlinked(element, target)
        start, end = best_run(shares, taken)
        taken.update(range(start, end))
        return self.trimmed(element, max(self.target[start].start, target[0]), min(self.target[end - 1].end, target[1]))

    def trimmed(self, element: Element, start: int, end: int) -> tuple[int, int]:
        """Characters without the marks at their ends that the element does not have at its own."""
        own = self.block.text[element.start : element.end].strip()
        while OF_WORD.match(own[-1:]) and end > start + 1 and not OF_WORD.match(self.text[end - 1]):
            end -= 1
        while OF_WORD.match(own) and start < end - 1 and not OF_WORD.match(self.text[start]):
            start += 1
        return start, end

    def point(
        self, element: Element, source: tuple[int, int], target: tuple[int, int], around: Sequence[tuple[int, int]]
    ) -> int:
        """Where an element stands that is around nothing: beside the word that came from the one that it touches.

        Where it touches none, or two, that is the one behind it.
        """
        place = element.start
        if self.is_space(source[0], place):
            return target[0]
        if self.is_space(place, source[1]):
            return target[1]
        text, word = self.block.text, bisect_left(self.source_starts, place)
        behind = word > 0 and not text[place - 1].isspace() and text[place].isspace()
        links = self.shares[word - behind]
        if links:
            found = self.target[max(links, key=lambda one: one[1])[0]]
            place = found.end if behind else found.start
        else:
            place = self.near(place, target)
        place = min(max(place, target[0]), target[1])
        before = bisect_left(around, (place,)) - 1
        return max(place, around[before][1]) if before >= 0 and around[before][1] > place else place

    def is_space(self, start: int, end: int) -> bool:
        """Whether a part of the text has nothing but white space."""
        last = len(self.block.text)
        return self.next_word[min(start, last)] >= min(end, last)

    def unlinked(self, element: Element, target: tuple[int, int]) -> tuple[int, int]:
        """Where an element goes whose words nothing is linked to: where it was, or in another text about there."""
        if self.text == self.block.text:
            start = min(max(element.start, target[0]), target[1])
            return start, max(start, min(element.end, target[1]))
        start = self.near(element.start, target)
        end = bisect_right(self.spaces, start)
        return self.trimmed(element, start, min(self.spaces[end], target[1]) if end < len(self.spaces) else target[1])

    def near(self, place: int, target: tuple[int, int]) -> int:
        """The beginning of a word, as far into the translation as a place is into the text."""
        place = round(place / max(1, len(self.block.text)) * len(self.text))
        before = bisect_left(self.spaces, place)
        return min(max(self.spaces[before - 1] + 1 if before else 0, target[0]), target[1])


def words_between(words: Sequence[Span], starts: Sequence[int], start: int, end: int) -> range:
    """The words that have characters from `start` to `end`; `starts` are their first ones."""
    first = bisect_right(starts, start)
    if first and words[first - 1].end > start:
        first -= 1
    return range(first, bisect_left(starts, end))


def best_run(shares: dict[int, float], taken: set[int]) -> tuple[int, int]:
    """Neighbours of which most came from an element: first, and one after the last.

    Args:
        shares: how much of them came from there.
        taken: words that belong to other elements.
    """
    best, total, start = (float("-inf"), 0, 0), 0.0, min(shares)
    for word in range(min(shares), max(shares) + 1):
        if total <= 0.0:
            total, start = 0.0, word
        total += float("-inf") if word in taken else shares.get(word, 0.0) - FAIR
        best = max(best, (total, start, word + 1), key=lambda one: one[0])
    return best[1], best[2]
