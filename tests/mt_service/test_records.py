"""JSON and CSV come back as what they were, with their values translated."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from mt_service.cli import answer
from mt_service.records import KEPT, PLAIN, passages
from training.systems import Request

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
ALPHABET = 'ab äß"\\/\n\t{}[],:;„“日\u2028\x07'


def values(text: str) -> list[str]:
    """What is to be translated of a text with records."""
    found = passages(text)
    assert "".join(part.text for part in found) == text
    return [part.writing.read(part.text) for part in found if part.writing not in (PLAIN, KEPT)]


def written_anew(text: str) -> str:
    return "".join(part.writing.write(part.writing.read(part.text)) for part in passages(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "b c", "d": [1, "e", true, null, -1.5e3]}', ["b c", "e"]),
        ('[\n  "eins",\n  "zwei"\n]', ["eins", "zwei"]),
        ('"key": "Er sagt \\"nein\\" \\u00dc",', ['Er sagt "nein" Ü']),
        ('{"a": "eins\\nzwei\\r\\n\\r\\ndrei"}', ["eins", "zwei", "drei"]),
        ('1,"Tisch, rund","ein ""guter"" Tisch"', ["1", "Tisch, rund", 'ein "guter" Tisch']),
        ('"Tisch";rund, neu;;"2"', ["Tisch", "rund, neu", "2"]),
        ('{"a": ""}', []),
        ('[{"' * 20_000, ["[{"] * 10_000),  # no JSON, but read in no time
    ],
)
def test_values_are_found(text: str, expected: list[str]) -> None:
    assert values(text) == expected
    assert written_anew(text) == text.replace("\\u00dc", "Ü")


@pytest.mark.parametrize(
    "text",
    [
        '"Hallo", sagte er, "wie geht es dir?"',
        'Er sagte: "Nein."',
        '"Nein",',
        '"Nein."',
        '["Nein"](https://example.org)',
        "[Nein], {ja}",
        'a "b",c',
        '=AVERAGEIF(A2:A6;"pen";B2:B6)',
        '```\n{"a": "b"}\n```',
        '"' * 50_000,
        '"a",' * 20_000 + '"',
    ],
)
def test_other_text_is_as_it_was(text: str) -> None:
    assert passages(text) == [(text, PLAIN)]


def thing(rng: random.Random, depth: int = 3) -> Any:
    """Something that JSON can hold."""
    text = "".join(rng.choices(ALPHABET, k=rng.randint(0, 12)))
    if depth and rng.random() < 0.6:
        some = [thing(rng, depth - 1) for _ in range(rng.randint(0, 4))]
        return some if rng.random() < 0.5 else {f"{text}{i}": one for i, one in enumerate(some)}
    return rng.choice([text, text, text, 12, -3.5e20, True, None])


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_what_is_read_and_written_anew_is_the_same(indent: int | str | None, ascii_only: bool) -> None:
    rng = random.Random(3)
    for _ in range(300):
        one = {"it": thing(rng)}
        text = json.dumps(one, indent=indent, ensure_ascii=ascii_only)
        assert json.loads(written_anew(text)) == one


def test_rows_are_read_and_written_anew_as_the_same() -> None:
    rng = random.Random(4)
    for delimiter in ",;":
        rows = [["".join(rng.choices('ab c,;"', k=rng.randint(1, 9))).strip() for _ in range(4)] for _ in range(300)]
        file = io.StringIO()
        csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
        assert list(csv.reader(io.StringIO(written_anew(file.getvalue())), delimiter=delimiter)) == rows


def test_json_and_csv_are_translated_value_by_value() -> None:
    lines = ['{"ba dei": "ka lo mei", "n": 1}', '2,"ba dei","ka ""lo"""', "ba dei", '  "ka": "lo mei",']
    assert answer(Request(lines, "aa", "bb", None, None, "cpu"), GOLDEN)[0] == '{"ba dei": "mei lo ka", "n": 1}'
    found = answer(Request(lines, "aa", "bb", None, None, "cpu"), GOLDEN)
    assert found[1].startswith('2,"dei ba","')
    assert len(next(csv.reader([found[1]]))) == 3
    assert found[2:] == ["dei ba", '  "ka": "mei lo",']
