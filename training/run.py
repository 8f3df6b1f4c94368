"""`mt prepare` and `mt train`: a recipe in, a run out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.prepare import prepare
from training import distributed
from training.config import load_recipe
from training.telemetry import say
from training.trainer import NotFiniteError, Trainer


def prepare_recipe(path: Path, overrides: Sequence[str], home: Path, force: bool = False) -> int:
    """Prepare a recipe's data in `home/prepared/NAME`; data prepared before from the same sources is kept."""
    recipe = load_recipe(path, overrides)
    prepared = prepare(recipe.data, home / "prepared" / recipe.name, recipe.seed, force)
    say(f"prepared data: {prepared.folder}")
    return 0


def train_recipe(path: Path, overrides: Sequence[str], home: Path) -> int:
    """Prepare a recipe's data if need be, and train it in `home/runs/NAME`; return the exit code."""
    recipe = load_recipe(path, overrides)
    world = distributed.join()
    try:
        folder = home / "prepared" / recipe.name
        if world.leads:
            prepare(recipe.data, folder, recipe.seed)
        distributed.share(None, world)  # the others wait until the data is there
        prepared = prepare(recipe.data, folder, recipe.seed)
        Trainer(recipe, home / "runs" / recipe.name, prepared, world).run()
    except NotFiniteError as error:
        say(f"mt: error: {error}")
        return 1
    finally:
        distributed.leave(world)
    return 0
