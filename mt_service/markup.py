"""HTML as blocks of text, whose inline mark-up is kept apart, and all that stands between them.

A network translates a sentence better without tags in it. So what is bold or linked becomes an `Element` that tells
which characters it is around; `projection.py` finds where that belongs in the translation. In place of what is not to
be translated, such as code, stands a literal (`data.literals`), which is carried over.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, count, product
from string import ascii_lowercase
from typing import NamedTuple, TypeAlias

from data.normalize import normalize
from data.segment import words
from mt_service.attributes import Attribute, Values, filled
from mt_service.tags import SPACE, SPACES, TEXT_ALONE, Event, events

LAST_SPACES = re.compile(rf"(?<![{SPACE}])[{SPACE}]+\Z")
DEEPEST = 30  # elements within each other; deeper ones are around nothing
TAIL = 8  # characters before a raised or lowered sign that are looked at
SIGNED = {  # what a sign belongs to: symbols, which stand alone, elements, and units behind a number
    "sub": re.compile(r"(?<![^\W_])(?:[^\W\d_]|[A-Z][a-z]|[A-Z]{2})\Z"),
    "sup": re.compile(r"(?<![^\W_])(?:[b-zB-HJ-Z]|(?<=\d[ \xa0])[a-z]{2})\Z"),
}
BLOCKS = words("""
    address article aside blockquote body br button caption center col colgroup dd details dialog dir div dl dt fieldset
    figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html label legend li link main
    iframe menu meta nav noscript ol optgroup option p pre script section select style summary table tbody td template
    textarea tfoot th thead title tr ul
""")  # all else stands within a line
POINTS = words("img input wbr embed source track param area")  # around nothing
EMPTY = words("base br col hr link meta") | POINTS  # which have no end
SILENT = words("audio canvas math object svg video")  # kept within a line, and say nothing
KEPT = words("code kbd samp tt var pre textarea iframe noscript script style template") | SILENT
RAISED = words("sub sup")
ADDRESS = re.compile(r"\s*(?:https?://|www\.)\S+\s*")
FEW = 20  # events of a link that is looked at closer
ENDED_BY_NEXT = words("dd dt li option p td th tr")  # whose end may be left out


@dataclass
class Element:
    """Mark-up around a part of a block's text, or around nothing, if that is empty."""

    start: int
    end: int
    opening: str  # tag, as written; empty where the element began before the block
    closing: str = ""
    children: list[Element] = field(default_factory=list)

    def with_values(self, values: Mapping[str, str]) -> Element:
        """The element with values of attributes in place of symbols."""
        children = [child.with_values(values) for child in self.children]
        return replace(self, opening=filled(self.opening, values), children=children)


class Block(NamedTuple):
    """Text that is translated as a whole."""

    raw: str  # as it stands in the document
    text: str  # without tags, character references, and white space at its ends
    elements: list[Element]  # in order; what is within them are their children
    kept: dict[str, str]  # what literals of the text stand for
    before: str = ""  # white space, as it stands or as it is shown
    behind: str = ""

    def with_values(self, values: Mapping[str, str]) -> Block:
        """The block with values of attributes in place of symbols, which its text never has."""
        elements = [element.with_values(values) for element in self.elements]
        return self._replace(elements=elements, kept={name: filled(raw, values) for name, raw in self.kept.items()})


Document: TypeAlias = list[str | Block | Attribute]  # values come first; text between blocks stays as it is


def gathered(found: Sequence[Event], values: Values) -> Iterator[Event]:
    """Events, made one for each element that is not to be translated, or is raised or lowered and has no letter.

    Args:
        found: all of a document.
        values: where those of tags go that are to be translated.
    """
    last, place = ends(found), 0
    letters = [0, *accumulate(any(map(str.isalpha, event.text)) for event in found)]
    while place < len(found):
        event, end = found[place], last.get(place, -1)
        address = event.name == "a" and place < end <= place + FEW and is_address(found[place : end + 1])
        kept = event.kept or event.name in KEPT or address
        mark = event.name in RAISED and letters[end + 1] == letters[place]
        if event.kind == "start" and not event.kept:
            event = values.out_of(event)
        if end >= 0 and (kept or mark):
            yield as_one("kept" if kept else "mark", [event, *found[place + 1 : end + 1]])
            place = end
        else:
            yield event
        place += 1


def as_one(kind: str, some: Sequence[Event]) -> Event:
    """The events of an element as one."""
    raw, text = "".join(event.raw for event in some), "".join(event.text for event in some)
    return Event(kind, raw, some[0].name, text, closed=some[-1].kind == "end" or some[0].closed)


def is_address(some: Sequence[Event]) -> bool:
    """Whether a link shows its address, of which parts may be hidden."""
    return ADDRESS.fullmatch("".join(event.text for event in some)) is not None


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


def free_prefix(*texts: str) -> str:
    """What symbols may begin with, since nothing in some texts does."""
    names = ("".join(letters) for length in count(1) for letters in product(ascii_lowercase, repeat=length))
    return next(prefix for name in names if not any((prefix := "{{" + name) in text for text in texts))


