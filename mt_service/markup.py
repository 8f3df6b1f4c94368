"""HTML as blocks of text, whose inline mark-up is kept apart, and all that stands between them.

A network translates a sentence better without tags in it. So what is bold or linked becomes an `Element` that tells
which characters it is around; `projection.py` finds where that belongs in the translation. In place of what is not to
be translated, such as code, stands a literal (`data.literals`), which is carried over.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, product
from string import ascii_lowercase
from typing import NamedTuple, TypeAlias

from data.segment import words
from mt_service.tags import TEXT_ALONE, Event, events

SPACES = re.compile(r"[ \t\n\r\f]+")  # what HTML takes for white space
DEEPEST = 30  # elements within each other; deeper ones are around nothing
SHORT_WORD = re.compile(
    r"(?<![^\W_])[^\W\d_]{1,2}\Z"
)  # such as m, H or CO, whose raised or lowered digits belong to it
INLINE = words("""
    a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span strike strong sub sup
    time tt u var
""")
POINTS = words("img input wbr")  # within a line as well, but around nothing
EMPTY = words("area base br col embed hr link meta param source track") | POINTS  # which have no end
KEPT = words("""
    audio code canvas iframe kbd math noscript object pre samp script style svg template textarea tt var video
""")
RAISED = words("sub sup")
ENDED_BY_NEXT = words("dd dt li option p td th tr")  # whose end may be left out


@dataclass
class Element:
    """Mark-up around a part of a block's text, or around nothing, if that is empty."""

    start: int
    end: int
    opening: str  # tag, as written; empty where the element began before the block
    closing: str = ""
    children: list[Element] = field(default_factory=list)


class Block(NamedTuple):
    """Text that is translated as a whole."""

    raw: str  # as it stands in the document
    text: str  # without tags, character references, and white space at its ends
    elements: list[Element]  # in order; what is within them are their children
    kept: dict[str, str]  # what literals of the text stand for


Document: TypeAlias = list[str | Block]  # text between blocks stays as it is


def gathered(found: Sequence[Event]) -> Iterator[Event]:
    """Events, made one for each element that is not to be translated, or is raised or lowered and has no letter."""
    last, place = ends(found), 0
    letters = [0, *accumulate(any(map(str.isalpha, event.text)) for event in found)]
    while place < len(found):
        event, end = found[place], last.get(place, -1)
        kept = event.kept or event.name in KEPT
        mark = event.name in RAISED and letters[end + 1] == letters[place]
        if end >= 0 and (kept or mark):
            raw = "".join(one.raw for one in found[place : end + 1])
            yield Event("kept" if kept else "mark", raw, event.name)
            place = end
        else:
            yield event
        place += 1


def ends(found: Sequence[Event]) -> dict[int, int]:
    """For each event that begins an element the last one of it, if it has an end, or may go without."""
    last, open_of = dict[int, int](), defaultdict[str, list[int]](list)
    for place, event in enumerate(found):
        if event.kind == "start" and event.name not in EMPTY:
            if event.closed and event.name in ("svg", "math"):
                last[place] = place
            elif event.name in TEXT_ALONE:
                last[place] = len(found) - 1  # unless its end comes
                open_of[event.name] = [place]
            else:
                open_of[event.name].append(place)
        elif event.kind == "end" and open_of[event.name]:
            last[open_of[event.name].pop()] = place
    following: dict[str, int] = {}
    for place in range(len(found) - 1, -1, -1):
        event = found[place]
        if event.kind == "start" and event.name in ENDED_BY_NEXT:
            if place not in last and event.name in following:
                last[place] = following[event.name] - 1
            following[event.name] = place
    return last


def free_prefix(found: Sequence[Event]) -> str:
    """What literals may begin with, since no text does."""
    text = "".join(event.text for event in found)
    names = ("".join(letters) for length in count(1) for letters in product(ascii_lowercase, repeat=length))
    return next(prefix for name in names if (prefix := "{{" + name) not in text)


