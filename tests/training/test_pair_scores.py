"""Given translations are as probable as search says of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle import read_bundle
from models.hypotheses import SearchOptions
from models.search import translate_ids
from mt_service.cli import main
from training.pair_scores import BATCH, POSITIONS, batches_of, score_pairs

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
TEXTS = ["ba dei lo", "ka", "mo fa do go lei da", "ka lo mei fa"]


def test_what_search_finds_has_the_probability_that_search_says() -> None:
    bundle = read_bundle(GOLDEN)
    network, tokenizer = bundle.network(), bundle.tokenizer
    sources = [tokenizer.encode_source(text, "bb") for text in TEXTS]
    found = [best[0] for best in translate_ids(network, sources, SearchOptions(beam=3), bundle.specials)]
    pairs = [(text, tokenizer.decode(one.tokens)) for text, one in zip(TEXTS, found, strict=True)]
    for score, one in zip(score_pairs(network, tokenizer, pairs, "bb"), found, strict=True):
        assert score.log_probability == pytest.approx(one.log_probability, abs=1e-4)
        assert score.tokens == len(one.tokens) + 1


def test_a_pair_does_not_depend_on_its_batch() -> None:
    bundle = read_bundle(GOLDEN)
    pairs = [(text, " ".join(text.split()[::-1])) for text in TEXTS] * 20
    together = score_pairs(bundle.network(), bundle.tokenizer, pairs, "bb")
    (alone,) = score_pairs(bundle.network(), bundle.tokenizer, pairs[2:3], "bb")
    assert together[2].log_probability == pytest.approx(alone.log_probability, abs=1e-4)
    assert together[2] == pytest.approx(together[-2], abs=1e-4)


def test_wrong_translations_are_told_from_right_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.aa").write_text("ba dei lo\nba dei lo\n\n", encoding="utf-8")
    (tmp_path / "t.bb").write_text("lo dei ba\nka mo\n\n", encoding="utf-8")
    files = ["--source", str(tmp_path / "t.aa"), "--target", str(tmp_path / "t.bb")]
    assert main(["score", "--bundle", str(GOLDEN), *files]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3
    assert float(lines[0][0]) > -1 > -5 > float(lines[1][0])
    assert [int(line[2]) for line in lines[::2]] == [5, 1]


def test_files_that_do_not_pair_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.aa").write_text("ba\n", encoding="utf-8")
    (tmp_path / "t.bb").write_text("ba\nba\n", encoding="utf-8")
    files = ["--source", str(tmp_path / "t.aa"), "--target", str(tmp_path / "t.bb")]
    assert main(["score", "--bundle", str(GOLDEN), *files]) == 2
    assert "has 1 lines" in capsys.readouterr().err


def test_a_batch_holds_so_many_positions_and_a_longer_pair_stands_alone() -> None:
    ids = [([0] * length, [0] * (length - 1)) for length in [*range(2, 400, 3), 2 * POSITIONS, 5]]
    batches = batches_of(ids)
    assert sorted(index for batch in batches for index in batch) == list(range(len(ids)))
    assert batches[-1] == [len(ids) - 2]
    for batch in batches[:-1]:
        assert len(batch) <= BATCH
        assert len(batch) * max(len(ids[index][0]) for index in batch) <= POSITIONS
    assert len(batches[0]) == BATCH


def test_scores_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = read_bundle(GOLDEN)
    pairs = [(text, " ".join(text.split()[::-1])) for text in [*TEXTS, " ".join(TEXTS * 3), ""]] * 3
    whole = score_pairs(bundle.network(), bundle.tokenizer, pairs, "bb")
    monkeypatch.setattr("training.pair_scores.POSITIONS", 20)
    monkeypatch.setattr("training.pair_scores.LOGITS", 7)
    for one, other in zip(score_pairs(bundle.network(), bundle.tokenizer, pairs, "bb"), whole, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
