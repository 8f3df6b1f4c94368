"""Exports: provenance without this machine's folders, test sets, parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from data.errors import UserError
from models.bundle import read_bundle
from training import export
from training.export import (
    Example,
    largest_near_best,
    length_ratio,
    parity,
    provenance,
    read_card,
    read_test_set,
)

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
DEV = Example("toy dev", "aa-bb", ["ba dei lo", "ka mo fa do", "go lei da"], ["lo dei ba", "do fa mo ka", "da lei go"])


def test_a_bundle_does_not_tell_where_the_corpora_lay() -> None:
    train = [{"source": "a/train.aa", "root": "."}, {"source": "book.tsv", "root": "/home/somebody/project/corpora"}]
    data = {"root": "/home/somebody/corpora", "languages": ["aa", "bb"], "train": train, "dev": {}}
    recipe: dict[str, Any] = {"name": "toy", "data": data}
    recipe["start_from"] = "/home/somebody/workspace/runs/first"
    sources = {
        "/home/somebody/corpora/a/train.aa": {"lines": 1},
        "/home/somebody/project/corpora/book.tsv": {"lines": 4},
        "/elsewhere/dev.aa": {"lines": 2},
        "/home/somebody/workspace/corpora/toy/teacher/aa-bb.aa": {"lines": 3},
    }
    manifest = {"seed": 1, "data": {"sources": sources, "files": {}}}
    told = provenance(recipe, manifest, {"update": 5}, Path("/home/somebody/workspace"))
    sources_of = [{"source": "a/train.aa"}, {"source": "book.tsv"}]
    assert told["recipe"]["data"] == {"languages": ["aa", "bb"], "train": sources_of, "dev": {}}
    assert told["recipe"]["start_from"] == "first"
    lines = {name: source["lines"] for name, source in told["data"]["sources"].items()}
    ours = {"a/train.aa": 1, "book.tsv": 4, "corpora/toy/teacher/aa-bb.aa": 3}
    assert lines == {**ours, "/elsewhere/dev.aa": 2}
    assert (told["seed"], told["update"]) == (1, 5)


def test_a_test_set_is_two_files_and_a_direction(tmp_path: Path) -> None:
    (tmp_path / "t.de").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "t.en").write_text("c\nd\n", encoding="utf-8")
    text = f"small test={tmp_path}/t.de,{tmp_path}/t.en,de-en"
    assert read_test_set(text, ["en-de", "de-en"]) == Example("small test", "de-en", ["a", "b"], ["c", "d"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t.de,t.en", "expected NAME=SOURCE,TARGET,de-en"),
        ("x=t.de,t.en", "expected NAME=SOURCE,TARGET,de-en"),
        ("x=no.de,no.en,de-en", "there is no file no.de"),
        ("x=one,two,de-en", "one has 1 lines, but two has 2"),
        ("x=one,two,en-de", "en-de is no direction that is trained; there are: de-en"),
        ("x=one,old,de-en", "old, line 1 is no UTF-8"),
    ],
)
def test_a_bad_test_set_is_told(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("a\n", encoding="utf-8")
    Path("two").write_text("a\nb\n", encoding="utf-8")
    Path("old").write_bytes("ä\n".encode("latin-1"))
    with pytest.raises(UserError, match=message):
        read_test_set(text, ["de-en"])


def test_a_bad_card_is_named(tmp_path: Path) -> None:
    card = tmp_path / "card.toml"
    card.write_text('licens = "x"', encoding="utf-8")
    with pytest.raises(UserError, match=r"card\.toml: unknown key 'licens'; valid keys are: attribution, licence"):
        read_card(card)


def test_parity_holds_for_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = read_bundle(GOLDEN)
    assert parity(bundle.network(), bundle, [DEV], "float32")
    assert "logits differ by at most 0.000, 3 of 3 greedy translations are the same" in capsys.readouterr().err


def test_parity_fails_for_other_weights(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = read_bundle(GOLDEN)
    other = bundle.network()
    with torch.no_grad():
        other.output_weight.add_(torch.randn(other.output_weight.shape, generator=torch.Generator().manual_seed(1)))
    assert not parity(other, bundle, [DEV], "float32")
    assert "does not translate as the network does" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "good"), [((-0.6, 0.1), True), ((-0.6, -0.6), False), ((-0.6,), False), ((), True)]
)
def test_parity_in_low_precision_is_judged_by_the_mean(
    changes: tuple[float, ...], good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([score for change in changes for score in (30 + change, 30.0)])
    monkeypatch.setattr(export, "bleu", lambda *_: next(scores))
    bundle = read_bundle(GOLDEN)
    assert parity(bundle.network(), bundle, [DEV] * len(changes), "int8") is good


def test_among_equals_the_largest_length_penalty_is_taken() -> None:
    assert largest_near_best({0.0: 43.69, 0.6: 43.66, 0.8: 43.54, 1.0: 43.52}) == 0.6
    assert largest_near_best({0.6: 40.0, 1.0: 42.0, 1.4: 41.0}) == 1.0


def test_the_length_that_a_search_rewards_is_what_nine_of_ten_references_keep_to() -> None:
    tokenizer = read_bundle(GOLDEN).tokenizer
    words = len(tokenizer.encode_source("ba", "bb"))
    longer = len(tokenizer.encode("ba lo")) + 1
    usual, long, endless = "ba", "ba lo", " ".join(["ba"] * 50)

    def ratio(*references: str) -> float:
        return length_ratio(tokenizer, [Example("toy dev", "aa-bb", ["ba"] * len(references), list(references))])

    assert ratio(*[usual] * 10, endless) == round((len(tokenizer.encode("ba")) + 1) / words, 2)
    assert ratio(*[usual] * 8, *[long] * 2, endless) == round(longer / words, 2)
    assert length_ratio(tokenizer, []) == 0.0
