"""N-best lists: what is read is what was written, and what is none is told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import UserError
from training.nbest import Candidate, moses, names_of, ranked, read_nbest, rescored

OURS = """0 ||| Tom made this. ||| -0.444835
0 ||| Tom made it. ||| -0.600076
1 |||  ||| 0
3 ||| a | b || c ||| -12.5
"""
MOSES = """0 ||| the house ||| LexicalReordering0= -1.29 0 0 Distortion0= 0 LM0= -12.4 ||| -3.25 ||| 0=0 1=1
0 ||| house ||| LexicalReordering0= -0.5 0 1e-05 Distortion0= -2 LM0= -9.7 ||| -4.5 ||| 0=0
2 ||| old style ||| d: -1 lm: -20.5 3 ||| -7
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "list.nbest"


def read(place: Path, text: str, sentences: int = 4) -> list[list[Candidate]]:
    place.write_text(text, encoding="utf-8")
    return read_nbest(place, Path("in.de"), sentences)


@pytest.mark.parametrize("text", [OURS, MOSES])
def test_what_is_read_is_what_was_written(place: Path, text: str) -> None:
    assert moses(read(place, text)) == text


def test_a_list_of_ours_has_no_features(place: Path) -> None:
    lists = read(place, OURS)
    assert [len(candidates) for candidates in lists] == [2, 1, 0, 1]
    assert lists[0][0] == Candidate(0, "Tom made this.", "", -0.444835)
    assert lists[1][0].text == ""
    assert names_of(lists) == set()


def test_a_list_of_moses_has_features_and_more_columns(place: Path) -> None:
    lists = read(place, MOSES)
    assert names_of(lists) == {"LexicalReordering0", "Distortion0", "LM0", "d", "lm"}
    assert (lists[0][1].total, lists[0][1].rest) == (-4.5, ("0=0",))


def test_features_are_added_behind_those_there_are(place: Path) -> None:
    lists = read(place, MOSES)
    new = rescored(lists[2][0], [("Joint0", -12.34), ("Tokens0", 3)], -1.0)
    assert moses([[new]]) == "2 ||| old style ||| d: -1 lm: -20.5 3 Joint0= -12.34 Tokens0= 3 ||| -1\n"
    plain = rescored(read(place, OURS)[0][0], [("Joint0", -2.0)], -3.0)
    assert moses([[plain]]) == "0 ||| Tom made this. ||| Joint0= -2 ||| -3\n"


def test_equal_totals_keep_their_order() -> None:
    candidates = [Candidate(0, text, "", total) for text, total in (("a", -2.0), ("b", -1.0), ("c", -2.0), ("d", -1.0))]
    assert "".join(one.text for one in ranked(candidates)) == "bdac"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.nbest is empty: there is nothing to rescore"),
        ("0 ||| a ||| -1\njust text\n", "line 2 is no n-best line: expected .* found 'just text'"),
        ("0 ||| a ||| -1\n\n", "line 2 is no n-best line"),
        ("0 ||| a\n", "line 1 is no n-best line"),
        ("one ||| a ||| -1\n", "line 1 is no n-best line"),
        ("1 ||| a ||| -1\n0 ||| b ||| -1\n", "line 2: sentence 0 comes after 1: the numbers must ascend"),
        ("0 ||| a ||| -1\n4 ||| b ||| -1\n", "line 2: there is no sentence 4, counted from 0: in.de has 4 lines"),
        ("0 ||| a ||| high\n", "line 1: the total must be a number, but is 'high'"),
        ("0 ||| a ||| LM0= -1 ||| nan\n", "line 1: the total must be a number, but is 'nan'"),
        ("0 ||| a ||| LM0= low ||| -1\n", "line 1: feature 'LM0' must be a number, but is 'low'"),
        ("0 ||| a ||| -3 4 ||| -1\n", "line 1: expected features such as 'LM0= -1.5', found '-3'"),
        ("0 ||| a ||| LM0=x ||| -1\n", "line 1: feature 'LM0' must be a number, but is 'x'"),
    ],
)
def test_what_is_no_list_is_told_by_its_line(place: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(place, text)
