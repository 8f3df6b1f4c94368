"""Parts of a text that a network is not to translate, but to put in their place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A literal or a term in a text, and how it is written in the translation."""

    start: int
    end: int
    target: str
    term: bool = False  # of a glossary
    enlarged: bool = False  # a term that stands with a capital for its small first letter


def overlap(one: Span, other: Span) -> bool:
    """Whether two spans have a character in common."""
    return one.start < other.end and other.start < one.end


def length(span: Span) -> int:
    """In characters."""
    return span.end - span.start


def together(terms: Sequence[Span], literals: Iterable[Span]) -> list[Span]:
    """Terms and literals in the order of the text; a literal stays that is longer than all terms it overlaps with."""
    literals = list(literals)
    if not terms:
        return literals
    stay = [one for one in literals if all(length(one) > length(term) for term in terms if overlap(one, term))]
    return sorted([*stay, *(term for term in terms if not any(overlap(one, term) for one in stay))])


def joined(spans: Iterable[Span], text: str, between_terms: str | None = None) -> list[Span]:
    """Spans with neighbours, which touch or have one space between them, made one.

    Args:
        spans: in order.
        text: where they stand.
        between_terms: what is to stand between two terms that are joined, in place of what is there.
    """
    found: list[Span] = []
    for span in spans:
        gap = text[found[-1].end : span.start] if found else None
        if gap in ("", " "):
            last = found.pop()
            written = gap if between_terms is None or not (last.term and span.term) else between_terms
            span = last._replace(end=span.end, target=last.target + written + span.target, term=span.term or last.term)
        found.append(span)
    return found
