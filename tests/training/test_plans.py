"""What a recipe builds on, found before anything is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lessons import MONOLINGUAL, overrides_line, write_recipes

from data.errors import UserError
from training.teachers import Plan, in_order, load_plan

ROOT = Path(__file__).parent.parent.parent
RECIPES = ROOT / "training" / "recipes"
SHIPPED = ROOT / "models" / "pretrained" / "de-en"


def write_german_recipes(folder: Path, *teachers: str) -> Path:
    """Recipes of a student of German and English, whom bundles that ship can teach."""
    path = write_recipes(folder, *teachers)
    path.write_text(path.read_text(encoding="utf-8").replace('"aa', '"de').replace('bb"', 'en"'), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("language", "message"),
    [("cc", "language of more.bb must be one of aa, bb, not 'cc'"), ("bb", "'data.monolingual' is of use to teachers")],
)
def test_monolingual_text_that_nobody_can_use_is_told(tmp_path: Path, language: str, message: str) -> None:
    path = write_recipes(tmp_path)
    text = path.read_text(encoding="utf-8").replace("[data.dev", MONOLINGUAL.replace('"bb"', f'"{language}"'), 1)
    path.write_text(text[: text.index("[[teachers]]")], encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_plan(path)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("no.toml", "'start_from' .*no.toml does not exist: mend its path, which starts at the folder of student.toml"),
        ("student.toml", r"the run 'student' would build on itself \(student <- student\)"),
    ],
)
def test_a_recipe_to_start_from_that_cannot_be_trained_is_told(tmp_path: Path, start: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_plan(write_recipes(tmp_path), [f"start_from={start}"])


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ('recipe = "no.toml"', r"student.toml: teachers\[0\]: 'recipe' .*no.toml does not exist: mend its path"),
        ('recipe = "teacher.toml"\nbeam = 1\nchoose = "closest"', r"teachers\[0\]\] 'choose' closest .* make it 2"),
        (
            'recipe = "teacher.toml"\nchoose = "reranked"\noverrides = ["data.directions=[\'aa-bb\']"]',
            "'choose' reranked needs a teacher that translates both ways, but 'teacher' translates aa-bb: choose best",
        ),
        (
            'recipe = "teacher.toml"\ntranslates = "monolingual"',
            "'translates' is monolingual, but 'data.monolingual' of 'student' has no text that 'teacher'",
        ),
        ('recipe = "teacher.toml"\nbeam = 0', r"teachers\[0\]\] 'beam' must be from 1 to 1,000"),
        (
            'recipe = "teacher.toml"\nbeams = 1',
            r"unknown key 'teachers\[0\].beams'; valid keys are: beam, bundle, choose, directions",
        ),
        (
            'recipe = "teacher.toml"\noverrides = ["seed=many"]',
            r"student.toml: teachers\[0\]: .*teacher.toml: 'seed' must be a whole number, but is 'many'",
        ),
        (
            'recipe = "teacher.toml"\ndirections = ["aa-cc"]',
            r"'directions' has aa-cc, but what 'teacher' can translate for 'student' is: aa-bb, bb-aa",
        ),
        (
            """recipe = "teacher.toml"
