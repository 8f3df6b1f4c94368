"""Terms that somebody wants translated in one way, wherever they stand: a glossary.

The network sees a placeholder symbol in place of a term, as it does for literals, and its translation gets what the
glossary says. Terms are found as they are written, whole words alone; other forms of a word are terms of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from data.config import check
from data.corpus import Line, read_tsv
from data.languages import has_spaces
from data.normalize import normalize
from data.sources import LANGUAGE
from data.spans import Span

FIRST = re.compile(r"\w+|[^\w\s]")  # what a term may begin with
WORD = re.compile(r"\w")


class Glossary:
    """Terms of one language, and what each is in another one.

    Args:
        terms: by what stands in a text, what is to stand in its translation. Of terms that are one when white space is
            put in order, the first counts.
        language: of the texts.
    Raises:
        UserError: for a term one of whose sides is empty.
    """

    def __init__(self, terms: Mapping[str, str], language: str) -> None:
        self.terms: dict[str, str] = {}
        self.language, self.spaced = language, has_spaces(language)
        self._beginning: dict[str, list[str]] = {}
        for source, target in terms.items():
            term, meaning = normalize(source), normalize(target)
            check(
                bool(term and meaning), f"the term '{source}' = '{target}' has an empty side: fill it or leave it out"
            )
            if term not in self.terms:
                self.terms[term] = meaning
                self._beginning.setdefault(self._key(term, 0), []).append(term)
        for some in self._beginning.values():
            some.sort(key=len, reverse=True)

    def spans(self, text: str) -> Iterator[Span]:
        """The terms of a normalised text, at each place the longest one; 'customer' is found in 'Customer', too."""
        position = 0
        for start in (match.start() for match in FIRST.finditer(text)) if self.spaced else range(len(text)):
            terms = self._beginning.get(self._key(text, start), ()) if start >= position else ()
            for term in terms:
                if self._stands(term, text, start):
                    position = start + len(term)
                    yield Span(start, position, self.terms[term], term=True)
                    break

    def over(self, other: Glossary | None) -> Glossary:
        """These terms, and those of another glossary that are not among them."""
        return Glossary({**other.terms, **self.terms}, self.language) if other else self

    def _key(self, text: str, start: int) -> str:
        """What terms are looked up by: the first word, or in a language without spaces the first character."""
        first = FIRST.match(text, start) if self.spaced else None
        return small(first[0] if first else text[start : start + 1])

    def _stands(self, term: str, text: str, start: int) -> bool:
        """Whether a term stands at a place of a text: as a whole word, and with capitals for its capitals."""
        end = start + len(term)
        same = text.startswith(term[1:], start + 1) and text[start] in (term[0], term[0].upper())
        goes_on = self.spaced and WORD.match(term[-1]) is not None and WORD.match(text, end) is not None
        return same and not goes_on


def small(text: str) -> str:
    """A text with a small first letter."""
    return text[:1].lower() + text[1:]


def capitalised(text: str) -> str:
    """A term as it begins a sentence; one with capitals of its own, such as iPhone, stays."""
    return text[:1].upper() + text[1:] if text == text.lower() else text


def read_glossary(path: Path) -> dict[str, Glossary]:
    """Read terms from a file with a tab in each line: the first names the languages, the others are terms.

    Returns:
        Glossaries for both directions, spelled de-en. Where a term has several translations, the first counts.
    Raises:
        UserError: naming file and line, for a missing or malformed file.
    """
    check(path.is_file(), f"glossary {path} does not exist: mend its path")
    lines = list(read_tsv(path))
    check(len(lines) > 1, f"glossary {path} has no terms: after a line 'de<TAB>en' each line must be a term")
    first, second = languages(path, lines[0])
    for line in lines[1:]:
        filled = bool(normalize(line.source) and normalize(line.target))
        check(filled, f"{path} line {line.number} has an empty side: fill it or leave the line out")
    pairs = [(line.source, line.target) for line in lines[1:]]
    return {
        f"{first}-{second}": Glossary(firsts(pairs), first),
        f"{second}-{first}": Glossary(firsts((target, source) for source, target in pairs), second),
    }


def read_glossaries(paths: Iterable[Path]) -> dict[str, Glossary]:
    """Glossaries of several files, by direction; where they differ, the file that is named first counts.

    Raises:
        UserError: as `read_glossary`.
    """
    found: dict[str, Glossary] = {}
    for path in paths:
        for direction, glossary in read_glossary(path).items():
            earlier = found.get(direction)
            found[direction] = earlier.over(glossary) if earlier else glossary
    return found


def languages(path: Path, header: Line) -> tuple[str, str]:
    """The languages that the first line of a glossary names."""
    named = header.source.strip(), header.target.strip()
    good = all(map(LANGUAGE.fullmatch, named)) and named[0] != named[1]
    check(
        good,
        f"{path} line 1 must name two languages, such as 'de<TAB>en', but is '{header.source}<TAB>{header.target}'",
    )
    return named


def firsts(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A mapping in which the first of several values counts."""
    found: dict[str, str] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found