def said(found: Iterable[Event]) -> str:
    """All text that is translated, without what falls out of it: raised numbers, pictures, what nobody sees."""
    return normalize("".join(event.text for event in found if event.kind == "text"))


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
        self.spaced = False  # whether white space stands before the text
        self.ended: set[str] = set()  # names of elements that have ended since the last text
        self.edge = 0  # where an element began or ended last
        self.point: Element | None = None  # the last one around nothing since the last text

    def takes(self, event: Event) -> bool:
        """Whether an event is a part of a block, and not beside it."""
        if event.kind == "other" or (event.kind == "kept" and event.name in SILENT):
            return event.closed and bool(self.length or self.open)  # what has no end stays at the document's
        return event.name not in BLOCKS

    def parted_from(self, event: Event, following: str) -> bool:
        """Whether an event begins a link behind another element, or the other way round, without white space between.

        Args:
            event: that comes next.
            following: the first character of what it is around.
        """
        link = event.name == "a" or "a" in self.ended
        touches = self.last.isalnum() and following.isalnum()
        return bool(self.ended) and link and touches and event.kind in ("start", "kept")

    def take(self, event: Event) -> None:
        """Add what an event says."""
        self.raw.append(event.raw)
        if event.kind == "text":
            self.add_text(SPACES.sub(" ", event.text))
        elif event.kind == "kept" and event.name not in SILENT:
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
        raw, text = "".join(self.raw), "".join(self.texts)
        if not self.worded:
            return raw
        before, behind, bare = SPACES.match(raw), LAST_SPACES.search(raw), text.rstrip(" ")
        if behind and self.point:
            self.point.closing = ""  # the white space behind it is the block's
        ends = text != bare and all(one.start <= len(bare) for one in self.elements)
        return Block(
            raw,
            bare,
            self.elements,
            self.kept,
            before[0] if before else " " * self.spaced,
            behind[0] if behind else " " * ends,
        )

    def add_text(self, text: str) -> None:
        """Text, whose white space is one with that before it; but behind a picture between words it is shown."""
        if text.startswith(" ") and self.last in ("", " "):
            text, self.spaced = text[1:], self.spaced or not self.last
            if self.last and self.point:
                self.point.closing = " "
        self.worded = self.worded or any(map(str.isalnum, text))
        self.put(text)

    def put(self, text: str) -> None:
        """Characters of the block's text."""
        if text:
            self.texts.append(text)
            self.length, self.last = self.length + len(text), text[-1]
            self.ended, self.point = set(), None

    def keep(self, raw: str) -> None:
        """What is not translated: a literal stands for it."""
        literal = f"{self.prefix}{len(self.kept)}}}}}"
        self.kept[literal] = raw
        self.put(literal)

    def add_mark(self, event: Event) -> None:
        """A raised or lowered number or sign: what it belongs to in units and formulas is kept together with it."""
        counts = any(map(str.isdigit, event.text)) and "[" not in event.text  # and is no footnote's
        word = SIGNED[event.name].search("".join(text[-TAIL:] for text in self.texts[-2:])) if counts else None
        if word is None or self.edge > self.length - len(word[0]):
            self.add(event._replace(name=""))
            return
        self.texts[-1], self.length = self.texts[-1].removesuffix(word[0]), self.length - len(word[0])
        self.keep(word[0] + event.raw)

    def add(self, event: Event) -> None:
        """The beginning of an element; comments and what is around nothing have no more than that."""
        element, self.edge = Element(self.length, self.length, event.raw), self.length
        (self.open[-1][1].children if self.open else self.elements).append(element)
        if event.kind == "start" and event.name not in POINTS and event.name and len(self.open) < DEEPEST:
            self.open.append((event.name, element))
        else:
            self.point = element

    def close(self, event: Event) -> None:
        """The end of an element and of all that were begun within it; one from before the block is around all of it."""
        self.ended.add(event.name)
        self.edge = self.length
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


def first_said(found: Sequence[Event]) -> list[str]:
    """For each event the first character of the text, if it begins an element, that is within that one."""
    said, following = list[str](), ""
    for event in reversed(found):
        if event.kind in ("text", "kept"):
            following = event.text[:1]
        elif event.kind == "end":
            following = ""
        said.append(following)
    return said[::-1]


def read(document: str) -> Document:
    """The blocks of a document, and what stands between them.

    Args:
        document: HTML, a page or a part of one; whatever it is, nothing of it is lost.
    """
    found = list(events(document))
    values = Values(free_prefix(document))
    whole = list(gathered(found, values))
    prefix = free_prefix(document, "".join(event.text for event in found), said(whole))
    parts: list[str | Block] = []
    draft = Draft(prefix)
    for event, following in zip(whole, first_said(whole), strict=True):
        inside = draft.takes(event)
        if not inside or draft.parted_from(event, following):
            parts.append(draft.finished())
            draft = Draft(prefix)
        if inside:
            draft.take(event)
        else:
            parts.append(event.raw)
    return [*values.found, *(part for part in (*parts, draft.finished()) if part)]


def visible(document: str) -> Iterator[str]:
    """The texts of a document one after the other, without scripts and the like."""
    name = ""
    for event in events(document):
        if event.kind == "text" and name not in KEPT:
            yield event.text
        name = event.name if event.kind == "start" else ""
