"""HTML as blocks of text, whose inline mark-up is kept apart, and all that stands between them.

A network translates a sentence better without tags in it. So what is bold or linked becomes an `Element` that tells
which characters it is around; `projection.py` finds where that belongs in the translation. In place of what is not to
be translated, such as code, stands a literal (`data.literals`), which is carried over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

from data.segment import words

SPACES = re.compile(r"[ \t\n\r\f]+")  # what HTML takes for white space
DEEPEST = 30  # elements within each other; deeper ones are around nothing
INLINE = words("""
    a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike strong
    sub sup time tt u var
""")
POINTS = words("img input wbr")  # within a line as well, but around nothing
EMPTY = words("area base br col embed hr link meta param source track") | POINTS  # which have no end
KEPT = words("""
    audio code canvas iframe kbd math noscript object pre samp script style svg template textarea tt var video
""")


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


class Event(NamedTuple):
    """What a parser finds, with all that is written until it finds something else."""

    kind: str  # start, end, text, other; or kept, a whole element
    raw: str
    name: str = ""  # of the element, in small letters
    text: str = ""  # without character references
    kept: bool = False  # whether an attribute says that it is not to be translated


class Parser(HTMLParser):
    """Lists what stands in a document, and where."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found = [(0, Event("other", ""))]  # what the parser passes over before it finds anything
        self.lines = [0, *accumulate(len(line) + 1 for line in document.split("\n"))]
        self.feed(document)
        self.close()
        spans = pairwise([*(place for place, _ in self.found), len(document)])
        self.events = [
            event._replace(raw=document[start:end])
            for (_, event), (start, end) in zip(self.found, spans, strict=True)
            if end > start
        ]

    def note(self, event: Event) -> None:
        """Add an event that begins here."""
        line, column = self.getpos()
        self.found.append((self.lines[line - 1] + column, event))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        said = dict(attrs)
        kept = said.get("translate") == "no" or "notranslate" in (said.get("class") or "").split()
        self.note(Event("start", "", tag, kept=kept))

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self.note(Event("end", "", tag))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag with a stroke at its end, which in HTML says nothing."""
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        """Text."""
        self.note(Event("text", "", text=data))

    def handle_comment(self, data: str) -> None:
        """A comment, or what is taken for one."""
        self.note(Event("other", "", text=data))

    def handle_decl(self, decl: str) -> None:
        """Of the type of the document."""
        self.handle_comment(decl)

    def handle_pi(self, data: str) -> None:
        """An instruction for whoever reads it."""
        self.handle_comment(data)

    def unknown_decl(self, data: str) -> None:
        """Such as CDATA."""
        self.handle_comment(data)


def gathered(events: Iterable[Event]) -> Iterator[Event]:
    """Events, those of an element that is not to be translated made one."""
    name, depth, raw = "", 0, ""
    for event in events:
        begins = event.kind == "start" and (event.kept or event.name in KEPT) and event.name not in EMPTY
        if not (depth or begins):
            yield event
            continue
        name = name if depth else event.name
        raw += event.raw
        if event.name == name:
            depth += {"start": 1, "end": -1}.get(event.kind, 0)
        if not depth:
            yield Event("kept", raw, name)
            raw = ""
    if raw:
        yield Event("kept", raw, name)


class Reader:
    """Puts blocks together from events.

    Args:
        document: HTML, a page or a part of one; whatever it is, nothing of it is lost.
    """

    def __init__(self, document: str) -> None:
        self.parts: Document = []
        self.prefix = "{{m"  # of literals, which the document has none of
        while self.prefix in document:
            self.prefix += "m"
        self.begin()
        for event in gathered(Parser(document).events):
            self.take(event)
        self.finish()

    def begin(self) -> None:
        """A new block."""
        self.raw = self.text = ""
        self.elements: list[Element] = []
        self.open: list[tuple[str, Element]] = []
        self.kept: dict[str, str] = {}
        self.wrapped = 0

    def finish(self) -> None:
        """The end of a block; one without a letter or digit stays as it is."""
        for _, element in self.open:
            element.end = len(self.text)
        own = self.text
        for literal in self.kept:
            own = own.replace(literal, "")
        if any(map(str.isalnum, own)):
            self.parts.append(Block(self.raw, self.text.rstrip(" "), self.elements, self.kept))
        elif self.raw:
            self.parts.append(self.raw)
        self.begin()

    def take(self, event: Event) -> None:
        """What an event adds to a block, or that it ends one."""
        within = event.kind == "text" or (event.kind == "other" and bool(self.text or self.open))
        if not (within or event.name in INLINE or event.name in POINTS):
            self.finish()
            self.parts.append(event.raw)
            return
        self.raw += event.raw
        if event.kind == "text":
            text = SPACES.sub(" ", event.text)
            self.text += text.removeprefix(" ") if self.text[-1:] in ("", " ") else text
        elif event.kind == "kept":
            literal = f"{self.prefix}{len(self.kept)}}}}}"
            self.kept[literal] = event.raw
            self.text += literal
        elif event.kind == "end":
            self.close(event)
        else:
            self.add(event)

    def add(self, event: Event) -> None:
        """The beginning of an element; comments and what is around nothing have no more than that."""
        element = Element(len(self.text), len(self.text), event.raw)
        (self.open[-1][1].children if self.open else self.elements).append(element)
        if event.name in INLINE and len(self.open) < DEEPEST:
            self.open.append((event.name, element))

    def close(self, event: Event) -> None:
        """The end of an element and of all that were begun within it; one from before the block is around all of it."""
        if any(name == event.name for name, _ in self.open):
            name = ""
            while name != event.name:
                name, element = self.open.pop()
                element.end = len(self.text)
            element.closing = event.raw
        elif self.open or self.wrapped == DEEPEST:
            self.add(event._replace(name=""))
        else:
            self.wrapped += 1
            self.elements = [Element(0, len(self.text), "", event.raw, self.elements)]


def read(document: str) -> Document:
    """The blocks of a document, and what stands between them."""
    return Reader(document).parts
