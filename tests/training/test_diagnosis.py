"""`mt diagnose` on tiny runs: what appears, that the numbers are right, and what is told instead of a stack trace."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from toy import overrides, write_toy

from data.collate import collate
from data.prepared import Prepared
from models.bundle import specials_of
from models.hypotheses import SearchOptions
from models.pruning import feed_forwards
from models.search import translate_ids
from mt_service.cli import main
from training.average import choose_weights
from training.diagnosis import choose, table
from training.diagnosis_numbers import measure
from training.diagnosis_pages import draw_pages
from training.export import network_of
from training.gradient_lags import gradient_norms, lags, readings
from training.recipe_files import RECIPE
from training.run import train_recipe
from training.run_folder import prepared_folder, read_json
from training.spectra import recurrences, spectra

TINY = {
    "training__updates": 4,
    "training__evaluate_every": 2,
    "training__checkpoint_every": 1,
    "training__dev_sentences": 4,
    "training__keep_last": 9,
    "data__directions": '["aa-bb", "bb-aa"]',
}
WITHOUT_ATTENTION = {
    "model__attention__kind": "none",
    "model__decoder__bridge": "ends",
    "model__encoder__cell": "srn",
    "model__decoder__cell": "ssru",
}
CLOCKWORK = {
    "model__encoder__cell": "clockwork",
    "model__encoder__bidirectional": "false",
    "model__decoder__cell": "gru",
    "model__decoder__arrangement": "input_feeding",
}
PNG = b"\x89PNG"


def trained(folder: Path, **changes: Any) -> Path:
    """A run of a few updates."""
    recipe = write_toy(folder)
    assert train_recipe(recipe, overrides(folder, **{**TINY, **changes}), folder / "home") == 0
    return folder / "home" / "runs" / "toy"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM's run, diagnosed."""
    run = trained(tmp_path_factory.mktemp("lstm"))
    assert main(["diagnose", str(run), "--sentence", "ba dei $5 $6", "--direction", "bb-aa", "--sentences", "20"]) == 0
    return run


def numbers(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "diagnosis" / "diagnosis.json").read_text(encoding="utf-8")))


def pages(run: Path) -> list[str]:
    found = sorted(path.name for path in (run / "diagnosis").glob("*"))
    drawn = [name for name in found if name.endswith(".png")]
    assert all((run / "diagnosis" / name).read_bytes().startswith(PNG) for name in drawn)
    assert found == sorted([*drawn, "diagnosis.json"])  # nothing half-written is left
    assert sorted(numbers(run)["pages"]) == drawn
    return drawn


def test_every_page_appears_also_in_tensorboard(run: Path) -> None:
    assert pages(run) == ["attention.png", "gates.png", "gradients.png", "matrices.png"]
    (events,) = (run / "tensorboard" / "diagnosis").glob("events.*")
    content = events.read_bytes()
    assert all(f"diagnosis/{name}".encode() in content for name in ("attention", "gates", "gradients", "matrices"))


def looked_at(run: Path) -> tuple[Any, Prepared]:
    """The network and data of a run, as a diagnosis should choose them."""
    prepared = Prepared.load(prepared_folder(run))
    weights, _ = choose_weights(run, "best", 1)
    return network_of(read_json(run / RECIPE), weights, len(prepared.tokenizer)), prepared


def test_numbers_are_those_of_the_best_average_on_dev_sentences(run: Path) -> None:
    (network, prepared), tree = looked_at(run), numbers(run)
    tokenizer = prepared.tokenizer
    pairs = [pair for pair in prepared.dev["toy"] if pair.direction == "bb-aa"][:20]
    sources = [tokenizer.encode_source(pair.source, "aa") for pair in pairs]
    found = readings(network, collate(sources, [tokenizer.encode(pair.target) for pair in pairs]))
    assert (tree["sentences"], tree["direction"]) == (20, "bb-aa")
    assert list(tree["recurrences"]) == ["encoder 1 forwards", "encoder 1 backwards", "decoder 1", "decoder 2"]
    for name, cell in recurrences(network).items():
        mine, reading = tree["recurrences"][name], found[name]
        assert (mine["cell"], mine["hidden"]) == ("lstm", 32)
        assert mine["gradient"]["mean"] == pytest.approx(lags(gradient_norms(cell, reading)).mean)
        for gate, value_BTH in cell.gate_activations(reading.input_BTI, reading.state).items():
            rows = [value_BTH[row, :length] for row, length in enumerate(reading.length_B.tolist())]
            values, shares = torch.cat(rows).flatten(), mine["gates"][gate]
            assert sum(shares["counts"]) == len(values)
            assert shares["low"] == pytest.approx(float((values < 0.1).float().mean()))
            assert shares["high"] == pytest.approx(float((values > 0.9).float().mean()))
            assert shares["mean"] == pytest.approx(float(values.mean()), abs=1e-6)


def test_matrices_are_told_of_every_checkpoint_and_evaluation(run: Path) -> None:
    tree, now = numbers(run), spectra(looked_at(run)[0])
    for name, one in tree["recurrences"].items():
        for matrix, points in one["matrices"].items():
            assert [point["update"] for point in points] == [1, 2, 3, 4]
            (point,) = [point for point in points if point["update"] == tree["update"]]
            assert (point["radius"], point["norm"]) == pytest.approx(now[f"{name} {matrix}"])


