"""Attributes of HTML that people read or hear, such as `alt` of pictures: their values are translated, too.

In what is kept of a document a symbol stands for each such value until its translation is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import NamedTuple

from data.segment import words
from mt_service.tags import NAME, SPACES, Event, attributes, plain_value

READ = words("alt title placeholder aria-label aria-description aria-placeholder")
OF_ELEMENT = {"option": "label", "optgroup": "label", "track": "label"}
BUTTONS = words("submit button reset")  # kinds of input whose value is shown
DESCRIPTIONS = words("""
    description og:title og:description og:image:alt twitter:title twitter:description twitter:image:alt
""")
SHEETS = words("link style")  # whose titles are names of style sheets
SYMBOL = re.compile(r"\{\{[a-z]+_\d+\}\}")
PROGRAM = ("<?", "<%")  # begin what another program puts there


class Attribute(NamedTuple):
    """A value that is translated as a text of its own."""

    symbol: str  # stands for it in tags
    raw: str  # as written, with its quotes
    text: str  # without character references, and white space at its ends

    def written(self, translation: str) -> str:
        """A translation as the value; one that is no other text leaves it as it was."""
        return self.raw if translation == self.text else f'"{escape(translation)}"'


class Values:
    """The values of a document.

    Args:
        prefix: of symbols, which nothing in the document begins with.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.found: list[Attribute] = []

    def out_of(self, event: Event) -> Event:
        """A tag with symbols in place of values that people read."""
        name = NAME.match(event.raw, 1)
        if not name:
            return event
        written = {found[1].lower(): found for found in reversed(list(attributes(event.raw, name.end())))}
        parts, place = list[str](), 0  # of several with one name the first counts
        for found in sorted(written.values(), key=re.Match.start):
            if is_read(event.name, found[1].lower(), written) and is_text(text := text_of(found)):
                symbol = f"{self.prefix}_{len(self.found)}}}}}"
                self.found.append(Attribute(symbol, found[2], text))
                parts += [event.raw[place : found.start(2)], symbol]
                place = found.end(2)
        return event._replace(raw="".join([*parts, event.raw[place:]])) if parts else event


def text_of(found: re.Match[str]) -> str:
    """The value of an attribute as it is read: in one line."""
    return SPACES.sub(" ", plain_value(found[2] or "")).strip(" ")


def is_text(value: str) -> bool:
    """Whether a value has a word in it, and nothing that another program looks for."""
    return any(map(str.isalpha, value)) and not any(mark in value for mark in PROGRAM)


def is_read(element: str, name: str, written: Mapping[str, re.Match[str]]) -> bool:
    """Whether people read an attribute of an element, given all of its attributes, and only they."""

    def value(other: str) -> str:
        return text_of(written[other]).lower() if other in written else ""

    if name == "value":
        return element == "input" and value("type") in BUTTONS and "name" not in written
    if name == "content":
        named = {value("name"), value("property")}
        return element == "meta" and "http-equiv" not in written and bool(named & DESCRIPTIONS)
    if name == "title" and element in SHEETS:
        return False
    return name in READ or name == OF_ELEMENT.get(element)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with values in place of symbols."""
    return SYMBOL.sub(lambda match: values.get(match[0], match[0]), text) if values else text
