"""Runs, their data and those that they build on: nothing that was trained is lost, and nothing waits in vain."""

from __future__ import annotations

import fcntl
import re
import shutil
from pathlib import Path

import pytest
from lessons import QUICK, write_recipes
from toy import write_corpus, write_toy

from data.errors import UserError
from mt_service.cli import main
from training import checkpoint
from training.average import choose_weights
from training.config import load_recipe
from training.run import prepare_recipe, train_recipe
from training.run_folder import prepared_folder


def train(folder: Path, recipe: str, *words: str) -> int:
    return train_recipe(folder / recipe, [f"data.root={folder}", *QUICK, *words], folder / "home")


def prepare(folder: Path, recipe: str, *words: str, force: bool = True) -> int:
    return prepare_recipe(folder / recipe, [f"data.root={folder}", *QUICK, *words], folder / "home", force)


def write_tuned(folder: Path, seed: int = 3) -> None:
    """A recipe, `tuned.toml`, that starts from another one, `base.toml`."""
    (folder / "tuned.toml").write_text('extends = "toy.toml"\nname = "tuned"\nstart_from = "base.toml"\n')
    few = "[training]\nupdates = 4\nevaluate_every = 4\ndev_sentences = 4\n"
    (folder / "base.toml").write_text(f'extends = "toy.toml"\nname = "base"\nseed = {seed}\n{few}')


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy run that is complete."""
    folder = tmp_path_factory.mktemp("run")
    write_toy(folder)
    write_corpus(folder, "train", 150, 1)
    assert train(folder, "toy.toml") == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """The same moved elsewhere, for a test to do as it likes with."""
    return Path(shutil.copytree(finished, tmp_path / "moved"))


def files_of(folder: Path, name: str = "toy") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "home" / "prepared" / name).iterdir()}


def last(folder: Path, name: str) -> int:
    found = checkpoint.resolve(folder / "home" / "runs" / name / "checkpoints", "last")
    return int(found.name)


def test_force_does_not_replace_what_a_run_was_trained_on(folder: Path) -> None:
    before, size = files_of(folder), "data.tokenizer.vocabulary_size=320"
    with pytest.raises(UserError, match=r"where no run was trained on it, replace it by mt prepare --force"):
        train(folder, "toy.toml", size)
    with pytest.raises(UserError, match=r"runs/toy was trained on .*prepared/toy, .* another 'name', or remove the"):
        prepare(folder, "toy.toml", size)
    assert files_of(folder) == before
    assert choose_weights(folder / "home" / "runs" / "toy", "best", 1)
    shutil.rmtree(folder / "home" / "runs" / "toy" / "checkpoints")
    assert prepare(folder, "toy.toml", size) == 0
    assert files_of(folder)["tokenizer.model"] != before["tokenizer.model"]


def test_force_mends_what_a_run_was_trained_on(folder: Path) -> None:
    before = files_of(folder)
    for name in ("train-00000.tsv", "tokenizer.model"):
        (folder / "home" / "prepared" / "toy" / name).write_bytes(b"")
        assert prepare(folder, "toy.toml") == 0
        assert files_of(folder).keys() == before.keys()
        assert files_of(folder)[name] == before[name]


def test_force_leaves_what_cannot_be_made_again(folder: Path) -> None:
    manifest = folder / "home" / "prepared" / "toy" / "manifest.json"
    manifest.write_text("{", encoding="utf-8")
    before = files_of(folder)
    write_corpus(folder, "train", 151, 7)
    with pytest.raises(UserError, match=r"runs/toy was trained on .*cannot be made again \(.*differ\), so it stays"):
        prepare(folder, "toy.toml")
    assert files_of(folder) == before


def test_force_spares_finished_runs_that_a_recipe_builds_on(folder: Path) -> None:
    write_tuned(folder)
    assert train(folder, "tuned.toml") == 0
    shutil.rmtree(folder / "home" / "runs" / "tuned")
    manifest, tuned = (folder / "home" / "prepared" / name / "manifest.json" for name in ("base", "tuned"))
    times = [path.stat().st_mtime_ns for path in (manifest, tuned)]
    assert prepare(folder, "tuned.toml") == 0
    assert manifest.stat().st_mtime_ns == times[0]
    assert tuned.stat().st_mtime_ns > times[1]
    write_tuned(folder, seed=5)
    with pytest.raises(UserError, match=r"runs/base was trained on .*prepared/base, .* \(seed differ\)"):
        prepare(folder, "tuned.toml")
    assert manifest.stat().st_mtime_ns == times[0]


def test_force_waits_for_a_run_that_trains(folder: Path) -> None:
    before = files_of(folder)
    with (folder / "home" / "runs" / "toy" / ".lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"another process trains in .*runs/toy"):
            prepare(folder, "toy.toml", "data.tokenizer.vocabulary_size=320")
    assert files_of(folder) == before


def test_a_finished_run_may_be_built_on_by_several_at_once(folder: Path) -> None:
    write_tuned(folder)
    assert train(folder, "tuned.toml") == 0
    with (folder / "home" / "runs" / "base" / ".lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (folder / "home" / "runs" / "tuned" / ".lock").open("ab") as stream, pytest.raises(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_fewer_updates_than_were_made_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, "toy.toml", "training.updates=1") == 0
    assert "it is beyond 'training.updates' = 1 already" in capsys.readouterr().err


def test_a_rate_that_never_rises_to_where_it_should_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, "toy.toml", "name=slow", "optimizer.warmup=500", "training.updates=2") == 0
    assert "the rate rises for 'optimizer.warmup' = 500 updates, and there are 2" in capsys.readouterr().err


def test_too_large_a_network_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, "toy.toml", "name=large", "model.width=40000000000000") == 1
    assert "mt: error: memory ran out (" in capsys.readouterr().err


def test_the_folder_of_all_runs_may_be_a_link(folder: Path) -> None:
    runs, elsewhere = folder / "home" / "runs", folder / "disk" / "of" / "runs"
    elsewhere.parent.mkdir(parents=True)
    runs.rename(elsewhere)
    runs.symlink_to(elsewhere)
    assert main(["export", str(runs / "toy"), str(folder / "bundle"), "--blend", "toy=0.5"]) == 0
    assert train(folder, "toy.toml", "name=tuned", "start_from=toy") == 0
    (folder / "mine").symlink_to(elsewhere / "toy")
    (folder / "disk" / "prepared").mkdir()
    (folder / "disk" / "prepared" / "toy").mkdir()
    (folder / "disk" / "of" / "prepared").symlink_to(folder / "home" / "prepared")
    assert prepared_folder(runs / "toy") == folder / "home" / "prepared" / "toy"
    assert prepared_folder(folder / "mine") == folder / "disk" / "of" / "prepared" / "toy"


def test_rates_of_symbols_need_a_vocabulary_that_has_some(folder: Path) -> None:
    assert train(folder, "toy.toml", "name=plain", "data.tokenizer.placeholders=0") == 0
    words = ("name=tuned", "start_from=plain", "batching.term_rate=0.1")
    told = "'term_rate' need symbols, but the vocabulary of 'start_from' plain has none: set both to 0"
    with pytest.raises(UserError, match=re.escape(told)):
        train(folder, "toy.toml", *words)
    assert train(folder, "toy.toml", "name=other", "start_from=toy", "batching.term_rate=0.1") == 0


def test_a_run_goes_on_when_its_start_was_moved(folder: Path) -> None:
    words = ["name=tuned", "start_from=toy"]
    assert train(folder, "toy.toml", *words, "training.evaluate_every=100", "training.updates=4") == 0
    (folder / "home" / "runs" / "toy").rename(folder / "elsewhere")
    assert train(folder, "toy.toml", *words, "training.updates=6") == 0
    assert last(folder, "tuned") == 6
    with pytest.raises(UserError, match="'start_from': toy is neither a bundle nor a run"):
        train(folder, "toy.toml", "name=another", "start_from=toy")


@pytest.mark.parametrize("command", ["train", "prepare"])
def test_bad_settings_are_told_before_teachers_are_trained(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipes(tmp_path)
    monkeypatch.setenv("MT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MT_FOO", "1")
    assert main([command, str(recipe), f"data.root={tmp_path}"]) == 2
    assert "unknown environment variable MT_FOO" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\x7fb"])
def test_a_name_that_cannot_be_printed_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(UserError, match="'name' must be a plain folder name"):
        load_recipe(folder / "toy.toml", [f"name={name}"])
