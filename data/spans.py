"""Parts of a text that a network is not to translate, but to put in their place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A literal or a term in a text, and how it is written in the translation."""

    start: int
    end: int
    target: str
    term: bool = False  # of a glossary: what begins a sentence is then written with a capital letter


def overlap(one: Span, other: Span) -> bool:
    """Whether two spans have a character in common."""
    return one.start < other.end and other.start < one.end


def together(terms: Sequence[Span], literals: Iterable[Span]) -> list[Span]:
    """Terms and literals in the order of the text; of those that overlap the longer one, or the term."""
    literals = list(literals)
    if not terms:
        return literals
    longer = [one for one in literals if any(overlap(one, term) and length(one) > length(term) for term in terms)]
    kept = [term for term in terms if not any(overlap(term, one) for one in longer)]
    return sorted([*kept, *(one for one in literals if not any(overlap(one, term) for term in kept))])


def length(span: Span) -> int:
    """In characters."""
    return span.end - span.start


def joined(spans: Iterable[Span], text: str) -> list[Span]:
    """Spans with neighbours, which touch or have one space between them, made one."""
    found: list[Span] = []
    for span in spans:
        gap = text[found[-1].end : span.start] if found else None
        if gap in ("", " "):
            last = found.pop()
            span = Span(last.start, span.end, last.target + gap + span.target, last.term)
        found.append(span)
    return found
