"""Exports: provenance without this machine's folders, test sets, parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from data.errors import UserError
from data.fineness import LEAST_TEXTS, limit
from data.normalize import normalize
from models.bundle import TOKENIZER, read_bundle
from models.seq2seq import kept_tensors
from training import export
from training.examples import Example, read_test_set
from training.export import blend, finest, parity, placeless_sources, provenance, read_card
from training.start import Start

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
    told = provenance(recipe, manifest, {"update": 5}, Path("/home/somebody/workspace"), data)
    sources_of = [{"source": "a/train.aa"}, {"source": "book.tsv"}]
    assert told["recipe"]["data"] == {"languages": ["aa", "bb"], "train": sources_of, "dev": {}}
    assert told["recipe"]["start_from"] == "first"
    lines = {name: source["lines"] for name, source in told["data"]["sources"].items()}
    ours = {"a/train.aa": 1, "book.tsv": 4, "corpora/toy/teacher/aa-bb.aa": 3}
    assert lines == {**ours, "/elsewhere/dev.aa": 2}
    assert (told["seed"], told["update"]) == (1, 5)


def test_files_of_one_name_in_several_folders_are_all_told() -> None:
    where = {"root": "/a", "train": [{"root": "."}, {"root": "/b"}, {"root": "/c"}], "dev": {}}
    told = placeless_sources({"/a/x.tsv": 1, "/b/x.tsv": 2, "/c/x.tsv": 3, "/a/y.tsv": 4}, where, Path("/home"))
    assert told == {"x.tsv": 1, "x.tsv (2)": 2, "x.tsv (3)": 3, "y.tsv": 4}


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
        ("x=one,old,de-en", "old line 1 is not UTF-8"),
        ("x=none,none,de-en", "none is empty: there is nothing to score"),
    ],
)
def test_a_bad_test_set_is_told(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("a\n", encoding="utf-8")
    Path("two").write_text("a\nb\n", encoding="utf-8")
    Path("none").write_bytes(b"")
    Path("old").write_bytes("ä\n".encode("latin-1"))
    with pytest.raises(UserError, match=message):
        read_test_set(text, ["de-en"])


def golden_start(tmp_path: Path) -> Start:
    """What a run in some workspace may have come to."""
    weights = {name: part + 1 for name, part in kept_tensors(read_bundle(GOLDEN).network()).items()}
    return Start(tmp_path / "runs" / "mine", GOLDEN / TOKENIZER, weights)


def test_weights_may_be_blended_with_those_of_a_bundle(tmp_path: Path) -> None:
    mine, theirs = golden_start(tmp_path), kept_tensors(read_bundle(GOLDEN).network())
    weights, origin = blend(mine, {"weights": "best"}, f"{GOLDEN}=0.25", tmp_path)
    assert origin == {"weights": "best", "blended": "0.25 of format-1"}
    assert weights.keys() == theirs.keys()
    for name, part in weights.items():
        torch.testing.assert_close(part, theirs[name] + 0.75)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "--blend x: expected PLACE=SHARE, with a share between 0 and 1"),
        ("=0.3", "--blend =0.3: expected PLACE=SHARE"),
        ("x=nan", "--blend x=nan: expected PLACE=SHARE"),
        ("x=1", "--blend x=1: expected PLACE=SHARE"),
        ("x=0.3", "--blend: x is neither a bundle nor a run"),
    ],
)
def test_what_cannot_be_blended_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        blend(golden_start(tmp_path), {}, text, tmp_path)


def test_other_networks_are_not_blended(tmp_path: Path) -> None:
    mine = golden_start(tmp_path)
    mine.weights.popitem()
    with pytest.raises(UserError, match=r"--blend: .*mine and .*format-1 have no mean"):
        blend(mine, {}, f"{GOLDEN}=0.3", tmp_path)


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


def test_how_finely_the_dev_sets_are_cut_is_measured_per_source_language() -> None:
    tokenizer = read_bundle(GOLDEN).tokenizer
    long = ["ba dei fu go " * 5] * LEAST_TEXTS
    dev = [Example("one", "aa-bb", long[1:], long[1:]), Example("two", "aa-bb", long[:1], long[:1])]
    found = finest(tokenizer, [*dev, Example("few", "bb-aa", long[1:], long[1:])])
    assert found == {"aa": limit(tokenizer, list(map(normalize, long)))}
