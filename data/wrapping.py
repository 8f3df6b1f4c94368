"""Lines that were broken to fit a width, as e-mails and copied pages have them, go on in the next line.

A line end parts sentences, unless the next line begins with a small letter after a long line without a mark at its end,
or unless no line of a paragraph had room for the word that begins the next one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

WIDTH = 40  # characters of the shortest line that may have been broken
PARAGRAPH = 3  # lines, of which all but the last must be full
LINE = re.compile(r"\S[^\r\n]*")
HYPHEN = re.compile(  # within a word, at the end of a line; "Vor- und Nachteile" has none
    r"(?<=[^\W\d_])-[ \t]*\r?\n[ \t]*(?!(?:und|oder|bzw|sowie|bis|and|or|to)\b)(?=(?P<small>[a-zß-öø-ÿ])?[^\W\d_])"
)
ENDS = ".!?…:|"


class Line(NamedTuple):
    """A line without white space at its ends, and where it stands."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the white space behind it begins."""
        return self.start + len(self.text)


def soft_breaks(text: str) -> frozenset[int]:
    """Where the white space begins that breaks a line within a sentence."""
    if "\n" not in text:
        return frozenset()
    found = set[int]()
    for lines in paragraphs(text):
        full = is_full(lines)
        found.update(line.end for line, following in pairwise(lines) if goes_on(line.text, following.text, full))
    return frozenset(found)


def paragraphs(text: str) -> list[list[Line]]:
    """Lines without an empty one between them."""
    found: list[list[Line]] = [[]]
    for match in LINE.finditer(text):
        line = Line(match[0].rstrip(), match.start())
        if found[-1] and text.count("\n", found[-1][-1].end, line.start) > 1:
            found.append([])
        found[-1].append(line)
    return found


def is_full(lines: Sequence[Line]) -> bool:
    """Whether no line but the last had room for the next one's first word, and some line begins with a small letter."""
    longest = max((len(line.text) for line in lines), default=0)
    if len(lines) < PARAGRAPH or longest < WIDTH or not any(line.text[0].islower() for line in lines[1:]):
        return False
    return all(len(line.text) + 1 + len(after.text.split()[0]) > longest for line, after in pairwise(lines))


def goes_on(line: str, following: str, full: bool) -> bool:
    """Whether a sentence goes on behind a line."""
    if line[-1] in ENDS or not following[0].isalnum():
        return False
    return full or (len(line) >= WIDTH and following[0].islower())


def rejoined(text: str) -> str:
    """A sentence without white space, and mostly without the hyphen, where a word is parted at the end of a line."""
    return HYPHEN.sub(lambda match: "" if match["small"] else "-", text) if "-" in text and "\n" in text else text