overrides = ["data.languages=['aa','bb','cc']", "data.directions=['aa-cc']", "data.train=[{format='tsv', \\
languages=['aa','cc'], source='x'}]", "data.dev={}"]""".replace("\\\n", ""),
            "'teacher' translates aa-cc, which is of no use to 'student', trained for aa-bb",
        ),
        ('recipe = "student.toml"', r"the run 'student' would build on itself \(student <- student\)"),
        ('bundle = "nowhere"', r"teachers\[0\]: 'bundle' nowhere is no bundle: there is no config.json in it"),
        (f'bundle = "{SHIPPED}"', "'de-en' translates de-en, en-de, which is of no use to 'student'"),
        ('bundle = "one"\nrecipe = "teacher.toml"', "a teacher needs a 'recipe' or a 'bundle', one of the two"),
        ("beam = 3", "a teacher needs a 'recipe' or a 'bundle', one of the two"),
        (
            f'bundle = "one"\n{overrides_line("seed=2")}',
            "'overrides' change a recipe, but this teacher is a 'bundle': leave them out",
        ),
        (
            'recipe = "student.toml"\noverrides = ["name=other"]',
            r"the run 'other' would build on itself \(student <- other <- other\): name another recipe, or give",
        ),
    ],
)
def test_bad_teachers_are_told_before_anything_is_trained(tmp_path: Path, teacher: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_plan(write_recipes(tmp_path, teacher))


def test_one_direction_of_one_teacher_twice_is_told(tmp_path: Path) -> None:
    path = write_recipes(tmp_path, *['recipe = "teacher.toml"'] * 2)
    message = r"teachers\[1\]: 'teacher' is a teacher already and translates aa-bb, bb-aa there"
    with pytest.raises(UserError, match=message):
        load_plan(path)


def test_two_runs_of_one_name_are_told(tmp_path: Path) -> None:
    path = write_recipes(tmp_path, 'recipe = "teacher.toml"', f'recipe = "teacher.toml"\n{overrides_line("seed=2")}')
    with pytest.raises(
        UserError, match=r"teachers\[1\]: the run 'teacher' is a teacher already: give this one another"
    ):
        load_plan(path)


def test_two_bundles_of_one_name_are_told(tmp_path: Path) -> None:
    other = tmp_path / SHIPPED.name
    other.mkdir()
    shutil.copy(SHIPPED / "config.json", other)  # all that a plan reads of a bundle
    path = write_german_recipes(tmp_path, f'bundle = "{SHIPPED}"', f'bundle = "{other}"')
    with pytest.raises(UserError, match=r"teachers\[1\]: 'de-en' is a teacher already, and bundles go by"):
        load_plan(path)


def test_one_bundle_may_translate_each_direction_in_its_own_way(tmp_path: Path) -> None:
    there = f'bundle = "{SHIPPED}"\ndirections = ["en-de"]\nchoose = "reranked"'
    back = f'bundle = "{SHIPPED / ".." / SHIPPED.name}"\ndirections = ["de-en"]'
    lessons = load_plan(write_german_recipes(tmp_path, there, back)).lessons
    chosen = [(lesson.directions, lesson.config.choose) for lesson in lessons]
    assert chosen == [(("en-de",), "reranked"), (("de-en",), "best")]


def test_a_recipe_may_teach_itself_under_another_name(tmp_path: Path) -> None:
    path = write_recipes(tmp_path, 'recipe = "student.toml"\n' + overrides_line("name=first", "teachers=[]"))
    ((teacher, directions, _),) = load_plan(path).lessons
    assert isinstance(teacher.origin, Plan)
    assert (teacher.name, teacher.origin.lessons, directions) == ("first", (), ("aa-bb",))


def test_teachers_read_where_the_student_does_unless_told_otherwise(tmp_path: Path) -> None:
    own = f'recipe = "teacher.toml"\n{overrides_line("name=own", "data.root=/own")}'
    path = write_recipes(tmp_path, 'recipe = "teacher.toml"', own)
    *teachers, _ = in_order(load_plan(path, ["data.root=/corpora", "training.updates=7"]))
    assert [str(teacher.recipe.data.root) for teacher in teachers] == ["/corpora", "/own"]
    assert [teacher.recipe.training.updates for teacher in teachers] == [400, 400]


def test_every_recipe_that_comes_along_can_be_read_with_its_teachers() -> None:
    plans = {path.name: load_plan(path) for path in RECIPES.glob("*.toml") if ".card." not in path.name}
    for language in ("de", "fr"):
        (lesson,) = plans[f"multi30k-en-{language}.toml"].lessons
        assert (lesson.teacher.name, lesson.directions) == (f"multi30k-en-{language}-backward", (f"{language}-en",))
    last = plans["tatoeba-de-en-last.toml"]
    assert ([start.recipe.name for start in last.starts], last.lessons) == (["tatoeba-de-en-deep"], ())
    (lesson,) = plans["tatoeba-de-en-reranked.toml"].lessons
    assert (lesson.directions, lesson.config.choose, lesson.config.beam) == (("en-de",), "reranked", 12)
    taught, helpful = plans["help-de-en-taught.toml"], plans["help-de-en.toml"]
    assert ([one.recipe.name for one in taught.starts], taught.recipe.start_vocabulary) == (["help-de-en-first"], "own")
    assert ([one.recipe.name for one in helpful.starts], helpful.recipe.start_vocabulary) == (
        ["help-de-en-taught"],
        "kept",
    )
    assert (helpful.lessons, helpful.recipe.data.monolingual) == ((), ())
    taught = plans["phrases-de-en-taught.toml"]
    assert [one.teacher.name for one in taught.lessons] == [one.recipe.name for one in taught.starts] == ["help-de-en"]
    assert [one.recipe.name for one in in_order(plans["phrases-de-en-senses-more.toml"])][-21:] == [
        "phrases-de-en-taught",
        "phrases-de-en",
        "phrases-de-en-formulas",
        "phrases-de-en-terms",
        "phrases-de-en-words",
        "phrases-de-en-careless",
        "phrases-de-en-pages",
        "phrases-de-en-wider",
        "phrases-de-en-wide",
        "phrases-de-en-prose",
        "phrases-de-en-prose-more",
        "phrases-de-en-longer",
        "phrases-de-en-prose-rarer",
        "phrases-de-en-rarer-longer",
        "phrases-de-en-prose-long",
        "phrases-de-en-long-longer",
        "phrases-de-en-subjects",
        "phrases-de-en-subjects-longer",
        "phrases-de-en-senses",
        "phrases-de-en-senses-longer",
        "phrases-de-en-senses-more",
    ]
    wide = plans["tatoeba-de-en-wide.toml"].lessons
    assert [(one.teacher.name, one.directions, one.config.translates) for one in wide] == [
        ("tatoeba-de-en-reranked", ("en-de",), "monolingual"),
        ("tatoeba-de-en-reranked", ("de-en",), "training"),
    ]
