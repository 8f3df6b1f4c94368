"""`mt prepare` and `mt train`: a recipe in, a run out; those that it builds on first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from data.config import check
from data.errors import UserError
from data.monolingual import files_of
from data.prepare import DataConfig, Prepared, corpus_files, prepare
from data.prepared import MODEL
from training import distributed
from training.average import choose_weights
from training.config import Recipe
from training.distributed import World
from training.ridge_trainer import RidgeTrainer
from training.run_folder import hold, let_go, use_of
from training.start import Start, load_start, mean_start
from training.synthesis import Translate, synthesize, with_synthetic
from training.teachers import Plan, in_order, load_plan
from training.telemetry import say
from training.trainer import NotFiniteError, Trainer

INTERRUPTED = 130  # an exit code, as shells have it
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|DefaultCPUAllocator", re.IGNORECASE)


def prepare_for(plan: Plan, start: Start | None, home: Path, force: bool = False) -> Prepared:
    """A recipe's data in `home/prepared/NAME`; what was prepared before from the same sources is kept.

    Raises:
        UserError: for bad corpora, or a vocabulary that lacks the symbols that a new run asks for.
    """
    recipe, run = plan.recipe, home / "runs" / plan.recipe.name
    vocabulary = start.vocabulary if start and recipe.start_vocabulary == "kept" else None
    if force and run.is_dir():
        hold(run)  # or what trains there would go on with other data than it began with
    use, folder = use_of(run), home / "prepared" / recipe.name
    prepared = prepare(with_synthetic(plan, home), folder, recipe.seed, force, vocabulary, use)
    check(
        use is not None or bool(prepared.tokenizer.placeholders) or not recipe.batching.symbol_rate,
        f"'batching.placeholder_rate' and 'term_rate' need symbols, but the vocabulary of 'start_from' "
        f"{recipe.start_from} has none: set both to 0, or 'start_vocabulary' to own",
    )
    return prepared


def find_start(plan: Plan, home: Path) -> Start | None:
    """What a recipe's `start_from` names; of several runs the mean.

    A run that has a checkpoint needs its start no more, so where that is gone its own weights take the place.
    """
    if plan.starts:
        return mean_start([load_start((home / "runs" / one.recipe.name).absolute(), home) for one in plan.starts])
    if plan.recipe.start_from is None:
        return None
    try:
        return load_start(plan.recipe.start_from, home)
    except UserError:
        run, vocabulary = home / "runs" / plan.recipe.name, home / "prepared" / plan.recipe.name / MODEL
        if use_of(run) is None or not vocabulary.is_file():
            raise
        return Start(run, vocabulary, choose_weights(run, "last", 1)[0])


def prepare_recipe(
    path: Path, overrides: Sequence[str], home: Path, force: bool = False, translate: Translate | None = None
) -> int:
    """Do all of `mt prepare`; return the exit code."""
    plan = load_plan(path, overrides)
    try:
        if not teach(plan, home, World(), translate, force):
            return INTERRUPTED
        say(f"prepared data: {prepare_for(plan, find_start(plan, home), home, force).folder}")
    except (NotFiniteError, MemoryError, RuntimeError) as error:
        return failed(error)
    return 0


def train_recipe(path: Path, overrides: Sequence[str], home: Path, translate: Translate | None = None) -> int:
    """Prepare a recipe's data if need be, and train it in `home/runs/NAME`; return the exit code.

    Args:
        path: of the recipe.
        overrides: `section.key=value`, laid over it.
        home: the folder of prepared data, runs and corpora.
        translate: how its teachers translate; a recipe without teachers needs none.
    Returns:
        0 when the run is complete, `INTERRUPTED` when it is not.
    Raises:
        UserError: for bad recipes or corpora.
    """
    plan = load_plan(path, overrides)
    world = distributed.join()
    try:
        if not teach(plan, home, world, translate):
            return INTERRUPTED
        if world.leads:
            warn_of_slow_start(plan.recipe)
        trainer = trainer_for(plan, home, world)
        trainer.run()
        if not trainer.complete():  # which asks no other process: these may be gone
            return INTERRUPTED
    except (NotFiniteError, MemoryError, RuntimeError) as error:
        return failed(error)
    finally:
        distributed.leave(world)
    return 0


def failed(error: Exception) -> int:
    """Say why a run ended, for the exit code; what nobody thought of is raised again."""
    if not isinstance(error, NotFiniteError):
        if not (isinstance(error, MemoryError) or NO_MEMORY.search(str(error))):
            raise error
        told = str(error).splitlines()[0] if str(error) else "there was not enough"
        error = UserError(f"memory ran out ({told}): lower 'batching.tokens', or the sizes in [model]")
    say(f"mt: error: {error}")
    return 1


def warn_of_slow_start(recipe: Recipe) -> None:
    """Tell of a rate that never gets to where it should."""
    warmup, updates = recipe.optimizer.warmup, recipe.training.updates
    if recipe.training.method == "gradient" and warmup >= updates:
        say(f"the rate rises for 'optimizer.warmup' = {warmup:,} updates, and there are {updates:,}: set it lower")


def trainer_for(plan: Plan, home: Path, world: World, force: bool = False) -> Trainer | RidgeTrainer:
    """A run made ready to begin or go on; the leading process prepares its data if need be."""
    recipe = plan.recipe
    start = find_start(plan, home)
    if world.leads:
        prepare_for(plan, start, home, force)
    distributed.share(None, world)  # the others wait until the data is there
    prepared = prepare_for(plan, start, home)
    kind = RidgeTrainer if recipe.training.method == "ridge" else Trainer
    return kind(recipe, home / "runs" / recipe.name, prepared, world, start)


def teach(plan: Plan, home: Path, world: World, translate: Translate | None, force: bool = False) -> bool:
    """Train what a plan builds on, one after the other, and let teachers translate; False when a signal ended it.

    Their data is prepared anew if `force` says so.
    """
    *bases, _ = plans = in_order(plan)
    if bases:
        for one in plans:
            check_files(one.recipe.data)  # what is missing is better told now than when the others are trained
    for base in bases:
        learn_from_teachers(base, home, world, translate)
        if not finish(base, home, world, force):
            return False
    learn_from_teachers(plan, home, world, translate)
    return True


def check_files(data: DataConfig) -> None:
    """Raise UserError for the first file that is missing."""
    corpus_files(data)
    for one in data.monolingual:
        files_of(one, data.root)


def learn_from_teachers(plan: Plan, home: Path, world: World, translate: Translate | None) -> None:
    """Let the teachers of a plan, which are trained, translate for it; the leading process sees to it."""
    if plan.lessons and world.leads:
        if translate is None:
            raise ValueError(f"{plan.recipe.name} has teachers, so a way to translate must be given")
        for lesson in plan.lessons:
            synthesize(plan.recipe, lesson, home, translate)
    distributed.share(None, world)  # the others wait until all is translated


def finish(plan: Plan, home: Path, world: World, force: bool = False) -> bool:
    """Train a run that another one builds on to its end, if it is not there yet; whether it is."""
    threads = torch.get_num_threads()
    try:
        trainer = trainer_for(plan, home, world, force)
        if not trainer.finished():
            trainer.run()
        return trainer.finished()
    finally:
        torch.set_num_threads(threads)  # its `threads` are no concern of those after it
        let_go(home / "runs" / plan.recipe.name)  # since other runs may build on it, too
