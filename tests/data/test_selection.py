"""Which pairs are trained on: held-out ones, synthetic ones, duplicates, repeated corpora."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.config import build
from data.errors import UserError
from data.prepare import DataConfig, TrainCorpusConfig, prepare
from data.selection import distinct_sources, real_texts_in
from tests.data.corpora import config_for, corpus, pairs_of, sentences, write_corpus

MakeConfig = Callable[..., DataConfig]


def test_held_out_pairs_share_no_text_with_the_training_data(tmp_path: Path) -> None:
    pairs = sentences(120)
    pairs += [(german, f"{english} Indeed.") for german, english in pairs[:60]]
    prepared = prepare(config_for(tmp_path, pairs, hold_out=30, hold_out_name="own"), tmp_path / "p", 1)
    held, train = prepared.dev["own"], pairs_of(prepared)
    assert len(held) == 30
    assert not {pair.source for pair in held} & {pair.source for pair in train}
    assert not {pair.target for pair in held} & {pair.target for pair in train}
    dropped = {row["rule"]: row["lines"] for row in json.loads((prepared.folder / "cleaning.json").read_text())}
    assert len(dropped["held_out"]) == 30
    assert len(dropped["held_out_overlap"]) > 5
    assert [pairs[line - 1][0] for line in dropped["held_out"]] == [pair.source for pair in held]
    assert sum(map(len, dropped.values())) + len(train) == len(pairs)


def test_every_seed_holds_out_the_same_pairs_and_so_do_corpora_that_have_grown(tmp_path: Path) -> None:
    config = config_for(tmp_path, sentences(100), hold_out=20)
    one, two = (prepare(config, tmp_path / f"p{seed}", seed) for seed in (1, 2))
    assert one.dev == two.dev
    larger = prepare(config_for(tmp_path, sentences(105), hold_out=20), tmp_path / "larger", 1)
    assert len(set(one.dev["held-out"]) & set(larger.dev["held-out"])) > 10
    first = [pair.source for pair in one.dev["held-out"]]
    assert first != [source for source, _ in sentences(100)[:20]]


def test_a_dev_set_that_is_trained_on_is_told(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = sentences(60)
    write_corpus(tmp_path, "c", pairs)
    write_corpus(tmp_path, "known", [*pairs[:4], ("Nie gesehen.", "Never seen.")])
    changes = {"root": str(tmp_path), "train": [corpus("c")], "tokenizer": {"vocabulary_size": 340}}
    prepare(make_config(**changes, dev={"known": corpus("known")}), tmp_path / "p", 1)
    told = "dev set known: 4 of its 5 pairs are trained on too, so its scores say less"
    assert told in capsys.readouterr().err
    write_corpus(
        tmp_path, "half", [(pairs[0][0], "Otherwise."), ("Anders.", pairs[1][1]), pairs[2], ("Nie.", "Never.")]
    )
    prepare(make_config(**changes, dev={"half": corpus("half")}), tmp_path / "q", 1)
    told = "dev set half: 1 of its 4 pairs are trained on too, and one side of 2 others, so its scores say less"
    assert told in capsys.readouterr().err


def test_holding_out_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"hold_out = 50 leaves nothing of c\.de, of whose 50 pairs cleaning kept 50: hold out fewer"
    ):
        prepare(config_for(tmp_path, sentences(50), clean={"duplicates": False}, hold_out=50), tmp_path / "p", 1)


def test_the_vocabulary_is_learned_from_what_people_wrote(tmp_path: Path) -> None:
    real, other = sentences(60), [(f"Xylophon {i}", f"Zymurgy {i} quiz") for i in range(400)]
    alone = prepare(config_for(tmp_path, real), tmp_path / "alone", 1)
    write_corpus(tmp_path / "made", "m", other)
    made = build(TrainCorpusConfig, corpus("m", root="made", synthetic=True))
    config = config_for(tmp_path, real)
    both = prepare(dataclasses.replace(config, train=(*config.train, made)), tmp_path / "both", 1)
    assert (both.folder / "tokenizer.model").read_bytes() == (alone.folder / "tokenizer.model").read_bytes()
    assert len(pairs_of(both)) == len(pairs_of(alone)) + 400


def test_synthetic_pairs_of_held_out_text_are_left_out_and_may_hold_nothing_new(tmp_path: Path) -> None:
    real = sentences(60)
    write_corpus(tmp_path, "m", [*real, *((german, f"{english} Indeed.") for german, english in real)])
    made = build(TrainCorpusConfig, corpus("m", synthetic=True))
    config = config_for(tmp_path, real, hold_out=10)
    prepared = prepare(dataclasses.replace(config, train=(*config.train, made)), tmp_path / "p", 1)
    held = {pair.source for pair in prepared.dev["held-out"]}
    assert held.isdisjoint(pair.source for pair in pairs_of(prepared))
    assert len(pairs_of(prepared)) == 100
    write_corpus(tmp_path, "m", real)
    assert len(pairs_of(prepare(dataclasses.replace(config, train=(*config.train, made)), tmp_path / "q", 1))) == 50


def test_of_duplicates_what_people_wrote_is_kept_wherever_it_is_listed(tmp_path: Path) -> None:
    real = sentences(60)
    write_corpus(tmp_path, "m", real)
    made = build(TrainCorpusConfig, corpus("m", synthetic=True))
    config = config_for(tmp_path, real)
    prepared = prepare(dataclasses.replace(config, train=(made, *config.train)), tmp_path / "p", 1)
    assert [one["kept"] for one in prepared.manifest["cleaning"]][:2] == [0, 60]
    assert sorted(distinct_sources(dataclasses.replace(config, train=(made, *config.train)), "de-en")) == sorted(
        german for german, _ in real
    )


def test_text_of_a_language_is_known_whatever_it_is_paired_with(tmp_path: Path) -> None:
    config = config_for(tmp_path, sentences(60))
    (tmp_path / "f.de").write_text("Ganz  anders.\n", encoding="utf-8")
    (tmp_path / "f.fr").write_text("Autrement.\n", encoding="utf-8")
    french = build(TrainCorpusConfig, {**corpus("f"), "languages": ["de", "fr"], "target": "f.fr", "hold_out": 1})
    train, languages = (*config.train, french), ("de", "en", "fr")
    both = dataclasses.replace(config, languages=languages, directions=("de-en", "de-fr"), train=train)
    assert "Ganz anders." in set(real_texts_in(both, "de"))
    assert list(real_texts_in(both, "fr")) == ["Autrement."]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ([corpus("c", synthetic=True)], "every train corpus is synthetic"),
        ([corpus("c"), corpus("m", synthetic=True, hold_out=3)], "hold_out of a synthetic corpus must be 0"),
    ],
)
def test_synthetic_text_stands_beside_real_text(
    train: list[dict[str, Any]], message: str, make_config: MakeConfig
) -> None:
    with pytest.raises(UserError, match=message):
        make_config(train=train)


def test_a_corpus_counts_as_often_as_it_is_repeated(tmp_path: Path) -> None:
    few, many = sentences(20, seed=3), sentences(60, seed=4)
    write_corpus(tmp_path, "few", few)
    config = config_for(tmp_path, many)
    small = build(TrainCorpusConfig, corpus("few", repeat=5))
    prepared = prepare(dataclasses.replace(config, train=(*config.train, small)), tmp_path / "p", 1)
    found = Counter((pair.source, pair.target) for pair in pairs_of(prepared))
    assert [found[pair] for pair in few] == [5] * 20
    assert [found[pair] for pair in many] == [1] * 60
    assert sum(prepared.shard_sizes) == 160


def test_the_vocabulary_is_learned_from_a_repeated_corpus_as_often(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    write_corpus(config.root, "few", [("Xylophon", "Xylophone")])
    pieces = []
    for repeat in (1, 900):
        prepared = prepare(
            make_config(train=[corpus("train"), corpus("few", repeat=repeat)]), tmp_path / f"p{repeat}", 1
        )
        pieces.append(len(prepared.tokenizer.encode("Xylophon")))
    assert pieces[1] < pieces[0]
