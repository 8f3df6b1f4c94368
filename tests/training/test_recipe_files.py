"""Recipes that build on the settings of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.errors import UserError
from models.bundle import CONFIG
from training.config import load_recipe
from training.recipe_files import RECIPE
from training.teachers import in_order, load_plan

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
BASE = """
name = "base"
seed = 3
start_from = "first.toml"
[data]
languages = ["aa", "bb"]
directions = ["aa-bb", "bb-aa"]
[[data.train]]
format = "tsv"
languages = ["aa", "bb"]
source = "train.tsv"
[model]
width = 64
[model.encoder]
layers = 3
hidden = 32
[[teachers]]
recipe = "other.toml"
"""
HEIR = """
extends = "base.toml"
name = "heir"
[data]
directions = ["aa-bb"]
[model.encoder]
layers = 1
"""
MORE = '[[data."train+"]]\nformat = "tsv"\nlanguages = ["aa", "bb"]\nsource = "{}.tsv"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(BASE, encoding="utf-8")
    (tmp_path / "heir.toml").write_text(HEIR, encoding="utf-8")
    return tmp_path


def test_a_recipe_takes_over_what_it_does_not_say_itself(folder: Path) -> None:
    recipe = load_recipe(folder / "heir.toml")
    assert (recipe.name, recipe.seed, recipe.model.width) == ("heir", 3, 64)
    assert (recipe.model.encoder.layers, recipe.model.encoder.hidden) == (1, 32)
    assert recipe.data.directions == ("aa-bb",)
    assert len(recipe.data.train) == 1


def test_heirs_have_heirs_and_overrides_go_over_all(folder: Path) -> None:
    (folder / "last.toml").write_text('extends = "heir.toml"\nname = "last"\nteachers = []\n', encoding="utf-8")
    recipe = load_recipe(folder / "last.toml", ["model.encoder.hidden=16", "start_from="])
    assert (recipe.name, recipe.model.encoder.layers, recipe.model.encoder.hidden) == ("last", 1, 16)
    assert (recipe.teachers, recipe.start_from) == ((), None)


def test_corpora_are_added_to_those_of_the_recipe_that_is_extended(folder: Path) -> None:
    for name, base in (("one", "base"), ("two", "one"), ("three", "two")):
        text = f'extends = "{base}.toml"\nname = "{name}"\n{MORE.format(name)}'
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    found = load_recipe(folder / "three.toml").data.train
    assert [str(corpus.source) for corpus in found] == ["train.tsv", "one.tsv", "two.tsv", "three.tsv"]
    instead = MORE.format("alone").replace('"train+"', "train")
    (folder / "two.toml").write_text(f'extends = "one.toml"\nname = "two"\n{instead}', encoding="utf-8")
    found = load_recipe(folder / "three.toml").data.train
    assert [str(corpus.source) for corpus in found] == ["alone.tsv", "three.tsv"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('"seed+" = 3', r"heir.toml, which extends .*base.toml: 'seed\+' adds to a list, but there is 3: name lists"),
        ('"teachers+" = "x"', r"'teachers\+' adds to a list, but there is 'x'"),
        ('"languages+" = []', r"unknown key 'languages\+'; valid keys are"),
    ],
)
def test_a_plus_where_there_is_no_list_is_told(folder: Path, lines: str, message: str) -> None:
    (folder / "heir.toml").write_text(f'extends = "base.toml"\nname = "heir"\n{lines}\n', encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_recipe(folder / "heir.toml")


def test_a_whole_section_is_overridden_whatever_the_base_says(folder: Path) -> None:
    plain = load_recipe(folder / "base.toml", ["model.encoder={layers=2}", "start_from=", "teachers=[]"]).model.encoder
    heir = load_recipe(folder / "heir.toml", ["model.encoder={layers=2}", "start_from=", "teachers=[]"]).model.encoder
    assert heir == plain
    assert heir.hidden != 32


@pytest.mark.parametrize("rate", ["placeholder_rate", "term_rate"])
def test_symbols_that_the_vocabulary_lacks_are_told(folder: Path, rate: str) -> None:
    none = "data.tokenizer.placeholders=0"
    with pytest.raises(UserError, match=r"need symbols: set 'data\.tokenizer\.placeholders' above 0"):
        load_recipe(folder / "base.toml", [none, f"batching.{rate}=0.1", "start_from=", "teachers=[]"])
    load_recipe(folder / "base.toml", [none, f"batching.{rate}=0.1"])  # the start's vocabulary may have them
    load_recipe(folder / "base.toml", [none, "start_from=", "teachers=[]"])


def test_an_override_names_another_recipe_to_extend(folder: Path) -> None:
    (folder / "wide.toml").write_text(BASE.replace("width = 64", "width = 96"), encoding="utf-8")
    assert load_recipe(folder / "heir.toml", ["extends=wide.toml"]).model.width == 96


def test_recipes_that_a_base_in_another_folder_names_are_found_there(folder: Path) -> None:
    elsewhere = folder / "mine" / "deep"
    elsewhere.mkdir(parents=True)
    (elsewhere / "mine.toml").write_text('extends = "../middle.toml"\nname = "mine"\n', encoding="utf-8")
    (folder / "mine" / "middle.toml").write_text('extends = "../base.toml"\nname = "middle"\n', encoding="utf-8")
    plain = BASE.replace('start_from = "first.toml"\n', "").replace('[[teachers]]\nrecipe = "other.toml"', "")
    for name in ("first", "other"):
        (folder / f"{name}.toml").write_text(plain.replace('"base"', f'"{name}"'), encoding="utf-8")
    plan = load_plan(elsewhere / "mine.toml")
    (start,) = plan.starts
    assert [start.recipe.name, *(lesson.teacher.name for lesson in plan.lessons)] == ["first", "other"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('extends = "no.toml"', r"heir.toml: 'extends' .*no.toml does not exist: mend its path, which starts at"),
        ("extends = 3", "heir.toml: 'extends' must be the path of a recipe, but is 3"),
        ('extends = "heir.toml"', r"heir.toml: 'extends' goes in a circle \(.*heir.toml <- .*heir.toml\)"),
        ('extends = "broken.toml"', "cannot read .*broken.toml: "),
        ('extends = "wrong.toml"', r"heir.toml, which extends .*wrong.toml: unknown key 'model.widht'; valid keys are"),
    ],
)
def test_what_cannot_be_extended_is_told(folder: Path, change: str, message: str) -> None:
    (folder / "broken.toml").write_text("name = [", encoding="utf-8")
    (folder / "wrong.toml").write_text(BASE.replace("width", "widht"), encoding="utf-8")
    (folder / "heir.toml").write_text(HEIR.replace('extends = "base.toml"', change), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_recipe(folder / "heir.toml")


def test_a_variant_of_a_recipe_has_another_seed_and_name_as_has_what_it_builds_on_unless_that_is_shared() -> None:
    path, name = RECIPES / "multi30k-en-de.toml", "multi30k-en-de"
    found = {plan.recipe.name.removeprefix(name): plan.recipe for plan in in_order(load_plan(path, ["variant=3"]))}
    assert {part: (recipe.seed, recipe.shared) for part, recipe in found.items()} == {
        "-3": (3, False),
        "-backward": (1, True),
    }
    assert load_plan(path, ["variant=3", "variant=04"]).recipe.name == f"{name}-4"
    assert load_plan(path, ["variant=1"]) == load_plan(path)
    assert load_plan(RECIPES / f"{name}-teacher.toml", ["variant=2"]).recipe.name == f"{name}-teacher-2"
    everyday = in_order(load_plan(RECIPES / "tatoeba-de-en-last.toml", ["variant=2"]))
    assert {plan.recipe.name[-2:] for plan in everyday} == {"-2"}
    with pytest.raises(UserError, match=r"en-de.toml: 'variant' must be a whole number, .* but is 'x'"):
        load_plan(path, ["variant=x"])


def test_what_several_runs_build_on_is_there_once_and_before_them() -> None:
    names = [plan.recipe.name for plan in in_order(load_plan(RECIPES / "tatoeba-de-en-reranked.toml"))]
    parts = ("", "-longer", "-deep", "-last", "-reranked")  # the second teaches the third and is what it starts from
    assert names == [f"tatoeba-de-en{part}" for part in parts]


def test_every_recipe_that_comes_along_has_variants() -> None:
    for path in RECIPES.glob("*.toml"):
        if ".card." not in path.name:
            plan, other = load_plan(path), load_plan(path, ["variant=2"])
            assert (other.recipe.seed, other.recipe.name) == (2, f"{plan.recipe.name}-2")


def test_a_start_may_be_the_mean_of_variants(folder: Path) -> None:
    alone = BASE.replace('start_from = "first.toml"\n', "").replace('[[teachers]]\nrecipe = "other.toml"', "")
    (folder / "first.toml").write_text(alone.replace('"base"', '"first"'), encoding="utf-8")
    path, changes = folder / "heir.toml", ["start_variants=[2, 3, 5]", "teachers=[]"]
    plan = load_plan(path, changes)
    assert [(one.recipe.name, one.recipe.seed) for one in plan.starts] == [("first-2", 2), ("first", 3), ("first-5", 5)]
    other = load_plan(path, [*changes, "variant=7"])
    assert (other.recipe.seed, other.starts) == (7, plan.starts)
    assert [one.recipe.name for one in in_order(plan)] == ["first-2", "first", "first-5", plan.recipe.name]
    assert in_order(other)[:-1] == in_order(plan)[:-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["start_variants=[1]", "start_from="],
            "'start_variants' 1 are variants of the recipe that .*, which is not there",
        ),
        (["start_variants=[1, 2]", "start_from=run"], "which is run: name a recipe, or leave out 'start_variants'"),
        (["start_variants=[1, 2, 1]"], "'start_variants' names one twice: 1, 2, 1"),
        (["start_variants=[1, -2]"], "'start_variants' are seeds, 0 or more, but are 1, -2"),
        (["start_variants=[1.5]"], "must be a whole number"),
    ],
)
def test_variants_that_cannot_be_are_told(folder: Path, changes: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_plan(folder / "heir.toml", changes)


def test_paths_of_the_data_may_start_at_the_folder_of_the_recipe_that_names_them(folder: Path) -> None:
    text = BASE.replace('source = "train.tsv"', 'root = "{recipe}/texts"\nsource = "train.tsv"')
    (folder / "base.toml").write_text(text, encoding="utf-8")
    mine = folder / "mine"
    mine.mkdir()
    dev = '[data.dev.small]\nformat = "tsv"\nlanguages = ["aa", "bb"]\nroot = "{recipe}"\nsource = "dev.tsv"\n'
    (mine / "mine.toml").write_text(f'extends = "../base.toml"\nname = "mine"\n{dev}', encoding="utf-8")
    data = load_recipe(mine / "mine.toml", ["data.root=elsewhere"]).data
    assert data.train[0].files(data.root) == (folder / "texts" / "train.tsv",)
    assert data.dev["small"].files(data.root) == (mine / "dev.tsv",)


def test_lists_of_names_that_no_pair_is_to_get_are_told(folder: Path) -> None:
    names = '[[data.names]]\nformat = "tsv"\nlanguages = ["aa", "bb"]\nsource = "places.tsv"\n'
    (folder / "named.toml").write_text(f'extends = "base.toml"\n{names}', encoding="utf-8")
    with pytest.raises(UserError, match=r"'data\.names' is of use where 'batching\.name_rate' says how many"):
        load_recipe(folder / "named.toml")
    assert len(load_recipe(folder / "named.toml", ["batching.name_rate=0.1"]).data.names) == 1


@pytest.mark.parametrize("key", ["source", "path"])
def test_the_folder_of_a_recipe_stands_in_roots_alone(folder: Path, key: str) -> None:
    line = f'{key} = "{{recipe}}/x.tsv"'
    (folder / "base.toml").write_text(BASE.replace('source = "train.tsv"', line), encoding="utf-8")
    with pytest.raises(UserError, match=r"base\.toml: '\w+' \{recipe\}/x\.tsv: .* may stand in a 'root' alone"):
        load_recipe(folder / "base.toml")


@pytest.mark.parametrize(("name", "key"), [(CONFIG, "architecture"), (RECIPE, "model")])
def test_the_network_is_that_of_the_folder_that_a_run_starts_from(tmp_path: Path, name: str, key: str) -> None:
    network = {"vocabulary_size": 900, "width": 48, "decoder": {"layers": 5, "hidden": 40}}
    (tmp_path / name).write_text(json.dumps({key: network}))
    path = tmp_path / "mine.toml"
    path.write_text(BASE.partition("[model]")[0].replace("first.toml", str(tmp_path)))
    model = load_recipe(path, ["model.decoder.hidden=64", "model.dropout.residual=0.2"]).model
    assert (model.width, model.decoder.layers, model.decoder.hidden, model.dropout.residual) == (48, 5, 64, 0.2)
    assert model.vocabulary_size == load_recipe(path, ["start_from=elsewhere"]).model.vocabulary_size


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"architecture": 3}'])
def test_a_damaged_start_is_left_to_whoever_reads_it(tmp_path: Path, damaged: str) -> None:
    (tmp_path / CONFIG).write_text(damaged)
    path = tmp_path / "mine.toml"
    path.write_text(BASE.replace("first.toml", str(tmp_path)).partition("[[teachers]]")[0])
    assert load_recipe(path).model.width == 64


def test_the_model_that_ships_is_fine_tuned_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(RECIPES.parents[1])
    model = load_recipe(RECIPES / "fine-tune.toml").model
    assert (model.width, model.decoder.attention_blocks) == (320, "all")
