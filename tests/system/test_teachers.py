"""Recipes with teachers: trained first, translating the training text, trained on beside it; one command for all."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from lessons import FEW, LINES, MONOLINGUAL, QUICK, overrides_line, write_recipes
from toy import RECIPE, WORDS

from data.errors import UserError
from data.prepared import Prepared
from models.bundle import read_bundle
from mt_service.cli import main
from training import checkpoint
from training.run import INTERRUPTED, prepare_recipe, train_recipe
from training.synthesis import Wish
from training.trainer import Trainer, Update


class Translator:
    """Adds a word to each line, and writes down what it was asked."""

    def __init__(self, word: str = WORDS[0]) -> None:
        self.word = word
        self.asked: list[tuple[str, int]] = []
        self.reranked = False

    def __call__(self, bundle: Path, wish: Wish, source: Path, target: Path) -> None:
        read_bundle(bundle)
        self.asked.append((wish.direction, wish.beam))
        self.reranked = wish.rerank
        with target.open("w", encoding="utf-8") as stream:
            for number, line in enumerate(source.read_text(encoding="utf-8").splitlines()):
                text = f"{line} {self.word}"
                stream.write(f"{text}\n" if wish.n_best == 1 else self.n_best(number, text))

    def n_best(self, number: int, text: str) -> str:
        """A list whose second entry is the text backwards, which is the toy task's reference with a word more."""
        backwards = " ".join(reversed(text.split()))
        return f"{number} ||| {text} ||| -1.0\n{number} ||| {backwards} ||| -2.0\n"


def train(folder: Path, translate: Translator, *overrides: str) -> Path:
    """Train the student, with its teachers; return the home of all."""
    words = [f"data.root={folder}", *FEW, *overrides]
    assert train_recipe(folder / "student.toml", words, folder / "home", translate) == 0
    return folder / "home"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Translator]:
    """A student and its teacher, trained; and how the teacher was asked."""
    folder, translator = tmp_path_factory.mktemp("teachers"), Translator()
    write_recipes(folder)
    train(folder, translator)
    return folder, translator


@pytest.fixture
def taught(finished: tuple[Path, Translator], tmp_path: Path) -> Path:
    """The same moved elsewhere, for a test to do as it likes with."""
    return Path(shutil.copytree(finished[0], tmp_path / "moved"))


@pytest.fixture
def fresh(taught: Path) -> Path:
    """The same without the student's run, so that other data may take the place of its own."""
    shutil.rmtree(taught / "home" / "runs" / "student")
    return taught


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def write_lines(path: Path, texts: list[str]) -> None:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def pairs(prepared: Path) -> set[tuple[str, str]]:
    """What is trained on, as aa and bb."""
    read = Prepared.load(prepared)
    found = [pair for number in range(read.shards) for pair in read.shard(number)]
    ways = [pair if pair.source_language == "aa" else pair.swapped() for pair in found]
    return {(pair.source, pair.target) for pair in ways}


def test_translations_both_ways_stand_beside_the_real_text(finished: tuple[Path, Translator]) -> None:
    folder, translator = finished
    home = folder / "home"
    assert translator.asked == [("aa-bb", 5), ("bb-aa", 5)]
    real = list(zip(lines(folder / "train.aa"), lines(folder / "train.bb"), strict=True))
    forward = {(source, f"{source} {WORDS[0]}") for source, _ in real}
    backward = {(f"{target} {WORDS[0]}", target) for _, target in real}
    assert pairs(home / "prepared" / "student") == set(real) | forward | backward
    assert pairs(home / "prepared" / "teacher") == set(real)
    models = [home / "prepared" / name / "tokenizer.model" for name in ("student", "teacher")]
    assert models[0].read_bytes() == models[1].read_bytes()
    made = home / "corpora" / "student" / "teacher"
    assert set(lines(made / "aa-bb" / "aa")) == {source for source, _ in real}
    manifest = json.loads((made / "aa-bb" / "manifest.json").read_text())
    assert manifest["search"]["beam"] == 5
    assert manifest["files"].keys() == {"aa", "bb"}


