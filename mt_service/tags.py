"""What stands in HTML: tags, text, and all else, in one pass.

The library's parser fails on some documents, and takes minutes for others where the end of a comment never comes; and
what is to be put together again must be known with all that stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from typing import NamedTuple

from data.segment import words

TEXT_ALONE = words("script style textarea title iframe noembed noframes xmp")  # whose tags are text, but for their end
SPACE = r" \t\n\r\f"  # what HTML takes for white space
SPACES = re.compile(f"[{SPACE}]+")
NAME = re.compile(rf"/?[A-Za-z][^{SPACE}/>]*")
ATTRIBUTE = re.compile(
    rf"""[{SPACE}/]*([^{SPACE}/>][^{SPACE}/>=]*)(?:[{SPACE}]*=[{SPACE}]*("[^"]*"|'[^']*'|[^{SPACE}>]*))?"""
)
UNCLOSED = re.compile(r"(['\"])(?!.*\1\Z)", re.DOTALL)  # at the beginning of a value
TAG_END = re.compile(rf"[{SPACE}/]*>")
COMMENT_END = re.compile(r"--!?>")
ENDLESS_NUMBER = re.compile(r"&#\d{8,};?")  # of no character
NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*)(;?)(=?)")  # a reference, perhaps without its end


class Event(NamedTuple):
    """A part of a document; all parts together are the document."""

    kind: str  # start, end, text, other; kept and mark are whole elements
    raw: str
    name: str = ""  # of the element, in small letters
    text: str = ""  # without character references
    kept: bool = False  # whether an attribute says that it is not to be translated
    closed: bool = False  # of a tag, whether a stroke ends it; of all else, whether it ends at all


def events(document: str) -> Iterator[Event]:
    """All parts of a document; what has no end reaches up to the document's."""
    place, text = 0, 0  # where to look on, and where text begins that was not given yet
    while (start := document.find("<", place)) >= 0:
        found = event_at(document, start)
        if found is None:
            place = start + 1
            continue
        yield from text_event(document[text:start])
        yield found
        place = text = start + len(found.raw)
        if found.kind == "start" and found.name in TEXT_ALONE:
            text, place = place, end_of_text(document, place, found.name)
            yield from text_event(document[text:place])
            text = place
    yield from text_event(document[text:])


def text_event(raw: str) -> Iterator[Event]:
    """Text, if there is any."""
    if raw:
        yield Event("text", raw, text=plain(raw))


def plain(raw: str) -> str:
    """Text without character references."""
    return unescape(ENDLESS_NUMBER.sub("\ufffd", raw))


def plain_value(raw: str) -> str:
    """The value of an attribute without its quotes and character references, which more often need their end there."""

    def of_attribute(match: re.Match[str]) -> str:
        known = match[1] + match[2] in html5 and not (match[3] and not match[2])
        return match[0] if known else "&amp;" + match[0][1:]

    return plain(NAMED.sub(of_attribute, raw[1:-1] if raw.startswith(("'", '"')) else raw))


def event_at(document: str, start: int) -> Event | None:
    """What begins with a '<' of a document; nothing where it is text."""
    if document.startswith("<!--", start):
        end = COMMENT_END.search(document, start + 2)
        return Event("other", document[start : end.end() if end else None], closed=end is not None)
    if document.startswith(("<!", "<?"), start):
        close = document.find(">", start)
        return Event("other", document[start : close + 1 if close >= 0 else None], closed=close >= 0)
    match = NAME.match(document, start + 1)
    return tag(document, start, match) if match else None


def attributes(document: str, place: int) -> Iterator[re.Match[str]]:
    """The attributes of a tag, from where its name ends on: name, and value as written, if there is one."""
    while found := ATTRIBUTE.match(document, place):
        yield found
        place = found.end()


def tag(document: str, start: int, match: re.Match[str]) -> Event:
    """A tag, whose name was found; without an end, or that of a value, it reaches up to the document's."""
    values, place = dict[str, str](), match.end()
    for found in attributes(document, place):
        if UNCLOSED.match(found[2] or ""):
            return Event("other", document[start:])
        values.setdefault(found[1].lower(), (found[2] or "").strip("\"'").lower())
        place = found.end()
    end = TAG_END.match(document, place)
    if not end:
        return Event("other", document[start:])
    raw, name = document[start : end.end()], match[0].lower()
    if name.startswith("/"):
        return Event("end", raw, name[1:])
    kept = values.get("translate") == "no" or "notranslate" in values.get("class", "").split()
    return Event("start", raw, name, kept=kept, closed=raw.endswith("/>"))


def end_of_text(document: str, place: int, name: str) -> int:
    """Where an element ends that holds nothing but text."""
    found = re.compile(rf"</{name}(?=[{SPACE}/>])", re.IGNORECASE).search(document, place)
    return found.start() if found else len(document)
