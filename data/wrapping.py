"""Lines that were broken to fit a width, as e-mails and copied pages have them, go on in the next line.

In paragraphs that begin with a small letter, as chats and code do, each line end parts sentences, unless a comma stands
before them, as behind "Sehr geehrter Herr Müller,". In others it does not
if the next line begins with a small letter after a long line without a mark at its end, or if no line of the paragraph
had room for the word that begins the next one. Lines of a quotation ("> ") go on in lines that are quoted as deeply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

WIDTH = 40  # characters of the longest line of a paragraph that is full, at the least
LONG = 60  # characters of a line that is followed by a small letter, at the least
PARAGRAPH = 3  # lines, of which all but the last must be full
TAIL = 100  # characters before a hyphen that are looked at
LINE = re.compile(r"\S[^\r\n]*")
QUOTE = re.compile(r"(?:>[ \t]*)+")  # begins a line of a quotation
QUOTED_BREAK = re.compile(rf"\n[ \t]*{QUOTE.pattern}")
HYPHEN = re.compile(  # within a word, at the end of a line; "Vor- und Nachteile" has none
    r"(?<=[^\W\d_])[-\u00ad\u2010][ \t]*\r?\n[ \t]*(?:>[ \t]*)*"
    r"(?!(?:und|oder|bzw|sowie|bis|wie|als|sondern|aber|noch|and|or)\b)(?=(?P<small>[a-zß-öø-ÿ])?[^\W\d_])"
)
KEPT_HYPHEN = re.compile(r"(?:[-/@]\S*|(?<!\S)\w)\Z")  # what stands before one in e-mail, state-of-the-art, addresses
ITEM = re.compile(  # begins a line of its own: marks of lists, addresses, keys and who speaks
    r"(?:[^\W\d_]\)|[ivx]{1,4}[.)]|[a-z]\.|o|x)\s|c/o|\S*(?:://|www\.|@)|\S+[:=]|\d+[.)]\s"
)
GREETING = re.compile(r"(?:(?:Sehr geehrte|Liebe)r?|Hallo|Guten|Dear|Hi|Hello)\b")
PARTED = re.compile(r"[^\W\d_][-\u00ad\u2010]\Z")
I_SAY = re.compile(r"I(?:['’](?:m|ve|ll|d))?\s")  # which has a capital anywhere
COLUMNS = re.compile(r"\t|\s\|\s")
ENDS = ".!?…:;|"


class Line(NamedTuple):
    """A line without white space at its ends, and where it stands."""

    text: str
    start: int
    quote: str = ""  # what stands before it

    @property
    def gaps(self) -> list[int]:
        """Where white space begins in what stands before it."""
        first = self.start - len(self.quote)
        return [first + match.start() for match in re.finditer(r"\s+", self.quote)]

    @property
    def end(self) -> int:
        """Where the white space behind it begins."""
        return self.start + len(self.text)


def soft_breaks(text: str) -> frozenset[int]:
    """Where the white space begins that breaks a line within a sentence."""
    if "\n" not in text:
        return frozenset()
    found = set[int]()
    before = ""
    for lines in paragraphs(text):
        small, before = lines[0].text[0].islower() and not before.endswith(","), lines[-1].text
        if not small:
            full = is_full(lines)
            for line, following in pairwise(lines):
                if goes_on(line.text, following.text, full):
                    found.update((line.end, *following.gaps))
    return frozenset(found)


def paragraphs(text: str) -> list[list[Line]]:
    """Lines without an empty one between them, or one that is quoted more or less deeply."""
    found: list[list[Line]] = []
    for match in LINE.finditer(text):
        quote = QUOTE.match(match[0])
        mark = quote[0] if quote else ""
        line = Line(match[0][len(mark) :].rstrip(), match.start() + len(mark), mark)
        if not line.text:
            continue
        last = found[-1][-1] if found else None
        if last is None or text.count("\n", last.end, line.start) > 1 or last.quote.count(">") != mark.count(">"):
            found.append([])
        found[-1].append(line)
    return found


def paragraph_spans(text: str) -> list[tuple[int, int]]:
    """Where the paragraphs of a text begin and end, marks of quotations included."""
    return [(lines[0].start - len(lines[0].quote), lines[-1].end) for lines in paragraphs(text)]


def is_full(lines: Sequence[Line]) -> bool:
    """Whether no line but the last had room for the next one's first word, and some line begins with a small letter."""
    longest = max(len(line.text) for line in lines)
    if len(lines) < PARAGRAPH or longest < WIDTH or not any(line.text[0].islower() for line in lines[1:]):
        return False
    return all(len(line.text) + 1 + len(after.text.split()[0]) > longest for line, after in pairwise(lines))


def goes_on(line: str, following: str, full: bool) -> bool:
    """Whether a sentence goes on behind a line."""
    if line[-1] in ENDS or not following[0].isalnum() or ITEM.match(following):
        return False
    if COLUMNS.search(line) or COLUMNS.search(following) or (line[-1] == "," and GREETING.match(line)):
        return False
    small = following[0].islower() or I_SAY.match(following) is not None
    return full or (small and (len(line) >= LONG or PARTED.search(line) is not None))


def quote_marks(text: str) -> set[int]:
    """Where the marks of a quotation stand within a sentence."""
    breaks = QUOTED_BREAK.finditer(text) if ">" in text and "\n" in text else ()
    return {place for match in breaks for place in range(*match.span()) if text[place] == ">"}


def rejoined(text: str) -> str:
    """A sentence without white space, and mostly without the hyphen, where a word is parted at the end of a line; and
    without the marks of a quotation within it."""
    if "\n" not in text:
        return text
    text = QUOTED_BREAK.sub("\n", text)

    def joint(match: re.Match[str]) -> str:
        kept = KEPT_HYPHEN.search(text, max(0, match.start() - TAIL), match.start())
        return "" if match["small"] and not kept else "-"

    return HYPHEN.sub(joint, text)