def test_a_translation_that_was_interrupted_goes_on_where_it_was(
    taught: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Killed(Translator):
        """Ends with the second part."""

        def __call__(self, bundle: Path, wish: Wish, source: Path, target: Path) -> None:
            if self.asked:
                raise KeyboardInterrupt
            super().__call__(bundle, wish, source, target)

    made = taught / "home" / "corpora" / "student" / "teacher"
    whole = [(made / "aa-bb" / name).read_bytes() for name in ("aa", "bb")]
    count = len(lines(made / "aa-bb" / "aa"))
    shutil.rmtree(made / "aa-bb")
    (made / ".aa-bb-0123.parts").mkdir()  # of another origin
    monkeypatch.setattr("training.in_parts.PART", count // 3 + 1)
    with pytest.raises(KeyboardInterrupt):
        train(taught, Killed(), "training.updates=6")
    assert [path.name for path in made.iterdir() if "aa-bb" in path.name and path.name.endswith("-0123.parts")] == []
    translator = Translator()
    train(taught, translator, "training.updates=6")
    assert translator.asked == [("aa-bb", 5)] * 2
    assert f"texts 1 to {count // 3 + 1} are translated already" in capsys.readouterr().err
    assert [(made / "aa-bb" / name).read_bytes() for name in ("aa", "bb")] == whole
    assert sorted(path.name for path in made.iterdir()) == ["aa-bb", "bb-aa"]


def test_what_was_made_is_kept_as_is_its_teacher(taught: Path) -> None:
    translator, home = Translator(), taught / "home"
    teacher = home / "runs" / "teacher"
    paths = (teacher / "manifest.json", teacher / "bundle", home / "corpora" / "student" / "teacher" / "aa-bb")
    before = [path.stat().st_mtime_ns for path in paths]
    train(taught, translator, "training.updates=6")
    assert translator.asked == []
    assert [path.stat().st_mtime_ns for path in paths] == before
    assert last(home, "student").state["update"] == 6


def test_force_prepares_anew_what_a_recipe_builds_on_too(taught: Path) -> None:
    home, path, words = taught / "home", taught / "student.toml", [f"data.root={taught}"]
    shard = home / "prepared" / "teacher" / "train-00000.tsv"
    before = shard.read_bytes()
    shard.write_bytes(before[1:])
    with pytest.raises(UserError, match=r"teacher/train-00000.tsv was altered .* by mt prepare --force"):
        prepare_recipe(path, words, home, translate=Translator())
    assert prepare_recipe(path, words, home, force=True, translate=Translator()) == 0
    assert shard.read_bytes() == before


def test_a_bundle_teaches_and_nothing_is_trained_before(taught: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(taught / "home" / "runs" / "teacher" / "bundle", tmp_path / "given"))
    write_recipes(tmp_path, f'bundle = "{bundle}"\nbeam = 2')
    translator = Translator()
    home = train(tmp_path, translator)
    assert translator.asked == [("aa-bb", 2), ("bb-aa", 2)]
    assert [run.name for run in (home / "runs").iterdir()] == ["student"]
    assert len(lines(home / "corpora" / "student" / "given" / "aa-bb" / "bb")) == LINES
    assert main(["export", str(home / "runs" / "student"), str(tmp_path / "made")]) == 0
    told = json.loads((tmp_path / "made" / "config.json").read_text(encoding="utf-8"))
    (teacher,) = told["info"]["training"]["recipe"]["teachers"]
    assert (teacher["bundle"], teacher["recipe"]) == ("given", None)
    assert str(tmp_path) not in json.dumps(told)


def test_a_damaged_bundle_does_not_teach(taught: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(taught / "home" / "runs" / "teacher" / "bundle", tmp_path / "given"))
    with (bundle / "model.safetensors").open("ab") as stream:
        stream.write(b"x")
    path = write_recipes(tmp_path, f'bundle = "{bundle}"')
    with pytest.raises(UserError, match=r"model.safetensors"):
        train_recipe(path, [f"data.root={tmp_path}", *FEW], tmp_path / "home", Translator())


def test_translations_are_made_anew_when_text_teacher_or_they_themselves_change(fresh: Path) -> None:
    path, translator, home = fresh / "student.toml", Translator(), fresh / "home"
    made = home / "corpora" / "student" / "teacher"

    def times_asked() -> int:
        translator.asked.clear()
        assert prepare_recipe(path, [f"data.root={fresh}"], home, force=True, translate=translator) == 0
        return len(translator.asked)

    assert times_asked() == 0
    with (made / "aa-bb" / "bb").open("a", encoding="utf-8") as stream:
        stream.write("ba\n")
    assert times_asked() == 1

    more = '[[data.train]]\nformat = "tsv"\nlanguages = ["aa", "bb"]\nsource = "more.tsv"\n[data.dev'
    (fresh / "more.tsv").write_text("ba dei lo\tlo dei ba\n", encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace("[data.dev", more, 1), encoding="utf-8")
    assert times_asked() == 2
    assert lines(made / "bb-aa" / "bb")[-1] == "lo dei ba"

    for folder in ("runs", "prepared"):
        shutil.rmtree(home / folder / "teacher")
    path.write_text(path.read_text(encoding="utf-8").replace("warmup=0", 'warmup=0", "seed=7'), encoding="utf-8")
    assert times_asked() == 2
    assert times_asked() == 0


def test_changed_translations_are_not_trained_on_in_the_middle_of_a_run(taught: Path) -> None:
    shutil.rmtree(taught / "home" / "corpora")
    path = taught / "student.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("[[teachers]]", "[[teachers]]\nbeam = 1"), encoding="utf-8"
    )
    translator = Translator(WORDS[1])
    with pytest.raises(UserError, match=r"prepared/student was prepared from something else \(corpus files differ\)"):
        train(taught, translator)
    assert translator.asked == [("aa-bb", 1), ("bb-aa", 1)]


def test_of_several_translations_the_one_closest_to_the_reference_is_taken(fresh: Path) -> None:
    path, translator = fresh / "student.toml", Translator("zu")
    entry = '[[teachers]]\nchoose = "closest"\nbeam = 2\ndirections = ["aa-bb"]'
    path.write_text(path.read_text(encoding="utf-8").replace("[[teachers]]", entry), encoding="utf-8")
    home = fresh / "home"
    assert prepare_recipe(path, [f"data.root={fresh}"], home, force=True, translate=translator) == 0
    assert translator.asked == [("aa-bb", 2)]
    made = home / "corpora" / "student" / "teacher" / "aa-bb"
    sources, real = lines(made / "aa"), dict(zip(lines(fresh / "train.aa"), lines(fresh / "train.bb"), strict=True))
    same = {source for source in sources if source == real[source]}  # read backwards, for which both are as close
    assert len(same) < 20
    expected = [f"{source} zu" if source in same else f"zu {real[source]}" for source in sources]
    assert lines(made / "bb") == expected
    assert sorted(file.name for file in made.iterdir()) == ["aa", "bb", "manifest.json"]
    assert json.loads((made / "manifest.json").read_text())["choose"] == "closest"


def test_a_teacher_may_rerank(fresh: Path) -> None:
    path, translator, home = fresh / "student.toml", Translator("zu"), fresh / "home"
    entry = '[[teachers]]\nchoose = "reranked"\nbeam = 12'
    path.write_text(path.read_text(encoding="utf-8").replace("[[teachers]]", entry), encoding="utf-8")
    assert prepare_recipe(path, [f"data.root={fresh}"], home, force=True, translate=translator) == 0
    assert translator.asked == [("aa-bb", 12), ("bb-aa", 12)]
    assert translator.reranked
    made = home / "corpora" / "student" / "teacher" / "aa-bb"
    assert json.loads((made / "manifest.json").read_text())["choose"] == "reranked"


@pytest.mark.parametrize("translates", ["all", "monolingual"])
def test_monolingual_text_is_translated(fresh: Path, translates: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, translator, home = fresh / "student.toml", Translator("zu"), fresh / "home"
    known, dev = lines(fresh / "train.bb"), lines(fresh / "dev.bb")
    write_lines(fresh / "more.bb", [known[0], "gei mo lei", dev[0], "lo lo lo!", "Gei  mo lei."])
    write_lines(fresh / "held.bb", ["Lo lo lo"])
    text = path.read_text(encoding="utf-8").replace("[data.dev", MONOLINGUAL, 1)
    path.write_text(text.replace("[[teachers]]", f'[[teachers]]\ntranslates = "{translates}"'), encoding="utf-8")
    words = [f"data.root={fresh}"]
    assert prepare_recipe(path, words, home, force=True, translate=translator) == 0
    assert translator.asked == [("bb-aa", 5)]
    made = home / "corpora" / "student" / "teacher" / "bb-aa"
    expected = ["gei mo lei"] if translates == "monolingual" else [*dict.fromkeys(known), "gei mo lei"]
    assert lines(made / "bb") == expected
    assert ("gei mo lei zu", "gei mo lei") in pairs(home / "prepared" / "student")
    told = capsys.readouterr().err
    assert "more.bb: 5 read, 1 kept" in told
    assert prepare_recipe(path, words, home, force=True, translate=translator) == 0
    assert len(translator.asked) == 1
    write_lines(fresh / "held.bb", ["Lo lo lo", "mo"])
    assert prepare_recipe(path, words, home, force=True, translate=translator) == 0
    assert len(translator.asked) == 2


def test_several_teachers_make_several_corpora(fresh: Path) -> None:
    second = 'directions = ["bb-aa"]\nbeam = 2\n' + overrides_line(*QUICK, "name=second", "seed=2")
    write_recipes(fresh, *(f'recipe = "teacher.toml"\n{rest}' for rest in (overrides_line(*QUICK), second)))
    translator, home = Translator(), fresh / "home"
    assert prepare_recipe(fresh / "student.toml", [f"data.root={fresh}"], home, True, translator) == 0
    assert translator.asked == [("bb-aa", 2)]
    counts = {one["corpus"]: one for one in Prepared.load(home / "prepared" / "student").manifest["cleaning"]}
    assert counts["student/second/bb-aa/bb"]["kept"] == 0
    assert counts["student/second/bb-aa/bb"]["dropped"] == {"duplicates": LINES}


def test_a_student_may_begin_where_its_teacher_ended(taught: Path) -> None:
    home = train(taught, Translator(), "name=tuned", "start_from=teacher", "optimizer.rate=1e-9")
    student, teacher = (last(home, name) for name in ("tuned", "teacher"))
    assert all(torch.allclose(part, teacher.average[name], atol=1e-6) for name, part in student.model.items())


def test_the_recipe_that_a_student_starts_from_is_trained_first(tmp_path: Path) -> None:
    student = write_recipes(tmp_path)
    text = RECIPE.replace('"toy"', '"tuned"', 1).replace(
        'name = "tuned"', 'name = "tuned"\nstart_from = "student.toml"'
    )
    (tmp_path / "tuned.toml").write_text(text, encoding="utf-8")
    student.write_text(student.read_text(encoding="utf-8").replace("updates = 400", "updates = 4"), encoding="utf-8")
    words = [f"data.root={tmp_path}", *FEW, "optimizer.rate=1e-9"]
    assert train_recipe(tmp_path / "tuned.toml", words, tmp_path / "home", Translator()) == 0
    tuned, first = (last(tmp_path / "home", name) for name in ("tuned", "student"))
    assert (first.state["update"], (tmp_path / "home" / "corpora" / "student" / "teacher").is_dir()) == (4, True)
    assert all(torch.allclose(part, first.average[name], atol=1e-6) for name, part in tuned.model.items())


def test_what_the_student_lacks_is_told_before_its_teacher_is_trained(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    (tmp_path / "dev.aa").unlink()
    with pytest.raises(UserError, match=r"corpus file .*dev.aa does not exist"):
        train(tmp_path, Translator())
    assert not (tmp_path / "home").exists()


def test_what_is_not_of_a_teacher_is_never_replaced(taught: Path) -> None:
    made = taught / "home" / "corpora" / "student" / "teacher" / "bb-aa"
    (made / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"student/teacher/bb-aa holds something else than translations: move it away"):
        train(taught, Translator())
    assert len(list(made.iterdir())) == 2


def test_one_command_does_all_and_goes_on_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the engine that people have, and the dev set that an export tunes and checks itself on."""
    path = write_recipes(tmp_path, 'recipe = "teacher.toml"\nbeam = 2\n' + overrides_line(*FEW))
    home, step = tmp_path / "home", Trainer.step

    def interrupted_step(trainer: Trainer) -> Update:
        if trainer.update == 1:
            signal.raise_signal(signal.SIGINT)
        return step(trainer)

    for name in [name for name in os.environ if name.startswith("MT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MT_HOME", str(home))
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", interrupted_step)
        assert main(["train", str(path), f"data.root={tmp_path}", *FEW]) == INTERRUPTED
    assert "interrupted and saved" in capsys.readouterr().err
    assert last(home, "teacher").state["update"] == 2
    assert not (home / "runs" / "student").exists()

    assert main(["train", str(path), f"data.root={tmp_path}", *FEW]) == 0
    assert "going on from update 2" in capsys.readouterr().err
    assert [last(home, name).state["update"] for name in ("teacher", "student")] == [4, 4]
    made = home / "corpora" / "student" / "teacher"
    counts = {len(lines(made / direction / side)) for direction in ("aa-bb", "bb-aa") for side in ("aa", "bb")}
    assert counts == {LINES}
    bundle = read_bundle(home / "runs" / "teacher" / "bundle")
    search = {"beam": 2, "length_penalty": bundle.info.length_penalty, "length_ratio": bundle.info.length_ratio}
    assert bundle.info.length_ratio > 0
    assert json.loads((made / "aa-bb" / "manifest.json").read_text())["search"] == search


def last(home: Path, name: str) -> checkpoint.Checkpoint:
    return checkpoint.load(checkpoint.resolve(home / "runs" / name / "checkpoints", "last"))