class Draft:
    """A block that is being read.

    Args:
        prefix: of literals for what is kept.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.raw: list[str] = []
        self.texts: list[str] = []
        self.length = 0
        self.last = ""  # character of the text
        self.elements: list[Element] = []
        self.open: list[tuple[str, Element]] = []
        self.kept: dict[str, str] = {}
        self.wrapped = 0
        self.worded = False  # whether there is a letter or digit beside what is kept
        self.ended = False  # whether an element has ended since the last text
        self.edge = 0  # where an element began or ended last

    def takes(self, event: Event) -> bool:
        """Whether an event is a part of a block, and not beside it."""
        if event.kind == "other":  # a comment within text; what has no end must stay at the document's
            return event.closed and bool(self.length or self.open)
        return event.kind == "text" or event.name in INLINE or event.name in POINTS

    def parted_from(self, event: Event) -> bool:
        """Whether an element that an event begins touches another one without white space, as words of a menu do."""
        return self.ended and self.last.isalnum() and event.kind in ("start", "kept") and event.name in INLINE

    def take(self, event: Event) -> None:
        """Add what an event says."""
        self.raw.append(event.raw)
        if event.kind == "text":
            self.add_text(SPACES.sub(" ", event.text))
        elif event.kind == "kept":
            self.keep(event.raw)
        elif event.kind == "mark":
            self.add_mark(event)
        elif event.kind == "end":
            self.close(event)
        else:
            self.add(event)

    def finished(self) -> str | Block:
        """The block; one without a letter or digit stays as it is."""
        for _, element in self.open:
            element.end = self.length
        raw = "".join(self.raw)
        return Block(raw, "".join(self.texts).rstrip(" "), self.elements, self.kept) if self.worded else raw

    def add_text(self, text: str) -> None:
        """Text, whose white space is one with that before it."""
        text = text.removeprefix(" ") if self.last in ("", " ") else text
        self.worded = self.worded or any(map(str.isalnum, text))
        self.put(text)

    def put(self, text: str) -> None:
        """Characters of the block's text."""
        if text:
            self.texts.append(text)
            self.length, self.last, self.ended = self.length + len(text), text[-1], False

    def keep(self, raw: str) -> None:
        """What is not translated: a literal stands for it."""
        literal = f"{self.prefix}{len(self.kept)}}}}}"
        self.kept[literal] = raw
        self.put(literal)

    def add_mark(self, event: Event) -> None:
        """A raised or lowered number or sign: a short word is kept together with it, as units and formulas are."""
        text = self.texts[-1] if self.texts else ""
        word = SHORT_WORD.search(text)
        if word is None or self.edge > self.length - len(word[0]):
            self.add(event._replace(name=""))
            return
        self.texts[-1], self.length = text[: word.start()], self.length - len(word[0])
        self.keep(word[0] + event.raw)

    def add(self, event: Event) -> None:
        """The beginning of an element; comments and what is around nothing have no more than that."""
        element, self.edge = Element(self.length, self.length, event.raw), self.length
        (self.open[-1][1].children if self.open else self.elements).append(element)
        if event.name in INLINE and len(self.open) < DEEPEST:
            self.open.append((event.name, element))

    def close(self, event: Event) -> None:
        """The end of an element and of all that were begun within it; one from before the block is around all of it."""
        self.ended, self.edge = True, self.length
        if any(name == event.name for name, _ in self.open):
            name = ""
            while name != event.name:
                name, element = self.open.pop()
                element.end = self.length
            element.closing = event.raw
        elif self.open or self.wrapped == DEEPEST:
            self.add(event._replace(name=""))
        else:
            self.wrapped += 1
            self.elements = [Element(0, self.length, "", event.raw, self.elements)]


def read(document: str) -> Document:
    """The blocks of a document, and what stands between them.

    Args:
        document: HTML, a page or a part of one; whatever it is, nothing of it is lost.
    """
    found = list(events(document))
    prefix = free_prefix(found)
    parts: Document = []
    draft = Draft(prefix)
    for event in gathered(found):
        inside = draft.takes(event)
        if not inside or draft.parted_from(event):
            parts.append(draft.finished())
            draft = Draft(prefix)
        if inside:
            draft.take(event)
        else:
            parts.append(event.raw)
    return [part for part in (*parts, draft.finished()) if part]
