"""Terms that somebody wants translated in one way, wherever they stand: a glossary.

Of a network's hypotheses one is taken that has what the glossary says. Where none does, the network sees a placeholder
symbol in place of the term, as it does for literals, and its translation gets it. Terms are found as they are written,
whole words alone; other forms of a word are terms of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path

from data.config import check
from data.corpus import Line, read_lines, two_columns
from data.errors import UserError
from data.languages import has_spaces, turned
from data.normalize import normalize
from data.segment import split
from data.sources import LANGUAGE
from data.spans import Span

LONGEST = 200  # characters of either side of a term
FIRST = re.compile(r"\w+|[^\w\s]")  # what a term may begin with
OF_NUMBER = re.compile(r"[.,:/-]\d")  # which makes digits before it a part of a longer number
OF_WORD = re.compile(r"['’](?!s\b)\w")  # n't, but not the genitive
MARKS = ("Mn", "Mc")  # categories of marks that belong to the letter before them


class Glossary:
    """Terms of one language, and what each is in another one.

    Args:
        pairs: what stands in a text, and what is to stand in its translation, as `checked` gives them; of several
            translations of one term the first counts.
        language: of the texts.
        whole: whether terms are found only where they are all of a text, as in a dictionary.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], language: str, whole: bool = False) -> None:
        self.language, self.spaced, self.whole = language, has_spaces(language), whole
        self.terms: dict[str, str] = {}
        lengths: dict[str, set[int]] = {}
        for term, meaning in pairs:
            self.terms.setdefault(term, meaning)
            lengths.setdefault(self._key(term, 0), set()).add(len(term))
        self._lengths = {key: sorted(some, reverse=True) for key, some in lengths.items()}

    def at(self, text: str, start: int) -> Span | None:
        """The longest term at a place of a normalised text; 'customer' is found in 'Customer', too."""
        if self.whole:
            return self._all_of(text) if not start else None
        for length in self._lengths.get(self._key(text, start), ()):
            stands = text[start : start + length]
            term, end = stands if stands in self.terms else small(stands), start + len(stands)
            if term in self.terms and not self._within_a_word(text, start, end):
                return Span(start, end, self.terms[term], term=True, enlarged=term != stands)
        return None

    def _all_of(self, text: str) -> Span | None:
        """A text that is a term; its translation has a capital where the text has one, as in a list of words."""
        term = text if text in self.terms else small(text)
        if term not in self.terms:
            return None
        return Span(0, len(text), self.terms[term], term=True, enlarged=text[0].isupper())

    def starts(self, text: str) -> Iterable[int]:
        """Where terms may begin."""
        return (match.start() for match in FIRST.finditer(text)) if self.spaced else range(len(text))

    def _key(self, text: str, start: int) -> str:
        """What terms are looked up by: the first word, or in a language without spaces the first character."""
        first = FIRST.match(text, start) if self.spaced else None
        return small(first[0] if first else text[start : start + 1])

    def _within_a_word(self, text: str, start: int, end: int) -> bool:
        """Whether a part of a text begins or ends within a word or a number."""
        before, behind = text[start - 1 : start], text[end : end + 1]
        if self._goes_on(before, text[start]) or self._goes_on(text[end - 1], behind):
            return True
        number_before = text[start].isdigit() and OF_NUMBER.match(text[max(0, start - 2) : start][::-1]) is not None
        number_behind = text[end - 1].isdigit() and OF_NUMBER.match(text, end) is not None
        return number_before or number_behind or (self.spaced and OF_WORD.match(text, end) is not None)

    def _goes_on(self, one: str, other: str) -> bool:
        """Whether neighbouring characters are of one word; where no spaces part words, of other scripts alone."""
        pair = (one, other)
        if not all(pair):
            return False
        if self.spaced:
            return all(char.isalnum() or char == "_" or unicodedata.category(char) in MARKS for char in pair)
        return all(char.isdigit() or char.lower() != char.upper() for char in pair)


def find(glossaries: Sequence[Glossary], text: str) -> Iterator[Span]:
    """The terms of a normalised text: at each place the longest one, of several glossaries' the first one's.

    Args:
        glossaries: of one language.
        text: a sentence of it.
    """
    position = 0
    for start in glossaries[0].starts(text) if glossaries else ():
        if start >= position:
            spans = [span for glossary in glossaries if (span := glossary.at(text, start))]
            if spans:
                longest = max(spans, key=lambda span: span.end)
                position = longest.end
                yield longest


