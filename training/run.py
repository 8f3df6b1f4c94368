"""`mt prepare` and `mt train`: a recipe in, a run out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.prepare import Prepared, prepare
from training import distributed
from training.config import Recipe, load_recipe
from training.ridge_trainer import RidgeTrainer
from training.start import Start, load_start
from training.telemetry import say
from training.trainer import NotFiniteError, Trainer


def prepare_for(recipe: Recipe, start: Start | None, home: Path, force: bool = False) -> Prepared:
    """A recipe's data in `home/prepared/NAME`; what was prepared before from the same sources is kept."""
    vocabulary = None if start is None else start.vocabulary
    return prepare(recipe.data, home / "prepared" / recipe.name, recipe.seed, force, vocabulary)


def find_start(recipe: Recipe, home: Path) -> Start | None:
    """What a recipe's `start_from` names."""
    return None if recipe.start_from is None else load_start(recipe.start_from, home)


def prepare_recipe(path: Path, overrides: Sequence[str], home: Path, force: bool = False) -> int:
    """Do all of `mt prepare`."""
    recipe = load_recipe(path, overrides)
    say(f"prepared data: {prepare_for(recipe, find_start(recipe, home), home, force).folder}")
    return 0


def train_recipe(path: Path, overrides: Sequence[str], home: Path) -> int:
    """Prepare a recipe's data if need be, and train it in `home/runs/NAME`; return the exit code."""
    recipe = load_recipe(path, overrides)
    start = find_start(recipe, home)
    world = distributed.join()
    try:
        if world.leads:
            prepare_for(recipe, start, home)
        distributed.share(None, world)  # the others wait until the data is there
        prepared = prepare_for(recipe, start, home)
        kind = RidgeTrainer if recipe.training.method == "ridge" else Trainer
        kind(recipe, home / "runs" / recipe.name, prepared, world, start).run()
    except NotFiniteError as error:
        say(f"mt: error: {error}")
        return 1
    finally:
        distributed.leave(world)
    return 0
