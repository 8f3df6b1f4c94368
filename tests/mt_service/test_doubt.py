"""Translations that a network is unsure of are named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import httpx
import pytest
from serving import serve

from data.errors import UserError
from models.bundle import CONFIG, read_bundle, write_sums
from models.hypotheses import Hypothesis
from mt_service.cli import main
from mt_service.excerpts import EXCERPT, NAMED
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translation import Options, Translation

STRANGE = "Xyq vbn 77 wopf qqq"  # which the golden bundle never saw


@pytest.fixture
def doubting(golden: Path, tmp_path: Path) -> Path:
    """The golden bundle, which is now unsure of what it gives less than e to the power of -0.1 per word."""
    folder = Path(shutil.copytree(golden, tmp_path / "doubting"))
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config["info"]["unsure_below"] = {"aa-bb": -0.1}
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    write_sums(folder)
    return folder


def test_how_sure_a_network_is_does_not_hang_on_the_length_penalty() -> None:
    assert Hypothesis((5, 6, 7), -9.0, -2.0, None).per_word == -0.5


def test_doubtful_sentences_are_named(doubting: Path, golden: Path) -> None:
    options = Options("aa", "bb")
    for folder, expected in ((doubting, [STRANGE]), (golden, [])):
        translator = make_translator(read_bundle(folder), Settings(device="cpu", threads=1))
        found = list(translator.translate_lines([f"ba dei. {STRANGE}", "ba dei"], options))
        translator.worker.close()
        assert [list(one.doubtful) for one in found] == [expected, []]
        assert [one.remarks == one.warnings for one in found] == [not expected, True]


def test_where_they_stand_is_told_with_alignments(doubting: Path) -> None:
    translator = make_translator(read_bundle(doubting), Settings(device="cpu", threads=1))
    text = f"ba dei. {STRANGE} \n12"
    (found,) = translator.translate_lines([text], Options("aa", "bb", alignments=True))
    translator.worker.close()
    assert found.alignment is not None
    (passage,) = found.alignment.unsure
    assert text[passage.source_start : passage.source_end] == STRANGE
    assert found.text[: passage.target_start] == "dei ba. "
    assert found.text[passage.target_end :] == " \n12"


def test_long_sentences_are_named_by_their_beginning() -> None:
    found = Translation("", 0.0, [], None, 1, 2, ["cut"], ["x" * 70, "short"])
    assert found.remarks == ["cut", f"the model is unsure of: {'x' * EXCERPT}… | short"]


def test_of_many_sentences_the_first_are_named() -> None:
    found = Translation("", 0.0, [], None, 1, 1200, [], ["a"] * 1200)
    assert found.remarks == [f"the model is unsure of: {'a | ' * NAMED}and 1,190 more"]


def test_the_server_names_and_counts_them(doubting: Path) -> None:
    with serve(doubting) as server:
        body = {"text": ["ba dei", STRANGE], "source": "aa", "target": "bb"}
        found = httpx.post(server.url + "/v1/translate", json=body).json()
        counted = httpx.get(server.url + "/metrics").text
    first, second = found["translations"]
    assert "warnings" not in first
    assert f"the model is unsure of: {STRANGE}" in second["warnings"]
    assert "mt_sentences_total 2.0" in counted
    assert "mt_doubtful_sentences_total 1.0" in counted


def test_lines_are_counted_and_named_in_json(doubting: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text(f"ba dei\n{STRANGE}\n", encoding="utf-8")
    words = ["translate", "--bundle", str(doubting), "--source", "aa", "--target", "bb", "--quiet"]
    files = ["--input", str(source), "--output", str(target)]
    assert main([*words, *files, "--format", "json"]) == 0
    assert "mt: the model is unsure of 1 of 2 sentences; --format json names them\n" in capfd.readouterr().err
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert f"the model is unsure of: {STRANGE}" in rows[1]["warnings"]
    assert rows[0]["warnings"] == []


def test_a_direction_that_is_not_offered_is_told(golden: Path) -> None:
    info = read_bundle(golden).info
    with pytest.raises(UserError, match="'unsure_below' names 'bb-aa'; offered: aa-bb"):
        dataclasses.replace(info, unsure_below={"bb-aa": -1.0})
