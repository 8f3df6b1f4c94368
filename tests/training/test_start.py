"""Runs that begin where another run or a bundle ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy import overrides, write_toy

from data.errors import UserError
from data.tokenizer import Tokenizer
from models.bundle import read_bundle
from models.config import DecoderConfig, EncoderConfig, ModelConfig
from models.seq2seq import Seq2Seq
from models.vocabulary import with_vocabulary
from training import checkpoint
from training.average import choose_weights
from training.run import prepare_recipe, train_recipe
from training.start import load_start, mean_start, refuse_idle

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
FEW = {"training__updates": 4, "training__evaluate_every": 4, "training__dev_sentences": 4, "optimizer__warmup": 0}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    return tmp_path


def train(toy: Path, **changes: object) -> dict[str, torch.Tensor]:
    """Train a few updates; return the last weights."""
    words = overrides(toy, **{**FEW, **changes})
    assert train_recipe(toy / "toy.toml", words, toy / "home") == 0
    name = str(changes.get("name", "toy"))
    run = toy / "home" / "runs" / name
    return checkpoint.load(checkpoint.resolve(run / "checkpoints", "last")).model


def test_a_run_begins_where_another_ended_and_shares_its_vocabulary(toy: Path) -> None:
    train(toy)
    first, _ = choose_weights(toy / "home" / "runs" / "toy", "best", 1)
    second = train(toy, name="tuned", start_from="toy", optimizer__rate=1e-9, data__tokenizer__vocabulary_size=350)
    assert {name: tensor for name, tensor in second.items() if not torch.allclose(tensor, first[name], atol=1e-6)} == {}
    models = [toy / "home" / "prepared" / name / "tokenizer.model" for name in ("toy", "tuned")]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_a_run_with_a_vocabulary_of_its_own_takes_the_embeddings_of_known_pieces(toy: Path) -> None:
    train(toy)
    first, _ = choose_weights(toy / "home" / "runs" / "toy", "best", 1)
    size = {"start_vocabulary": "own", "data__tokenizer__vocabulary_size": 320}
    second = train(toy, name="tuned", start_from="toy", optimizer__rate=1e-9, **size)
    old, new = (Tokenizer.load(toy / "home" / "prepared" / name / "tokenizer.model") for name in ("toy", "tuned"))
    expected = with_vocabulary(first, old, new)
    assert len(new) == 320 != len(old)
    assert all(torch.allclose(tensor, expected[name], atol=1e-6) for name, tensor in second.items())


def test_a_vocabulary_of_its_own_wants_a_start(toy: Path) -> None:
    with pytest.raises(
        UserError, match="'start_vocabulary' own takes embeddings over from a start: name it in 'start_from'"
    ):
        train(toy, start_vocabulary="own")


def test_a_run_begins_with_a_bundle(toy: Path) -> None:
    golden = dict(read_bundle(GOLDEN).network().named_parameters())
    tuned = train(toy, start_from=GOLDEN, optimizer__rate=1e-9)
    assert all(torch.allclose(tuned[name], golden[name], atol=1e-6) for name in tuned)


def test_a_start_brings_its_reservoirs_along(toy: Path) -> None:
    first = train(toy, model__encoder__cell="esn")
    second = train(toy, name="tuned", start_from="toy", model__encoder__cell="esn", seed=9)
    frozen = [name for name in first if ".recurrence." in name]
    assert len(frozen) == 8
    assert all(torch.equal(first[name], second[name]) for name in frozen)


def test_a_run_with_fewer_feed_forward_units_says_which_it_took(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(toy, model__encoder__feed_forward=48)
    train(toy, name="slim", start_from="toy", model__encoder__feed_forward=16)
    told = "those with the longest weights: encoder.blocks.0.feed_forward"
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_deeper_run_goes_on_from_a_shallower_one(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = train(toy)
    deeper = {"model__encoder__layers": 2, "model__decoder__layers": 3, "model__encoder__feed_forward": 48}
    second = train(toy, name="deep", start_from="toy", optimizer__rate=1e-9, **deeper)
    told = "begin by adding nothing: decoder.block_list.2, encoder.blocks.0.feed_forward, encoder.blocks.1"
    assert told in " ".join(capsys.readouterr().err.split())
    train(toy, name="deep", start_from="toy", optimizer__rate=1e-9, **deeper)  # there is nothing left to do
    assert "begin by adding nothing" not in capsys.readouterr().err
    rows = {name: second[name][: len(tensor)] for name, tensor in first.items()}
    best, _ = choose_weights(toy / "home" / "runs" / "toy", "best", 1)
    assert {name: tensor for name, tensor in rows.items() if not torch.allclose(tensor, best[name], atol=1e-6)} == {}


def test_another_network_is_told_by_its_tensors(toy: Path) -> None:
    train(toy)
    message = r"toy is another network than \[model\]: .*0.project.weight - there, \(32, 24\) here"
    with pytest.raises(UserError, match=message):
        train(toy, name="slim", start_from="toy", model__decoder__hidden=24)


def test_a_wider_run_goes_on_from_a_narrower_one(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(toy)
    second = train(toy, name="wide", start_from="toy", optimizer__rate=1e-9, model__decoder__hidden=40)
    told = "toy, which begin by adding nothing: decoder.block_list.0"
    assert told in " ".join(capsys.readouterr().err.split())
    assert second["decoder.cell_list.0.weight_hh"].shape == (4 * 40, 40)
    best, _ = choose_weights(toy / "home" / "runs" / "toy", "best", 1)
    alike = [name for name, tensor in best.items() if second[name].shape == tensor.shape]
    assert len(alike) > 10
    assert all(torch.allclose(best[name], second[name], atol=1e-6) for name in alike)


def test_a_start_is_the_mean_of_the_variants_that_are_trained_first(toy: Path) -> None:
    words = {"start_from": "toy.toml", "start_variants": [2, 3], "optimizer__rate": 1e-9}
    few = (toy / "toy.toml").read_text(encoding="utf-8").replace("updates = 400", "updates = 4")
    (toy / "toy.toml").write_text(few, encoding="utf-8")
    mean = train(toy, name="mean", **words)
    runs = [choose_weights(toy / "home" / "runs" / name, "best", 1)[0] for name in ("toy", "toy-2")]
    moved = [name for name in mean if not torch.allclose(runs[0][name], runs[1][name], atol=1e-3)]
    assert len(moved) > 20
    for name, tensor in mean.items():
        assert torch.allclose(tensor, (runs[0][name] + runs[1][name]) / 2, atol=1e-6)


def test_runs_without_a_mean_are_told(toy: Path) -> None:
    train(toy)
    train(toy, name="other", data__tokenizer__vocabulary_size=320)
    starts = [load_start(Path(name), toy / "home") for name in ("toy", "other")]
    with pytest.raises(UserError, match=r"toy and .*other have no mean, .* let them start from the same run"):
        mean_start(starts)


def test_a_start_that_is_none_is_told(toy: Path) -> None:
    with pytest.raises(UserError, match="'start_from': nothing is neither a bundle nor a run, nor is there a run"):
        load_start(Path("nothing"), toy / "home")


def test_a_vocabulary_without_a_language_is_told(toy: Path) -> None:
    words = overrides(toy, start_from=GOLDEN.parent.parent.parent.parent / "models" / "pretrained" / "de-en")
    with pytest.raises(UserError, match="knows de, en alone, not aa, bb: learn a vocabulary"):
        prepare_recipe(toy / "toy.toml", words, toy / "home")


def test_prepared_data_with_another_vocabulary_is_not_reused(toy: Path) -> None:
    words = overrides(toy)
    assert prepare_recipe(toy / "toy.toml", words, toy / "home") == 0
    with pytest.raises(UserError, match=r"\(vocabulary differ\)"):
        prepare_recipe(toy / "toy.toml", [*words, f"start_from={GOLDEN}"], toy / "home")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "encoder": EncoderConfig(cell="ssru"),
                "decoder": DecoderConfig(cell="mingru"),
                "recurrent_start": "sparse",
            },
            "'recurrent_start' sparse needs a cell that learns hidden-to-hidden weights",
        ),
        (
            {"decoder": DecoderConfig("input_feeding", feed_forward=8)},
            "'feed_forward' and 'attention_blocks' all need 'arrangement' blocks, but it is input_feeding",
        ),
        (
            {"decoder": DecoderConfig("input_feeding", attention_blocks="all")},
            "'feed_forward' and 'attention_blocks' all need",
        ),
    ],
)
def test_what_a_network_has_no_use_for_is_refused(changes: dict[str, Any], message: str) -> None:
    network = Seq2Seq(ModelConfig(20, **changes))
    with pytest.raises(UserError, match=message):
        refuse_idle(network)
