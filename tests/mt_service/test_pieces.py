"""Texts in pieces: long addresses among other words."""

from __future__ import annotations

from pathlib import Path

from data.literals import Masking
from models.bundle import read_bundle
from mt_service.pieces import Plan, make_plan


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
