import hashlib
import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from data.prepare import DataConfig, Pair, Prepared, prepare
from tests.data.corpora import config_for, corpus, pairs_of, sentences, write_corpus

MakeConfig = Callable[..., DataConfig]


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


def test_too_little_text_is_told_with_what_became_of_it(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "corpora"
    write_corpus(root, "c", [("Guten Tag.", "Good day.")] * 50)
    with pytest.raises(UserError, match="too small"):
        prepare(make_config(root=str(root), train=[corpus("c")], dev={}), tmp_path / "p", 1)
    assert "c.de: 50 read, 1 kept\n  duplicates          49" in capsys.readouterr().err


def test_a_dev_set_whose_sides_are_exchanged_is_named(make_config: MakeConfig, tmp_path: Path) -> None:
    root = tmp_path / "corpora"
    long = [pair for pair in sentences(60, seed=3) if len(pair[0]) > 30]
    write_corpus(root, "train", sentences(400, seed=1))
    write_corpus(root, "dev", [pair[::-1] for pair in long])
    with pytest.raises(
        UserError, match=r"dev set small: \d+ of its \d+ pairs .*: exchange source and target of dev\.de"
    ):
        prepare(make_config(root=str(root)), tmp_path / "p", 1)
    prepare(make_config(root=str(root), clean={"language": False}), tmp_path / "unlooked at", 1)
    write_corpus(root, "dev", [*long, *(pair[::-1] for pair in long[: len(long) // 2])])
    prepare(make_config(root=str(root)), tmp_path / "p", 1)


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


def test_prepared_data_is_reused_when_the_software_has_learned_new_keys(tmp_path: Path) -> None:
    config = config_for(tmp_path, sentences(60))
    path = prepare(config, tmp_path / "p", 1).folder / "manifest.json"
    tree = json.loads(path.read_text(encoding="utf-8"))
    del tree["config"]["train"][0]["synthetic"], tree["config"]["shard_pairs"]
    path.write_text(json.dumps(tree), encoding="utf-8")
    assert prepare(config, tmp_path / "p", 1).shards == 1


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
