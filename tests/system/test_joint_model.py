"""The joint language and translation model, and a plain language model: trained, exported, served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy import overrides, write_toy

from models.bundle import read_bundle
from mt_service.cli import main
from training.pair_scores import score_pairs
from training.run import train_recipe

SHORT = {f"training__{name}": count for name, count in (("updates", 100), ("evaluate_every", 100), ("log_every", 20))}
JOINT = {
    "model__encoder__layers": 0,
    "model__decoder__bridge": "zero",
    "model__decoder__attention_blocks": "all",
    "model__attention__kind": "mean",
}
LANGUAGE_MODEL = JOINT | {
    "model__attention__kind": "none",
    "model__encoder__normalize": "false",
    "model__language_model": "true",
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both as bundles."""
    folder = tmp_path_factory.mktemp("joint")
    recipe = write_toy(folder)
    for name, changes in (("joint", JOINT), ("language-model", LANGUAGE_MODEL)):
        assert train_recipe(recipe, overrides(folder, name=name, **SHORT, **changes), folder) == 0
        run, bundle = folder / "runs" / name, folder / "bundles" / name
        assert main(["export", str(run), str(bundle), "--beam", "1", "--length-penalty", "1"]) == 0
    return folder


def losses(toy: Path, name: str) -> list[float]:
    lines = (toy / "runs" / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record["nll"] for record in map(json.loads, lines) if record["kind"] == "train"]


def test_a_bag_of_words_tells_a_language_model_which_words_come(toy: Path) -> None:
    joint, alone = losses(toy, "joint"), losses(toy, "language-model")
    assert joint[-1] < joint[0] - 0.5
    assert alone[-1] < alone[0] - 0.1
    assert joint[-1] < alone[-1] - 0.2


def test_the_joint_model_translates(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MT_THREADS", "1")
    (toy / "in.aa").write_text("ba dei\n\nka lo mo\n", encoding="utf-8")
    files = ("--input", str(toy / "in.aa"), "--output", str(toy / "out.bb"), "--quiet")
    bundle = str(toy / "bundles" / "joint")
    assert main(["translate", "--bundle", bundle, "--source", "aa", "--target", "bb", *files]) == 0
    first, empty, last = (toy / "out.bb").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert (bool(first), empty, bool(last)) == (True, "", True)


def test_a_language_model_scores_whatever_the_source_is(toy: Path) -> None:
    bundle = read_bundle(toy / "bundles" / "language-model")
    first, second = score_pairs(bundle.network(), bundle.tokenizer, [("ba dei", "dei ba"), ("lo", "dei ba")], "bb")
    assert first.log_probability == pytest.approx(second.log_probability, abs=1e-5)
