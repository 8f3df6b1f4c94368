import dataclasses
import hashlib
import json
import resource
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.config import build
from data.errors import UserError
from data.prepare import DataConfig, Pair, Prepared, TrainCorpusConfig, prepare
from data.selection import distinct_sources, real_texts_in
from tests.data.corpora import corpus, sentences, write_corpus

MakeConfig = Callable[..., DataConfig]


def pairs_of(prepared: Prepared) -> list[Pair]:
    return [pair for number in range(prepared.shards) for pair in prepared.shard(number)]


def test_every_good_pair_is_in_one_shard(prepared: Prepared) -> None:
    expected = {Pair("de", "en", *pair) for pair in sentences(400, seed=1)}
    found = pairs_of(prepared)
    assert prepared.shards == 3
    assert sorted(found) == sorted(expected)
    assert prepared.first_line(0) == 1
    assert [found[prepared.first_line(n) - 1] for n in range(3)] == [prepared.shard(n)[0] for n in range(3)]


def test_the_dev_set_stands_in_both_directions_and_in_order(prepared: Prepared) -> None:
    pairs = [Pair("de", "en", *pair) for pair in sentences(20, seed=2)]
    assert prepared.dev == {"small": pairs + [pair.swapped() for pair in pairs]}


def test_one_direction_alone_is_possible(make_config: MakeConfig, tmp_path: Path) -> None:
    prepared = prepare(make_config(directions=["en-de"]), tmp_path / "p", 1)
    assert {pair.direction for pair in prepared.dev["small"]} == {"en-de"}
    assert prepared.directions == ("en-de",)
    assert prepared.tokenizer.languages == ("de", "en")


