"""The ablation benchmark: every recipe without an ingredient is a recipe, and the table says what each is worth."""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from training.synthesis import CORPORA
from training.teachers import load_plan

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "training" / "recipes" / "multi30k-en-de-student.toml"
sys.path.append(str(ROOT / "benchmarks"))
benchmark: Any = importlib.import_module("ablation")


def overrides(name: str) -> list[str]:
    found: list[str] = benchmark.overrides_of(name, Namespace(recipe=RECIPE, root=Path("corpora"), updates=7))
    return found


@pytest.mark.parametrize("name", benchmark.WITHOUT)
def test_every_recipe_without_an_ingredient_is_a_recipe_of_another_name(name: str) -> None:
    recipe = load_plan(RECIPE, overrides(name)).recipe
    assert recipe.name.startswith("multi30k-en-de-student-without-")
    assert (recipe.training.updates, recipe.training.evaluate_every) == (7, 7)


def test_what_is_left_out_is_left_out() -> None:
    directions = {
        name: [lesson.directions for lesson in load_plan(RECIPE, overrides(name)).lessons]
        for name in ("nothing", *list(benchmark.WITHOUT)[1:4])
    }
    assert directions == {
        "nothing": [("en-de",), ("de-en",)],
        "teacher's translations": [],
        "translations forwards": [("de-en",)],
        "translations backwards": [("en-de",)],
    }
    assert load_plan(RECIPE, overrides("nothing")).recipe.start_from == Path("multi30k-en-de-teacher.toml")
    assert load_plan(RECIPE, overrides("teacher's weights")).recipe.start_from is None


def test_runs_share_what_the_teacher_translated(tmp_path: Path) -> None:
    (tmp_path / CORPORA / "whole" / "teacher").mkdir(parents=True)
    benchmark.share_translations("whole", "part", tmp_path)
    assert (tmp_path / CORPORA / "part" / "teacher").is_dir()
    benchmark.share_translations("none", "other", tmp_path)
    assert not (tmp_path / CORPORA / "other").exists()


def test_the_table_tells_what_each_ingredient_is_worth() -> None:
    rows = {"nothing": {"bleu": 39.0}, "label smoothing": {"bleu": 38.25}}
    assert benchmark.table(rows).splitlines()[-1] == "| label smoothing | 38.25 | -0.75 |"
