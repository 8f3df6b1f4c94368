"""N-best lists as Moses writes them: `number ||| hypothesis ||| features ||| total`, best first.

The features are `Name= value value`, and further columns may follow the total. What `mt translate --format moses`
writes has no column of features.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from data.config import check
from data.corpus import all_lines
from data.errors import UserError

SEPARATOR = re.compile(r"(?<!\S)\|\|\|(?!\S)")  # stands between white space, or at an end of the line
BLANK = " \t\r"
NAME = re.compile(r"([^\s=:]+)[=:](\S*)")


class Candidate(NamedTuple):
    """One hypothesis of a list."""

    sentence: int  # line of the source, counted from 0
    text: str
    features: str  # as they stand in the list
    total: float
    rest: tuple[str, ...] = ()  # columns behind the total


NBest: TypeAlias = list[list[Candidate]]  # for each line of the source, in the order of the file


def read_nbest(path: Path, source: Path, sentences: int) -> NBest:
    """Read a list; sentences that it leaves out have no candidates.

    Args:
        path: the list.
        source: named in messages.
        sentences: its lines.
    Raises:
        UserError: naming the line that is none of a list, or whose number does not ascend or has no sentence.
    """
    lists: NBest = [[] for _ in range(sentences)]
    last = 0
    for number, line in enumerate(all_lines(path), 1):
        candidate = parse(line, f"{path}, line {number}")
        at = candidate.sentence
        check(at >= last, f"{path}, line {number}: sentence {at} comes after {last}: the numbers must ascend")
        check(
            at < sentences,
            f"{path}, line {number}: there is no sentence {at}, counted from 0: {source} has {sentences} lines",
        )
        lists[at].append(candidate)
        last = at
    check(any(lists), f"{path} is empty: there is nothing to rescore")
    return lists


def parse(line: str, where: str) -> Candidate:
    """Read one line.

    Raises:
        UserError: beginning with `where`.
    """
    columns = [column.strip(BLANK) for column in SEPARATOR.split(line)]
    check(
        len(columns) >= 3 and columns[0].isdecimal(),
        f"{where} is no n-best line: expected 'number ||| hypothesis ||| features ||| total', found {line[:80]!r}",
    )
    number, text, *scores = columns
    features, total, *rest = scores if len(scores) > 1 else ["", *scores]
    feature_names(features, where)
    return Candidate(int(number), text, features, read_number(total, where, "the total"), tuple(rest))


def feature_names(features: str, where: str) -> list[str]:
    """The names in a column of features.

    Raises:
        UserError: beginning with `where`, for a value that is no number or has no name.
    """
    names: list[str] = []
    for part in features.split():
        found = NAME.fullmatch(part)
        value = found.group(2) if found else part
        check(found is not None or bool(names), f"{where}: expected features such as 'LM0= -1.5', found {part[:80]!r}")
        if found:
            names.append(found.group(1))
        if value:
            read_number(value, where, f"feature '{names[-1]}'")
    return names


def read_number(text: str, where: str, what: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {what} must be a number, but is {text[:80]!r}")
    return value


def names_of(lists: NBest) -> set[str]:
    """The names of all features."""
    return {name for candidates in lists for one in candidates for name in feature_names(one.features, "")}


def show(value: float) -> str:
    """A number, with no more digits than it needs."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def rescored(candidate: Candidate, features: Iterable[tuple[str, float]], total: float) -> Candidate:
    """The candidate with more features and a new total."""
    added = (f"{name}= {show(value)}" for name, value in features)
    return candidate._replace(features=" ".join([*candidate.features.split(), *added]), total=total)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Highest total first; equals stay as they were."""
    return sorted(candidates, key=lambda candidate: -candidate.total)


def moses(lists: Iterable[Sequence[Candidate]]) -> str:
    """The list as text."""
    return "".join(render(candidate) + "\n" for candidates in lists for candidate in candidates)


def render(candidate: Candidate) -> str:
    """A line of a list; the column of features is left out where there are none and nothing follows."""
    scores = [candidate.features] if candidate.features or candidate.rest else []
    columns = [str(candidate.sentence), candidate.text, *scores, show(candidate.total), *candidate.rest]
    return " ||| ".join(columns)