def test_the_manifest_names_sources_counts_seed_versions_and_files(prepared: Prepared) -> None:
    manifest = json.loads((prepared.folder / "manifest.json").read_text())
    for path, source in manifest["sources"].items():
        assert source["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
        assert source["lines"] == (20 if "dev" in path else 400)
    duplicates = 400 - len(set(sentences(400, seed=1)))
    cleaning, dev = manifest["cleaning"]
    assert dev == {"corpus": "dev.de", "read": 20, "kept": 20, "dropped": {}}
    assert cleaning["read"] == 400
    assert cleaning["kept"] == sum(manifest["shards"]) == 400 - duplicates
    assert manifest["seed"] == 1
    assert manifest["versions"].keys() == {"sentencepiece", "python"}
    names = {path.name for path in prepared.folder.iterdir()}
    assert manifest["files"].keys() == names - {"manifest.json"}
    assert names >= {"tokenizer.model", "dev-small.tsv", "cleaning.json", "cleaning.txt", "train-00002.tsv"}


def test_the_same_corpora_give_the_same_bytes(make_config: MakeConfig, prepared: Prepared, tmp_path: Path) -> None:
    again = prepare(make_config(), tmp_path / "again", 1)
    other = prepare(make_config(), tmp_path / "other", 2)
    assert again.manifest["files"] == prepared.manifest["files"]
    assert other.manifest["files"] != prepared.manifest["files"]


def test_dropped_pairs_are_reported_with_their_lines(tmp_path: Path) -> None:
    pairs = sentences(60)
    pairs[3], pairs[10], pairs[20] = ("", "x"), ("Gut", "schÃ¶n"), pairs[0]
    config = config_for(tmp_path, pairs)
    prepared = prepare(config, tmp_path / "p", 1)
    rows = json.loads((prepared.folder / "cleaning.json").read_text())
    assert {row["rule"]: row["lines"] for row in rows} == {"empty": [4], "encoding": [11], "duplicates": [21]}
    assert "60 read, 57 kept" in (prepared.folder / "cleaning.txt").read_text()
    assert len(pairs_of(prepared)) == 57


def config_for(
    root: Path, pairs: list[tuple[str, str]], clean: dict[str, Any] | None = None, **train: Any
) -> DataConfig:
    write_corpus(root, "c", pairs)
    plain = {
        "root": str(root), "languages": ["de", "en"], "directions": ["de-en"], "train": [corpus("c", **train)],
        "tokenizer": {"vocabulary_size": 320, "placeholders": 2}, "clean": clean or {},
    }  # fmt: skip
    return build(DataConfig, plain)


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
    with pytest.raises(UserError, match=r"hold_out = 50 leaves nothing of c\.de, which has 50 pairs"):
        prepare(config_for(tmp_path, sentences(50), clean={"duplicates": False}, hold_out=50), tmp_path / "p", 1)


def test_prepared_data_is_reused_unless_something_differs(make_config: MakeConfig, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    prepare(make_config(), folder, 1)
    made = (folder / "manifest.json").stat().st_mtime_ns
    prepare(make_config(), folder, 1)
    assert (folder / "manifest.json").stat().st_mtime_ns == made
    with pytest.raises(UserError, match=r"\(seed differ\): choose another 'name', or, where no run"):
        prepare(make_config(), folder, 2)
    with pytest.raises(UserError, match=r"\(data\.shard_pairs differ\)"):
        prepare(make_config(shard_pairs=5), folder, 1)
    assert len(Prepared.load(folder).shard_sizes) == 3
    assert prepare(make_config(shard_pairs=500), folder, 1, force=True).shards == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["p"]


def test_changed_corpora_are_noticed_and_moved_ones_are_not(tmp_path: Path) -> None:
    config = config_for(tmp_path / "a", sentences(60))
    prepare(config, tmp_path / "p", 1)
    shutil.move(tmp_path / "a", tmp_path / "b")
    moved = config_for(tmp_path / "b", sentences(60))
    prepare(moved, tmp_path / "p", 1)
    with pytest.raises(UserError, match="corpus files differ"):
        prepare(config_for(tmp_path / "b", sentences(61)), tmp_path / "p", 1)


def test_a_folder_with_other_things_is_never_replaced(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(UserError, match="holds no prepared data"):
            prepare(make_config(), tmp_path, 1, force=force)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_file_in_the_place_of_the_folder_is_named(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("")
    with pytest.raises(UserError, match="p is a file: name a folder"):
        prepare(make_config(), tmp_path / "p", 1, force=True)


def test_force_mends_altered_data(make_config: MakeConfig, prepared: Prepared, tmp_path: Path) -> None:
    shutil.copytree(prepared.folder, tmp_path / "p")
    (tmp_path / "p" / "tokenizer.model").write_bytes(b"")
    with pytest.raises(UserError, match="prepare the data again, by mt prepare --force"):
        prepare(make_config(), tmp_path / "p", 1)
    assert prepare(make_config(), tmp_path / "p", 1, force=True).manifest["files"] == prepared.manifest["files"]
    for broken in ('{"format": 0}', '{"format": 1}', "{"):
        (tmp_path / "p" / "manifest.json").write_text(broken)
        with pytest.raises(UserError, match=r"manifest\.json"):
            prepare(make_config(), tmp_path / "p", 1)
        assert prepare(make_config(), tmp_path / "p", 1, force=True).manifest["files"] == prepared.manifest["files"]


def test_a_failure_leaves_nothing_behind(make_config: MakeConfig, tmp_path: Path) -> None:
    folder = tmp_path / "sub" / "p"
    with pytest.raises(UserError, match="too small"):
        prepare(make_config(tokenizer={"vocabulary_size": 5000}), folder, 1)
    assert list(folder.parent.iterdir()) == []


def test_bad_corpora_are_found_before_anything_is_written(make_config: MakeConfig, tmp_path: Path) -> None:
    root = tmp_path / "corpora"
    write_corpus(root, "c", sentences(50))
    (root / "dev.tsv").write_bytes(b"a\tb\n\xff\tb\n")
    dev = {"bad": {"format": "tsv", "languages": ["de", "en"], "source": "dev.tsv"}}
    config = make_config(root=str(root), train=[corpus("c")], dev=dev)
    with pytest.raises(UserError, match=r"dev\.tsv line 2 is not UTF-8"):
        prepare(config, tmp_path / "out" / "p", 1)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=r"none\.de does not exist"):
        prepare(make_config(train=[corpus("none")]), tmp_path / "out" / "p", 1)


def test_a_corpus_of_which_nothing_is_left_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no pair of c\.de is left after cleaning; rules that dropped: empty"):
        prepare(config_for(tmp_path, [("", "x")] * 5), tmp_path / "p", 1)


@pytest.mark.parametrize("name", ["tokenizer.model", "train-00001.tsv", "dev-small.tsv"])
def test_a_missing_or_altered_file_is_named(prepared: Prepared, tmp_path: Path, name: str) -> None:
    shutil.copytree(prepared.folder, tmp_path / "p")
    with (tmp_path / "p" / name).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(UserError, match=f"{name} was altered"):
        Prepared.load(tmp_path / "p")
    (tmp_path / "p" / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        Prepared.load(tmp_path / "p")


def test_another_format_is_refused(prepared: Prepared, tmp_path: Path) -> None:
    shutil.copytree(prepared.folder, tmp_path / "p")
    manifest = tmp_path / "p" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99', 1))
    with pytest.raises(UserError, match="has format 99, but this version reads 1"):
        Prepared.load(tmp_path / "p")


def test_dev_pairs_with_an_empty_side_are_reported(make_config: MakeConfig, tmp_path: Path) -> None:
    write_corpus(tmp_path, "c", sentences(60))
    write_corpus(tmp_path, "gaps", [("Ja.", "Yes."), ("", "x"), ("Gut.", " \t")])
    write_corpus(tmp_path, "void", [("", "x")])
    changes = {"root": str(tmp_path), "train": [corpus("c")], "tokenizer": {"vocabulary_size": 340}}
    prepared = prepare(make_config(**changes, dev={"gaps": corpus("gaps")}), tmp_path / "p", 1)
    assert [pair.source for pair in prepared.dev["gaps"]] == ["Ja.", "Yes."]
    (row,) = json.loads((prepared.folder / "cleaning.json").read_text())
    assert (row["corpus"], row["rule"], row["lines"]) == ("gaps.de", "empty", [2, 3])
    with pytest.raises(UserError, match=r"every pair of void\.de has an empty side"):
        prepare(make_config(**changes, dev={"void": corpus("void")}), tmp_path / "q", 1)


FRENCH = {"format": "tsv", "languages": ["de", "fr"], "source": "x.tsv"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": ["de", "EN"]}, "language 'EN' must look like"),
        ({"languages": ["de", "de"]}, "languages names one twice"),
        ({"directions": []}, "directions is empty"),
        ({"directions": ["de-en", "de-en"]}, "directions names one twice"),
        ({"directions": ["de-fr"]}, "direction 'de-fr' must be two of the languages de, en"),
        ({"directions": ["deen"]}, "direction 'deen' must be"),
        ({"directions": ["de-de"]}, "direction 'de-de' must be"),
        ({"languages": ["de", "en", "fr"], "directions": ["de-en", "de-fr"]}, "no train corpus has .* 'de-fr'"),
        ({"languages": ["de", "en", "fr"], "dev": {"x": FRENCH}}, r"corpus x\.tsv is de-fr, which serves none"),
        ({"train": []}, "train is empty"),
        ({"shard_pairs": 0}, "shard_pairs"),
        ({"dev": {"../x": corpus("dev")}}, r"dev set name '\.\./x'"),
        ({"train": [corpus("train", hold_out=5, hold_out_name="small")]}, "'small' is a file already"),
        ({"train": [corpus("train", hold_out=-1)]}, "hold_out must be 0 or more"),
        ({"train": [corpus("train", repeat=0)]}, "repeat must be 1 or more, but is 0"),
        ({"languages": ["de", "en", "fr"], "names": [FRENCH]}, r"corpus x\.tsv is de-fr, which serves none"),
    ],
)
def test_a_wrong_setting_is_named(make_config: MakeConfig, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_config(**changes)


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


def test_prepared_data_is_reused_when_the_software_has_learned_new_keys(tmp_path: Path) -> None:
    config = config_for(tmp_path, sentences(60))
    path = prepare(config, tmp_path / "p", 1).folder / "manifest.json"
    tree = json.loads(path.read_text(encoding="utf-8"))
    del tree["config"]["train"][0]["synthetic"], tree["config"]["shard_pairs"]
    path.write_text(json.dumps(tree), encoding="utf-8")
    assert prepare(config, tmp_path / "p", 1).shards == 1


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


def test_lists_of_names_are_kept_beside_the_shards(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    (config.root / "places.tsv").write_text("München\tMunich\nWien\tVienna\nRom\t\n", encoding="utf-8")
    places = {"format": "tsv", "languages": ["de", "en"], "source": "places.tsv"}
    prepared = prepare(make_config(names=[places]), tmp_path / "p", 1)
    assert prepared.names == [[Pair("de", "en", "München", "Munich"), Pair("de", "en", "Wien", "Vienna")]]
    assert prepared.manifest["sources"][str(config.root / "places.tsv")]["lines"] == 3
    (config.root / "places.tsv").write_text("München\tMunich\n", encoding="utf-8")
    with pytest.raises(UserError, match="corpus files differ"):
        prepare(make_config(names=[places]), tmp_path / "p", 1)


def test_data_prepared_before_there_were_lists_of_names_has_none(tmp_path: Path) -> None:
    path = prepare(config_for(tmp_path, sentences(60)), tmp_path / "p", 1).folder / "manifest.json"
    tree = json.loads(path.read_text(encoding="utf-8"))
    assert tree.pop("names") == []
    path.write_text(json.dumps(tree), encoding="utf-8")
    assert Prepared.load(tmp_path / "p").names == []


def test_a_list_of_names_that_no_text_could_hold_is_refused(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    (config.root / "no.tsv").write_text("rom\trome\nUlm\tUl\nNew York\tNew York\n", encoding="utf-8")
    names = [{"format": "tsv", "languages": ["de", "en"], "source": "no.tsv"}]
    with pytest.raises(UserError, match=r"no line of no\.tsv has one capitalised word"):
        prepare(make_config(names=names), tmp_path / "p", 1)


def test_more_shards_than_files_may_be_open_are_refused(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    with pytest.raises(UserError, match=r"3 shards are written at once, .*: set 'data\.shard_pairs' above \d+"):
        prepare(make_config(), tmp_path / "p", 1)
    assert list(tmp_path.iterdir()) == []
