"""Bundles lose the feed-forward units that never fire."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
import torch
from toy import WORDS

from models.bundle import TOKENIZER, read_bundle
from models.pruning import feed_forwards
from models.seq2seq import Seq2Seq, kept_tensors
from models.weights import write_bundle
from mt_service.cli import main
from training.start import Start, take_over

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
ALIVE = 20  # units of each part; the compiled engine takes multiples of 16


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden bundle with 64 feed-forward units a block, of which 20 fire, in no order."""
    golden = read_bundle(GOLDEN)
    config = golden.config.architecture
    encoder, decoder = (dataclasses.replace(part, feed_forward=64) for part in (config.encoder, config.decoder))
    torch.manual_seed(3)
    network = Seq2Seq(dataclasses.replace(config, encoder=encoder, decoder=decoder))
    take_over(network, Start(GOLDEN, GOLDEN / TOKENIZER, kept_tensors(golden.network())))
    for part in feed_forwards(network).values():
        part.contract.weight.data.normal_(0, 0.002)
        part.expand.bias.data[torch.randperm(64)[ALIVE:]] = -100.0
        part.expand.bias.data[part.expand.bias == 0] = 0.5
    folder = tmp_path_factory.mktemp("bundles") / "wide"
    write_bundle(folder, network, GOLDEN / TOKENIZER, golden.info, "int8")
    return folder


@pytest.fixture
def text(tmp_path: Path) -> list[str]:
    """Sentences that the golden bundle knows to turn around."""
    rng = random.Random(2)
    sources = [rng.choices(WORDS, k=rng.randint(3, 8)) for _ in range(120)]
    files = [tmp_path / "text.aa", tmp_path / "text.bb"]
    for file, step in zip(files, (1, -1), strict=True):
        file.write_text("".join(" ".join(words[::step]) + "\n" for words in sources), encoding="utf-8")
    return ["--text", *map(str, files)]


def translated(bundle: Path, file: str, output: Path) -> list[str]:
    """What a bundle makes of the lines of a file."""
    words = ["--source", "aa", "--target", "bb", "--input", file, "--output", str(output), "--quiet"]
    assert main(["translate", "--bundle", str(bundle), *words]) == 0
    return output.read_text(encoding="utf-8").splitlines()


def test_a_bundle_without_dead_units_translates_as_before(
    bundle: Path, tmp_path: Path, text: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    test = f"toy={text[1]},{text[2]},aa-bb"
    assert main(["prune", str(bundle), str(new), *text, "--test", test]) == 0
    said = capsys.readouterr().err
    assert "encoder.blocks.0.feed_forward: 20 of 64 units fire; 32 are kept, 0.00 % of what they add goes" in said
    made, info = read_bundle(new).config.architecture, read_bundle(new).info
    assert (made.encoder.feed_forward, made.decoder.feed_forward) == (32, 32)
    assert info.training["pruned"] == {
        "before": {"encoder": 64, "decoder": 64},
        "after": {"encoder": 32, "decoder": 32},
    }
    assert [(one.set, one.metric) for one in info.scores] == [("toy", "BLEU")]
    assert f"toy aa-bb: BLEU {info.scores[0].score:.2f}" in said
    assert translated(new, text[1], tmp_path / "new.bb") == translated(bundle, text[1], tmp_path / "old.bb")


def test_a_shortlist_stays_and_scores_go(bundle: Path, tmp_path: Path, text: list[str]) -> None:
    listed, new = tmp_path / "listed", tmp_path / "new"
    assert main(["shortlist", str(bundle), str(listed), *text, "--most", "5"]) == 0
    assert main(["prune", str(listed), str(new), *text, "--encoder-units", "0", "--decoder-units", "16"]) == 0
    before, after = read_bundle(listed), read_bundle(new)
    assert before.shortlist is not None
    assert after.shortlist is not None
    assert before.shortlist.word_N.tolist() == after.shortlist.word_N.tolist()
    assert read_bundle(bundle).info.scores
    assert not after.info.scores
    assert after.config.architecture.encoder.feed_forward == 0
    size = (new / "model.safetensors").stat().st_size
    assert size < (listed / "model.safetensors").stat().st_size
    assert main(["prune", str(new), str(new), *text, "--force"]) == 0  # what is there may be pruned once more


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--encoder-units", "65"], "--encoder-units must be from 0 to the 64 that the bundle has, but is 65"),
        (["--decoder-units", "-1"], "--decoder-units must be from 0 to the 64 that the bundle has, but is -1"),
        (
            ["--decoder-units", "20"],
            "--decoder-units must be a multiple of 16, which the compiled engine takes, but is 20",
        ),
        (["--test", "toy=missing,missing,aa-bb"], "there is no file missing"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    more: list[str], message: str, bundle: Path, tmp_path: Path, text: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", str(bundle), str(tmp_path / "new"), *text, *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_bundle_is_replaced_only_when_that_is_said(
    bundle: Path, text: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", str(bundle), str(bundle), *text]) == 2
    assert "exists already: choose another folder, or --force" in capsys.readouterr().err


def test_a_bundle_without_feed_forward_parts_has_nothing_to_prune(
    tmp_path: Path, text: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", str(GOLDEN), str(tmp_path / "new"), *text]) == 2
    assert "has no feed-forward units, so there is nothing to prune" in capsys.readouterr().err
