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
RECIPE = ROOT / "training" / "recipes" / "multi30k-en-de.toml"
sys.path.append(str(ROOT / "benchmarks"))
benchmark: Any = importlib.import_module("ablation")


def arguments() -> Namespace:
    return Namespace(recipe=RECIPE, root=Path("corpora"), updates=7)


def overrides(name: str) -> list[str]:
    found: list[str] = benchmark.overrides_of(name, arguments())
    return found


@pytest.mark.parametrize("name", benchmark.WITHOUT)
def test_every_recipe_without_an_ingredient_is_a_recipe_of_another_name(name: str) -> None:
    recipe = load_plan(RECIPE, overrides(name)).recipe
    assert recipe.name.startswith("multi30k-en-de-without-")
    assert (recipe.training.updates, recipe.training.evaluate_every) == (7, 7)


def test_what_is_left_out_is_left_out() -> None:
    assert len(load_plan(RECIPE, overrides("nothing")).lessons) == 1
    assert load_plan(RECIPE, overrides("teacher's translations")).lessons == ()
    assert load_plan(RECIPE, overrides("blocks after the second")).recipe.model.encoder.layers == 2
    assert load_plan(RECIPE, overrides("R-Drop")).recipe.training.passes(6) == 1


def test_what_a_recipe_does_not_have_is_not_left_out_of_it() -> None:
    missing = {name for name in benchmark.WITHOUT if not benchmark.has(name, arguments())}
    assert missing == {"nothing", "teacher's weights", "dropout of words"}


def test_runs_share_what_the_teacher_translated(tmp_path: Path) -> None:
    (tmp_path / CORPORA / "whole" / "teacher").mkdir(parents=True)
    benchmark.share_translations("whole", "part", tmp_path)
    assert (tmp_path / CORPORA / "part" / "teacher").is_dir()
    benchmark.share_translations("none", "other", tmp_path)
    assert not (tmp_path / CORPORA / "other").exists()


def test_the_table_tells_what_each_ingredient_is_worth() -> None:
    rows = {"nothing": {"bleu": 39.0}, "label smoothing": {"bleu": 38.25}}
    assert benchmark.table(rows).splitlines()[-1] == "| label smoothing | 38.25 | -0.75 |"