def glossary_of(terms: Mapping[str, str], language: str) -> Glossary:
    """A glossary of terms as somebody wrote them; of those that are one when white space is put in order, the first
    counts.

    Raises:
        UserError: for a term that has an empty side, is too long, or holds more than one sentence.
    """
    return Glossary(starmap(checked, terms.items()), language)


def checked(source: str, target: str) -> tuple[str, str]:
    """A term and its translation, normalised.

    Raises:
        UserError: for what can never be found, or is of no use.
    """
    term, meaning = normalize(source), normalize(target)
    shown = f"the term '{term[:LONGEST]}' = '{meaning[:LONGEST]}'"
    check(bool(term and meaning), f"{shown} has an empty side: fill it or leave the term out")
    check(max(len(term), len(meaning)) <= LONGEST, f"{shown} is too long: a side may have {LONGEST} characters")
    check(len(split(term)) == 1, f"{shown} holds several sentences, which are translated one by one: make each a term")
    return term, meaning


def held(meaning: str, translation: str, language: str) -> int:
    """How often a translation into a language has what a term is to be, as whole words, with a capital or without."""
    if not has_spaces(language):
        return translation.count(meaning)
    first = re.escape(meaning[0]) + re.escape(meaning[0].upper())
    return len(re.findall(rf"(?<!\w)[{first}]{re.escape(meaning[1:])}(?!\w)", translation))


def small(text: str) -> str:
    """A text with a small first letter."""
    return text[:1].lower() + text[1:]


def capitalised(text: str) -> str:
    """What begins a sentence; a word with capitals of its own, such as iPhone, stays."""
    word = text.split(" ")[0]
    return text[:1].title() + text[1:] if word == word.lower() else text


def read_glossary(path: Path, whole: bool = False) -> dict[str, Glossary]:
    """Read terms from a file with a tab in each line: the first names the languages, the others are terms.

    Args:
        path: the file's.
        whole: as of `Glossary`.
    Returns:
        Glossaries for both directions, spelled de-en. Where a term has several translations, the first counts.
    Raises:
        UserError: naming file and line, for a missing or malformed file.
    """
    check(path.exists(), f"glossary {path} does not exist: mend its path")
    filled = ((number, line) for number, line in enumerate(read_lines(path), start=1) if line.strip())
    lines = [two_columns(path, number, line) for number, line in filled]
    check(len(lines) > 1, f"glossary {path} has no terms: after a line 'de<TAB>en' each line must be a term")
    first, second = languages(path, lines[0])
    pairs = [of_line(path, line) for line in lines[1:]]
    direction = f"{first}-{second}"
    swapped = [(target, source) for source, target in pairs]
    return {direction: Glossary(pairs, first, whole), turned(direction): Glossary(swapped, second, whole)}


def read_glossaries(paths: Iterable[Path], dictionaries: Iterable[Path] = ()) -> dict[str, list[Glossary]]:
    """Glossaries of several files, by direction, in their order, and after them those of dictionaries.

    Raises:
        UserError: as `read_glossary`.
    """
    found: dict[str, list[Glossary]] = {}
    for path, whole in (*((path, False) for path in paths), *((path, True) for path in dictionaries)):
        for direction, glossary in read_glossary(path, whole).items():
            found.setdefault(direction, []).append(glossary)
    return found


def languages(path: Path, header: Line) -> tuple[str, str]:
    """The languages that the first line of a glossary names."""
    named = header.source.strip(), header.target.strip()
    good = all(map(LANGUAGE.fullmatch, named)) and named[0] != named[1]
    wrong = f"must name two languages, such as 'de<TAB>en', but is '{'<TAB>'.join(named)}'"
    check(good, f"{path} line {header.number} {wrong}")
    return named


def of_line(path: Path, line: Line) -> tuple[str, str]:
    """A line's term, good in both directions."""
    try:
        term, meaning = checked(line.source, line.target)
        return checked(meaning, term)[::-1]
    except UserError as error:
        raise UserError(f"{path} line {line.number}: {error}") from None
