"""Which weights of a run to take: the averaged ones of a checkpoint, or the mean of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from data.config import check
from training.checkpoint import Checkpoint, checkpoints, load, resolve
from training.run_folder import CHECKPOINTS, check_vocabulary
from training.telemetry import say


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """A checkpoint's moving average, or its weights when the run keeps none; what is frozen has no average."""
    return {**checkpoint.model, **checkpoint.average}


def mean(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several sets of weights, taken in float64 (checkpoint averaging, Junczys-Dowmunt et al. 2016)."""
    check(bool(parts), "there is no checkpoint to average")
    return {
        name: torch.stack([part[name].double() for part in parts]).mean(0).to(first.dtype)
        for name, first in parts[0].items()
    }


def blended(mine: dict[str, Tensor], other: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights with a share of others, such as those that training began with; what counts units stays as it is.

    What training has lost of other text comes back that way, and what it has gained mostly stays (WiSE-FT, Wortsman et
    al. 2022).
    """
    return {
        name: torch.lerp(part.double(), other[name].double(), share).to(part.dtype)
        if part.is_floating_point()
        else part
        for name, part in mine.items()
    }


def choose_weights(run: Path, which: str, last: int) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Weights by `best`, `last` or `average` (of the newest `last` checkpoints), and where they come from.

    Raises:
        UserError: when the run has no such checkpoint.
    """
    folder = run / CHECKPOINTS
    if which == "average":
        check(last >= 1, f"--last must be at least 1, but is {last}")
        paths = checkpoints(folder)[-last:]
        check(bool(paths), f"{run} has no checkpoint yet")
        loaded = [load(path) for path in paths]
        check_vocabulary(run, loaded[-1].state)
        updates = [int(one.state["update"]) for one in loaded]
        fewer = "" if len(paths) == last else f"; there are no more, though --last asks for {last}"
        say(f"checkpoints averaged: {len(paths)}, of updates {', '.join(map(str, updates))}{fewer}")
        return mean([one.model for one in loaded]), {"weights": f"mean of updates {updates}", "update": updates[-1]}
    chosen = load(resolve(folder, which))
    check_vocabulary(run, chosen.state)
    origin: dict[str, object] = {"weights": which, "update": chosen.state["update"], "tokens": chosen.state["tokens"]}
    return weights_of(chosen), {**origin, "seconds": round(chosen.state["seconds"])}
