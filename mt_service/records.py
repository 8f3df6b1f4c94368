"""Lines of JSON, and of CSV with quotes: each value is a text of its own, and all around it stays as it is.

A line counts as JSON where nothing but tokens of JSON stand in it, with a key, within brackets, or one indented string.
As CSV counts a line of fields without white space behind the commas or semicolons between them, one of which is quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from typing import NamedTuple

from data.segment import FENCE

STRING = r'"(?:[^"\\\r\n]|\\.)*+"'
TOKEN = rf"(?:{STRING}|[{{}}\[\],:]|-?\d[\w.+-]*+|true|false|null)"
JSON_LINE = re.compile(
    rf"[ \t]*+(?:(?=[{{\[])|{STRING}[ \t]*+:)(?:[ \t]*+{TOKEN})*+[ \t]*+|[ \t]++{STRING}[ \t]*+,?[ \t]*+"
)
JSON_STRING = re.compile(STRING)
JSON_BREAK = re.compile(r"((?:\\[nrt])+)")  # which a line within a value may end with
KEY = re.compile(r"[ \t]*:")
LINE = re.compile(r"[^\n]*+\n|[^\n]++")
QUOTED = r'"(?:[^"\r\n]|"")*+"'


class Writing(NamedTuple):
    """How a format writes text."""

    read: Callable[[str], str]
    write: Callable[[str], str]


class Passage(NamedTuple):
    """A part of a text."""

    text: str
    writing: Writing


class Delimited(NamedTuple):
    """CSV with some delimiter."""

    line: re.Pattern[str]
    field: re.Pattern[str]
    bare: Writing  # without quotes


def from_json(raw: str) -> str:
    """What stands between the quotes of a string; as it is where it is none."""
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def delimited(delimiter: str) -> Delimited:
    """CSV with a delimiter."""
    field = rf'(?:{QUOTED}|[^"{delimiter}\s][^"{delimiter}\r\n]*+|)'
    special = re.compile(rf'["{delimiter}]')

    def write(text: str) -> str:
        return f'"{to_csv(text)}"' if special.search(text) else text

    line = rf"(?!=)(?=.*\")(?!{QUOTED}{delimiter}\Z){field}(?:{delimiter}{field})++"
    return Delimited(re.compile(line), re.compile(field), Writing(str, write))


def to_csv(text: str) -> str:
    """Text as it stands between quotes."""
    return text.replace('"', '""')


PLAIN = Writing(str, str)
KEPT = Writing(str, lambda text: text)  # another one than PLAIN: what stays is no text
JSON = Writing(from_json, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
CSV = Writing(lambda raw: raw.replace('""', '"'), to_csv)
DELIMITED = tuple(map(delimited, ",;"))


def passages(text: str) -> list[Passage]:
    """The parts of a text, which spell it."""
    if '"' not in text or FENCE.search(text):
        return [Passage(text, PLAIN)]
    lines = [part for line in LINE.findall(text) for part in parts_of(line)]
    groups = groupby(lines, key=lambda part: part.writing is PLAIN)
    joined = ([Passage("".join(part.text for part in some), PLAIN)] if plain else some for plain, some in groups)
    return list(chain.from_iterable(joined))


def parts_of(line: str) -> list[Passage]:
    """The parts of a line and its end."""
    body = line.rstrip("\r\n")
    parts = [*(record(body) or [Passage(body, PLAIN)]), Passage(line[len(body) :], PLAIN)]
    return [part for part in parts if part.text]


def record(line: str) -> list[Passage]:
    """The parts of a line of JSON or CSV; none of any other."""
    if JSON_LINE.fullmatch(line):
        return list(json_parts(line))
    for kind in DELIMITED:
        if kind.line.fullmatch(line):
            return list(csv_parts(line, kind))
    return []


def json_parts(line: str) -> Iterator[Passage]:
    """Values, and what stands around them."""
    start = 0
    for match in JSON_STRING.finditer(line):
        if KEY.match(line, match.end()):
            continue
        yield Passage(line[start : match.start() + 1], KEPT)
        for number, part in enumerate(JSON_BREAK.split(match[0][1:-1])):
            yield Passage(part, KEPT if number % 2 else JSON)
        start = match.end() - 1
    yield Passage(line[start:], KEPT)


def csv_parts(line: str, kind: Delimited) -> Iterator[Passage]:
    """Fields, and what stands around them."""
    start = 0
    while start <= len(line):
        match = kind.field.match(line, start)
        assert match is not None
        field = match[0]
        if field.startswith('"'):
            yield from (Passage('"', KEPT), Passage(field[1:-1], CSV), Passage('"', KEPT))
        else:
            yield Passage(field, kind.bare)
        yield Passage(line[match.end() : match.end() + 1], KEPT)
        start = match.end() + 1
