"""The recipe: one TOML file is one run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data.batching import BatchingConfig
from data.config import build, check
from data.errors import UserError
from data.prepare import DataConfig
from models.cells import CELLS
from models.config import ModelConfig
from models.hypotheses import WIDEST
from training.recipe_files import lineage, read_recipe

MOST = {"threads": 1024, "dev_beam": WIDEST, "updates": 10**9}  # of keys of `training`
LARGEST_SEED = 2**32  # every process adds its number to a thousand times as much


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its learning rate over time."""

    # sgd is with Nesterov momentum; muon takes adamw for embeddings, the output layer and vectors
    kind: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    rate: float = 0.002  # the highest learning rate
    betas: tuple[float, float] = (0.9, 0.98)  # adam and adamw
    momentum: float = 0.9  # sgd and muon; where it ends, if it rises
    momentum_schedule: Literal["constant", "sutskever"] = "constant"  # sutskever: 1 - 1/2, 1/4, ... every 250 updates
    weight_decay: float = 0.0  # on matrices only; biases and norms are left out
    schedule: Literal["constant", "inverse_sqrt", "linear", "cosine", "stable_decay"] = "stable_decay"
    warmup: int = 500  # updates from 0 to the highest rate
    decay_fraction: float = 0.3  # stable_decay: the last share of updates, over which the rate falls to 0

    def __post_init__(self) -> None:
        check(self.rate > 0, f"'rate' must be above 0, but is {self.rate}")
        check(all(0 <= beta < 1 for beta in self.betas), f"'betas' must be from 0 to below 1, but are {self.betas}")
        check(self.weight_decay >= 0, f"'weight_decay' must not be negative, but is {self.weight_decay}")
        check(self.warmup >= 0, f"'warmup' must not be negative, but is {self.warmup}")
        check(0 <= self.momentum < 1, f"'momentum' must be from 0 to below 1, but is {self.momentum}")
        check(0 < self.decay_fraction <= 1, f"'decay_fraction' must be above 0, up to 1, but is {self.decay_fraction}")


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how to fit, and what to write down on the way."""

    # gradient: all that can be trained; ridge: the output layer alone, in closed form, in passes over frozen states
    method: Literal["gradient", "ridge"] = "gradient"
    ridge_passes: int = 1  # looks at all data; more of them pay where batches differ (sampling, placeholders)
    ridge_strength: tuple[float, ...] = (1e-6, 1e-5, 1e-4, 1e-3)  # penalties per position; the dev sets choose
    updates: int = 10_000  # optimizer steps; the schedule ends here
    accumulate: int = 1  # batches per update and process
    label_smoothing: float = 0.1
    agreement: float = 0.0  # R-Drop's alpha: two passes with other dropout must agree; doubles the work, 0 is off
    agreement_after: float = 0.0  # the share of the updates after which that begins
    truncate: int = 0  # positions that a gradient flows through in each recurrence, at most; 0 is all of them
    clip_norm: float = 1.0  # gradients are scaled down to this norm; 0 leaves them
    clip_value: float = 0.0  # before that, each number of a gradient is cut to this size; 0 leaves them
    average: Literal["none", "ema"] = "ema"  # weights that are evaluated and exported
    ema_decay: float = 0.999  # warms up as (1 + update) / (10 + update)
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto takes a GPU when there is one
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto takes bfloat16 where the processor has it
    threads: int = 0  # CPU threads; 0 takes torch's choice, or what a container is allowed
    read_ahead: Literal["auto", "yes", "no"] = "auto"  # another process encodes the next shard; auto: for a GPU
    log_every: int = 50  # updates
    evaluate_every: int = 1000  # updates between BLEU on the dev sets
    dev_sentences: int = 500  # of each dev set and direction, at most; 0 takes all
    dev_beam: int = 1
    patience: int = 0  # evaluations without a better dev score before stopping; 0 never stops early
    checkpoint_every: int = 1000  # updates
    checkpoint_minutes: float = 10.0  # and at least this often; 0 leaves it to checkpoint_every
    keep_last: int = 2  # checkpoints
    keep_best: int = 1

    def __post_init__(self) -> None:
        for name in (
            "ridge_passes",
            "updates",
            "accumulate",
            "log_every",
            "evaluate_every",
            "checkpoint_every",
            "keep_last",
            "dev_beam",
        ):
            check(getattr(self, name) >= 1, f"'{name}' must be at least 1, but is {getattr(self, name)}")
        good = bool(self.ridge_strength) and all(strength > 0 for strength in self.ridge_strength)
        check(good, f"'ridge_strength' must be one number above 0 or several, but is {self.ridge_strength}")
        check(0 <= self.label_smoothing < 1, f"'label_smoothing' must be from 0 to below 1: {self.label_smoothing}")
        check(self.agreement >= 0, f"'agreement' must not be negative, but is {self.agreement}")
        check(0 <= self.agreement_after < 1, f"'agreement_after' must be from 0 to below 1: {self.agreement_after}")
        check(0 <= self.ema_decay < 1, f"'ema_decay' must be from 0 to below 1, but is {self.ema_decay}")
        for name in (
            "truncate",
            "clip_norm",
            "clip_value",
            "threads",
            "dev_sentences",
            "patience",
            "checkpoint_minutes",
            "keep_best",
        ):
            check(getattr(self, name) >= 0, f"'{name}' must not be negative, but is {getattr(self, name)}")
        for name, most in MOST.items():
            check(getattr(self, name) <= most, f"'{name}' must be {most:,} or less, but is {getattr(self, name):,}")

    @property
    def dev(self) -> list[int]:
        """What decides which of two dev scores may be compared."""
        return [self.dev_sentences, self.dev_beam]

    @property
    def agreement_begins(self) -> int:
        """The first update, counted from 0, whose two passes must agree; `updates` where none must."""
        return math.ceil(self.agreement_after * self.updates) if self.agreement else self.updates

    def passes(self, update: int) -> int:
        """How often an update, counted from 0, reads its batches."""
        return 2 if update >= self.agreement_begins else 1

    def passes_left(self, update: int) -> int:
        """Passes of an update and of all that follow it."""
        return 2 * self.updates - update - max(update, self.agreement_begins)


@dataclass(frozen=True)
class TeacherConfig:
    """A run, or a bundle, that translates the training text, which is trained on, too (data diversification, Nguyen et
    al. 2020).

    It also translates monolingual text, which has what the training text lacks. What it translates forwards is
    sequence-level distillation (Kim and Rush 2016): real source, synthetic target. What it translates backwards is
    back-translation (Sennrich et al. 2016): synthetic source, real target.
    """

    recipe: Path | None = None  # the teacher's, trained first; a relative path starts at the folder of this recipe
    bundle: Path | None = None  # or a bundle's folder; a relative path starts where the command is given
    overrides: tuple[str, ...] = ()  # key=value, laid over the teacher's recipe: another name and seed, for example
    # that it translates; none named takes all that serve the student. A teacher may come again for other directions
    directions: tuple[str, ...] = ()
    beam: int = 5
    translates: Literal["all", "training", "monolingual"] = "all"  # the training text, data.monolingual, or both
    # the best translation; or of as many as the beam the one closest to the reference, if there is any (sequence-level
    # interpolation), or the one that a teacher of both directions prefers when it reads them backwards, too
    choose: Literal["best", "closest", "reranked"] = "best"

    def __post_init__(self) -> None:
        given = (self.recipe is not None) + (self.bundle is not None)
        check(given == 1, "a teacher needs a 'recipe' or a 'bundle', one of the two")
        changed = self.bundle is not None and bool(self.overrides)
        check(not changed, "'overrides' change a recipe, but this teacher is a 'bundle': leave them out")
        check(1 <= self.beam <= WIDEST, f"'beam' must be from 1 to {WIDEST:,}, but is {self.beam}")
        check(
            self.choose == "best" or self.beam > 1,
            f"'choose' {self.choose} chooses among as many translations as 'beam', "
            f"which is {self.beam}: make it 2 or more",
        )
        twice = len(set(self.directions)) < len(self.directions)
        check(not twice, f"'directions' names one twice: {', '.join(self.directions)}")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run's outcome."""

    name: str  # of the run's folder
    data: DataConfig
    seed: int = 1
    # to take weights and vocabulary from: a bundle, a run's name or folder, or a recipe beside this one, trained first
    start_from: Path | None = None
    # kept: the vocabulary is that of the start; own: it is learned from this run's text, and embeddings are taken over
    start_vocabulary: Literal["kept", "own"] = "kept"
    start_variants: tuple[int, ...] = ()  # of that recipe: each is trained, and the mean of their weights is the start
    shared: bool = False  # a variant of what builds on this recipe builds on this recipe itself, not on a variant of it
    teachers: tuple[TeacherConfig, ...] = ()  # are trained first, and translate the training text
    batching: BatchingConfig = field(default_factory=BatchingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        plain_name = self.name not in ("", ".", "..") and not set(self.name) & set("/\\:\0")
        check(plain_name and self.name.isprintable(), f"'name' must be a plain folder name, but is {self.name!r}")
        check(0 <= self.seed < LARGEST_SEED, f"'seed' must be from 0 to {LARGEST_SEED - 1:,}, but is {self.seed}")
        self.check_start()
        for part in ("encoder", "decoder"):
            cell = getattr(self.model, part).cell
            valid = ", ".join(sorted(CELLS))
            check(cell in CELLS, f"'model.{part}.cell' must be one of {valid}, but is '{cell}'")
        check(
            bool(self.teachers) or not self.data.monolingual,
            "'data.monolingual' is of use to teachers alone, who translate it: name one in 'teachers', or leave it out",
        )
        taken_over = self.start_from is not None and self.start_vocabulary == "kept"
        check(
            self.data.tokenizer.placeholders > 0 or taken_over or not self.batching.symbol_rate,
            "'batching.placeholder_rate' and 'term_rate' need symbols: set 'data.tokenizer.placeholders' above 0",
        )
        check(
            self.batching.name_rate > 0 or not self.data.names,
            "'data.names' is of use where 'batching.name_rate' says how many pairs get other names: set that, or leave "
            "it out",
        )
        check(
            self.training.method != "ridge" or self.model.tie == "none",
            f"'training.method' ridge solves for the output layer alone, but 'model.tie' {self.model.tie} makes that "
            f"layer an embedding too: set 'model.tie' to none",
        )

    def check_start(self) -> None:
        """Refuse variants of what is no recipe, or named twice, and a vocabulary of its own without a start."""
        told = ", ".join(map(str, self.start_variants))
        trained = self.start_from is not None and self.start_from.suffix == ".toml"
        check(
            trained or not self.start_variants,
            f"'start_variants' {told} are variants of the recipe that 'start_from' names, which is "
            f"{self.start_from or 'not there'}: name a recipe, or leave out 'start_variants'",
        )
        message = (
            "'start_vocabulary' own takes embeddings over from a start: name it in 'start_from', or leave this out"
        )
        check(self.start_from is not None or self.start_vocabulary == "kept", message)
        check(len(set(self.start_variants)) == len(self.start_variants), f"'start_variants' names one twice: {told}")
        check(min(self.start_variants, default=0) >= 0, f"'start_variants' are seeds, 0 or more, but are {told}")


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, laid over the one that it `extends`, with `section.key=value` overrides laid over both.

    Raises:
        UserError: naming the file, key and the valid ones.
    """
    tree, files = read_recipe(path, overrides)
    try:
        return build(Recipe, tree)
    except UserError as error:
        raise UserError(f"{lineage(files)}: {error}") from None
