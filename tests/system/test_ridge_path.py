"""Reservoirs and a ridge regression learn to reverse without one gradient, and the command line does all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy import overrides, write_toy

from mt_service.cli import main

NETWORK = {
    "training__method": "ridge",
    "model__tie": "none",
    "model__width": 512,
    "model__encoder__cell": "esn",
    "model__encoder__hidden": 256,
    "model__decoder__cell": "esn",
    "model__decoder__hidden": 512,
    "model__decoder__layers": 1,
    "model__decoder__bridge": "ends",
    "model__attention__kind": "fixed",
    "model__reservoir__input_scale": 0.3,
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpora, a finished run and its bundle."""
    folder = tmp_path_factory.mktemp("toy")
    recipe = write_toy(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MT_HOME", str(folder / "home"))
        assert main(["train", str(recipe), *overrides(folder, **NETWORK)]) == 0
        assert main(["export", str(folder / "home/runs/toy"), str(folder / "bundle"), "--length-penalty", "1"]) == 0
    return folder


def test_reversing_is_learned_in_one_look(toy: Path) -> None:
    """Sentences of 3 to 8 words: 60 BLEU was seen, with 1,024 units 83; trained networks reach 98 and more."""
    records = [json.loads(line) for line in (toy / "home/runs/toy/metrics.jsonl").read_text().splitlines()]
    (score,) = [record["toy aa-bb"] for record in records if record["kind"] == "dev"]
    assert score >= 50


def test_short_sentences_are_reversed_whole(toy: Path) -> None:
    """18 of 25 with 3 or 4 words were seen to be."""
    lines = [line for line in (toy / "dev.aa").read_text(encoding="utf-8").splitlines() if len(line.split()) <= 4]
    (toy / "short.aa").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    words = ["translate", "--bundle", str(toy / "bundle"), "--source", "aa", "--target", "bb", "--quiet"]
    assert main([*words, "--input", str(toy / "short.aa"), "--output", str(toy / "short.bb")]) == 0
    found = (toy / "short.bb").read_text(encoding="utf-8").splitlines()
    right = sum(one.split() == line.split()[::-1] for one, line in zip(found, lines, strict=True))
    assert right >= 0.6 * len(lines) > 10


def test_a_closed_form_bundle_keeps_its_precision(toy: Path) -> None:
    assert json.loads((toy / "bundle" / "config.json").read_text(encoding="utf-8"))["storage"] == "float32"