def test_what_was_recorded_outlives_its_checkpoint(run: Path, tmp_path: Path) -> None:
    home = shutil.copytree(run.parent.parent, tmp_path / "home")
    copy = home / "runs" / "toy"
    before = numbers(copy)["recurrences"]["decoder 1"]["matrices"]["forget"]
    best = json.loads((copy / "checkpoints" / "best.json").read_text())["checkpoint"]
    for path in (copy / "checkpoints").glob("0*"):
        if path.name != best:
            shutil.rmtree(path)
    assert main(["diagnose", str(copy)]) == 0
    after = numbers(copy)["recurrences"]["decoder 1"]["matrices"]["forget"]
    assert after == [point for point in before if point["update"] in (2, 4)]


def test_attention_is_that_of_greedy_search(run: Path) -> None:
    (network, prepared), found = looked_at(run), numbers(run)["attention"]
    source = prepared.tokenizer.encode_source("ba dei $5 $6", "aa")
    options = SearchOptions(beam=1, max_length=60, alignments=True)
    ((best,),) = translate_ids(network, [source], options, specials_of(prepared.tokenizer))
    assert found["source"] == prepared.tokenizer.pieces(source)
    assert found["target"] == [*prepared.tokenizer.pieces(best.tokens), *(["</s>"] if best.complete else [])]
    assert found["translation"] == prepared.tokenizer.decode(best.tokens)
    assert [len(row) for row in found["weights"]] == [len(source)] * len(found["target"])
    assert found["weights"] == [pytest.approx(row) for row in best.alignment or ()]


def test_a_network_without_attention_gets_the_other_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tmp_path, **WITHOUT_ATTENTION)
    assert main(["diagnose", str(run), "--checkpoint", "last"]) == 0
    assert pages(run) == ["gates.png", "gradients.png", "matrices.png"]
    tree = numbers(run)
    assert (tree["attention"], tree["direction"], tree["update"]) == (None, "aa-bb", 4)
    assert list(tree["recurrences"]["encoder 1 forwards"]["gates"]) == ["hidden"]
    assert list(tree["recurrences"]["decoder 2"]["gates"]) == ["forget"]
    assert tree["recurrences"]["decoder 2"]["matrices"] == {}
    printed = capsys.readouterr().out
    assert printed.startswith("toy, update 4, 64 dev sentences of aa-bb\n")
    assert "encoder 1 backwards srn" in printed


def test_a_clockwork_is_left_out_of_the_gates_alone(tmp_path: Path) -> None:
    run = trained(tmp_path, **CLOCKWORK)
    assert main(["diagnose", str(run)]) == 0
    assert numbers(run)["feed_forward"] == {}
    assert pages(run) == ["attention.png", "gates.png", "gradients.png", "matrices.png"]
    encoder, *decoders = numbers(run)["recurrences"].values()
    assert (encoder["cell"], encoder["gates"], list(encoder["matrices"])) == ("clockwork", {}, ["hidden"])
    assert all(list(one["gates"]) == ["reset", "update"] for one in decoders)


def test_units_that_never_fire_are_told(tmp_path: Path) -> None:
    subject = choose(trained(tmp_path, model__encoder__feed_forward="12"), "best", None)
    for part in feed_forwards(subject.network).values():
        part.expand.bias[3:], part.expand.bias[:2] = -100.0, 100.0
    tree = measure(subject._replace(pairs=subject.pairs[:9]), "ba")
    (found,) = tree["feed_forward"].values()
    assert (found["units"], found["firing"]) == (12, 3)
    assert 2 / 12 < found["share"] < 3 / 12
    share = f"{100 * found['share']:.1f} % of the time; mt prune takes the others out of a bundle"
    assert f"encoder.blocks.0.feed_forward: 3 of 12 units fire, in the mean {share}" in table(tree)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sentence", " \u200b "], "--sentence is empty"),
        (["--direction", "aa-cc"], "does not translate aa-cc; its directions are: aa-bb, bb-aa"),
        (["--sentences", "0"], "--sentences must be at least 1, but is 0"),
        (["--sentence", "ba " * 70], "--sentence has 140 pieces, and a drawing has room for 60"),
    ],
)
def test_a_wrong_wish_is_one_sentence(
    run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["diagnose", str(run), *words], message, capsys)


def refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("mt: error: ")
    assert said.count("\n") == 1


def test_what_is_no_run_or_has_lost_its_data_is_one_sentence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["diagnose", str(tmp_path)], "is no run, or a damaged one: cannot read recipe.json", capsys)
    copy = shutil.copytree(run, tmp_path / "runs" / "toy")
    refused(["diagnose", str(copy)], "holds no prepared data", capsys)
    shutil.rmtree(copy / "checkpoints")
    refused(["diagnose", str(copy)], "has no best checkpoint yet", capsys)
    refused(["diagnose", str(copy), "--checkpoint", "last"], "has no last checkpoint yet", capsys)


def test_a_checkpoint_that_is_damaged_is_told_and_passed_over(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = shutil.copytree(run.parent.parent, tmp_path / "home")
    (home / "runs" / "toy" / "checkpoints" / "00000001" / "model.safetensors").write_bytes(b"")
    assert main(["diagnose", str(home / "runs" / "toy")]) == 0
    assert "00000001 is damaged: model.safetensors does not match its checksum; going on" in capsys.readouterr().err


def test_pages_without_content_are_left_out(run: Path, tmp_path: Path) -> None:
    """As of a decoder of elementwise cells over a bag of words."""
    tree = numbers(run)
    decoders = {name: one | {"matrices": {}} for name, one in tree["recurrences"].items() if name.startswith("decoder")}
    assert draw_pages(tree | {"recurrences": decoders, "attention": None}, tmp_path) == ["gradients.png", "gates.png"]
