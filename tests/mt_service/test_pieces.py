"""Texts in pieces: long addresses among other words."""

from __future__ import annotations

from pathlib import Path

from data.literals import Masking
from models.bundle import read_bundle
from mt_service.pieces import Plan, make_plan, separators


def plan_of(golden: Path, text: str) -> Plan:
    bundle = read_bundle(golden)
    return make_plan(bundle.tokenizer, Masking(bundle.tokenizer, (), "aa", "bb"), text)


def test_any_number_of_long_addresses_may_stand_in_a_sentence(golden: Path) -> None:
    address = "http://" + "a" * 300
    text = f"ba {address} dei " * 1200 + address
    pieces = plan_of(golden, text).pieces
    assert "".join(piece.text + piece.separator for piece in pieces) == text
    assert sum(piece.text == address for piece in pieces) == 1201
    assert {piece.text for piece in pieces} == {address, "ba", "dei", "dei ba"}


def test_lines_that_a_width_broke_are_one_piece_that_is_read_on_one_line(golden: Path) -> None:
    text = f"Ba {'dei ba ' * 9}dei,\r\nba deiba-\ndei. Dei"
    plan = plan_of(golden, text)
    assert [piece.text for piece in plan.pieces] == [text.removesuffix(" Dei"), "Dei"]
    first = plan.pieces[0]
    assert first.line == f"Ba {'dei ba ' * 9}dei, ba deibadei."
    tokenizer = read_bundle(golden).tokenizer
    assert first.ids == tuple(tokenizer.encode_source(first.line, "bb"))


def test_a_fenced_block_is_no_sentence_and_stays_as_it_is(golden: Path) -> None:
    code = "```py\nba  dei\n\n" + "ba " * 300 + "\n```"
    pieces = plan_of(golden, f"ba dei\n{code}\nba").pieces
    assert [(piece.text, bool(piece.ids)) for piece in pieces] == [("ba dei", True), (code, False), ("ba", True)]
    assert pieces[1].masked.restored(pieces[1].masked.text) == code


def test_sentences_that_were_written_without_a_space_get_one(golden: Path) -> None:
    pieces = plan_of(golden, "ba...dei ba!Dei ba?Ba").pieces
    assert [piece.text for piece in pieces] == ["ba...", "dei ba!", "Dei ba?", "Ba"]
    assert separators(pieces, "bb") == [" ", " ", " ", ""]
    assert separators(pieces, "zh") == ["", "", "", ""]
