"""Target tokens per second of training, and where the time goes.

usage: python benchmarks/train_speed.py RECIPE PREPARED [key=value ...]

RECIPE is a recipe, PREPARED a folder that `mt prepare` made from it. Runs in a temporary folder; writes nothing else.
Prints JSON: medians over windows of updates, hardware, versions, commit.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.process import settle

if __name__ == "__main__":
    settle()  # as `mt train` does, before torch is imported

import torch

from data.prepare import Prepared
from training import trainer as module
from training.config import load_recipe
from training.device import hardware
from training.distributed import World
from training.manifest import git_state, versions
from training.trainer import Trainer

WARM_UP, WINDOWS, WINDOW = 40, 7, 10  # updates; torch makes kernels for every shape of a batch that it first sees


@contextmanager
def timed_loss(spent: list[float]) -> Iterator[None]:
    """Note the seconds of every call of the loss."""
    original = module.token_loss

    def timed(*arguments: object) -> object:
        start = time.perf_counter()
        result = original(*arguments)  # type: ignore[arg-type]
        spent.append(time.perf_counter() - start)
        return result

    module.token_loss = timed  # type: ignore[assignment]
    try:
        yield
    finally:
        module.token_loss = original


def main() -> None:
    """Measure and print."""
    recipe = load_recipe(Path(sys.argv[1]), sys.argv[3:])
    prepared = Prepared.load(Path(sys.argv[2]))
    spent: list[float] = []
    with tempfile.TemporaryDirectory() as folder, timed_loss(spent):
        trainer = Trainer(recipe, Path(folder), prepared, World())
        trainer.network.train()
        for _ in range(WARM_UP):
            trainer.step()
        spent.clear()
        rates, padded = [], []
        for _ in range(WINDOWS):
            start, tokens = time.perf_counter(), 0
            for _ in range(WINDOW):
                tokens += trainer.step().tokens
            seconds = time.perf_counter() - start
            rates.append(tokens / seconds)
            padded.append(seconds / WINDOW)
    step = statistics.median(padded)
    report = {
        "recipe": recipe.name,
        "parameters": sum(part.numel() for part in trainer.network.parameters()),
        "target_tokens_per_second": {
            "median": round(statistics.median(rates)),
            "lowest": round(min(rates)),
            "highest": round(max(rates)),
        },
        "seconds_per_update": round(step, 4),
        "share_of_loss": round(statistics.median(spent) / step, 3),
        "precision": f"{str(trainer.choice.precision).removeprefix('torch.')}: {trainer.choice.reason}",
        "hardware": hardware(),
        "torch_threads": torch.get_num_threads(),
        "versions": versions(),
        "git": git_state(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
