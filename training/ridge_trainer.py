"""Runs whose output layer alone is learned, by ridge regression: look at all data, solve, evaluate, save."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import torch

from data.batching import BatchStream, Position
from data.config import check
from data.languages import languages_of
from data.prepare import Prepared
from models.cores import set_threads
from models.seq2seq import kept_tensors
from training import checkpoint, distributed
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.device import choose
from training.distributed import World
from training.evaluation import dev_bleu, dev_pairs
from training.manifest import write_manifest
from training.ridge import NormalEquations, Readout, dev_batches, states
from training.run_folder import CHECKPOINTS, agree, check_data, hold, last_checkpoint
from training.start import Start, first_network
from training.telemetry import Telemetry, say


class RidgeTrainer:
    """One run in one folder, as Trainer is for gradients. Every pass over the data ends with a checkpoint.

    Args:
        recipe: what to do; its optimizer and dropout are of no concern here.
        folder: where the run is kept; a run that is there already goes on after its last whole pass.
        prepared: its data.
        world: this process among all.
        start: weights to begin with; fresh random ones without it.
    Raises:
        UserError: when the folder holds a run of another recipe, the start is of another network, or there is no dev
            set to choose by.
    """

    def __init__(
        self, recipe: Recipe, folder: Path, prepared: Prepared, world: World, start: Start | None = None
    ) -> None:
        self.recipe, self.folder, self.prepared, self.world = recipe, folder, prepared, world
        settings = recipe.training
        self.dev = dev_pairs(prepared, recipe.data.directions, settings.dev_sentences)
        check(bool(self.dev), "'training.method' ridge chooses its strength on a dev set: name one, or hold pairs out")
        set_threads(settings.threads)
        reason = "ridge regression adds up in float64"
        self.choice = choose(settings, world.local_rank)._replace(precision=torch.float32, reason=reason)
        self.network, self.lacked = first_network(recipe, prepared, start, self.choice.device)
        self.network.eval().requires_grad_(False)
        self.stream = BatchStream(prepared, recipe.batching, recipe.seed, world.rank, world.size)
        self.sums = NormalEquations(self.network)
        self.batches = self.tokens = 0
        self.seconds = 0.0
        self.best: float | None = None
        if world.leads:
            hold(folder)
            agree(folder, recipe)
        self.resume()

    def resume(self) -> None:
        """Take up network and sums as the last whole pass left them, if there is one."""
        found = last_checkpoint(self.folder)
        if found is None:
            return
        check_data(self.folder, found.state, self.prepared)
        for mine, theirs in ((kept_tensors(self.network), found.model), (self.sums.parts, found.optimizer)):
            for name, tensor in theirs.items():
                mine[name].copy_(tensor)
        state, settings = found.state, self.recipe.training
        if self.world.leads:
            checkpoint.mend_pointers(self.folder / CHECKPOINTS, state)
        self.stream.seek(Position(*state["position"]))
        self.batches, self.tokens, self.seconds = state["update"], state["tokens"], state["seconds"]
        if state.get("dev", settings.dev) == settings.dev:  # scores of other sentences are no measure
            self.best = state["best"]

    @property
    def passes(self) -> int:
        """Whole passes so far."""
        return self.stream.position.epoch

    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.passes >= self.recipe.training.ridge_passes

    def finished(self) -> bool:
        """The same: no signal ends a run between two passes."""
        return self.complete()

    def run(self) -> None:
        """Pass over the data as often as the recipe says; what is interrupted costs the pass under way."""
        telemetry = self.open_telemetry() if self.world.leads else None
        with contextlib.closing(telemetry) if telemetry else contextlib.nullcontext():
            while not self.finished():
                self.look(telemetry)
                if telemetry is not None:
                    self.learn(telemetry)
                distributed.share(None, self.world)  # the others wait for the checkpoint
        if telemetry is not None:
            say(f"done: {self.folder}, {self.passes} passes; write a bundle with: mt export {self.folder} BUNDLE")

    def open_telemetry(self) -> Telemetry:
        """Write the manifest, and tell what is about to be done."""
        write_manifest(self.folder, self.prepared, self.recipe.seed, self.choice, self.world.size)
        if self.lacked and not self.passes:
            say(self.lacked)
        say(
            f"{self.recipe.name}: ridge regression of {self.network.output_weight.numel():,} output weights "
            f"on {self.choice.device}, pass {self.passes + 1} of {self.recipe.training.ridge_passes}; a pass that is "
            f"interrupted is lost, and the same command begins it again"
        )
        return Telemetry(self.folder, self.batches)

    def look(self, telemetry: Telemetry | None) -> None:
        """Pass over the data once, adding up what the solution needs."""
        here, began, sums = self.passes, time.perf_counter(), NormalEquations(self.network)
        batches = pairs = tokens = 0
        while self.passes == here:
            batch = next(self.stream)
            sums.add(*states(self.network, batch, self.recipe.model.reservoir.washout))
            batches, pairs = batches + 1, pairs + len(batch.pairs)
            tokens += int(batch.target_length_B.sum())
            if telemetry is not None and batches % self.recipe.training.log_every == 0:
                seconds = time.perf_counter() - began
                left = seconds * max(0.0, self.pairs_of_a_pass() / pairs - 1.0)
                telemetry.look(self.batches + batches, tokens, seconds, left)
        counted = self.sums.positions.new_tensor(tokens)
        distributed.sum_all([*sums.parts.values(), counted], self.world)
        for name, part in self.sums.parts.items():
            part += sums.parts[name]
        self.batches, self.tokens = self.batches + batches, self.tokens + int(counted)
        self.seconds += time.perf_counter() - began

    def pairs_of_a_pass(self) -> float:
        """About how many pairs this process meets in one; one that serves both directions counts twice."""
        directions = {languages_of(direction) for direction in self.recipe.data.directions}
        ways = 2 if any(direction[::-1] in directions for direction in directions) else 1
        return sum(self.prepared.shard_sizes) * ways / self.world.size

    def learn(self, telemetry: Telemetry) -> None:
        """Solve, choose, evaluate, save."""
        settings, began = self.recipe.training, time.perf_counter()
        batches = dev_batches(self.prepared.tokenizer, self.dev.values())
        readout = self.sums.choose(self.network, batches, settings.ridge_strength)
        readout.put(self.network)
        telemetry.solution(self.batches, readout.strength, readout.scale, readout.nll)
        directions = self.recipe.data.directions
        scores = dev_bleu(self.network, self.prepared, directions, settings.dev_sentences, settings.dev_beam)
        score = sum(scores.values()) / len(scores)
        better = self.best is None or score >= self.best
        self.best = score if better else self.best
        telemetry.evaluation(self.batches, scores, time.perf_counter() - began, better)
        self.save(readout, score, better)

    def save(self, readout: Readout, score: float, better: bool) -> None:
        """Write a checkpoint: the network, and the sums from which another pass goes on."""
        folder, settings = self.folder / CHECKPOINTS, self.recipe.training
        state = {
            "update": self.batches,
            "position": list(self.stream.position),
            "tokens": self.tokens,
            "seconds": self.seconds,
            "score": score,
            "best": self.best,
            "dev": settings.dev,
            "strength": readout.strength,
            "scale": readout.scale,
            "nll": readout.nll,
            "data": self.prepared.manifest["files"],
        }
        checkpoint.save(folder, Checkpoint(kept_tensors(self.network), {}, self.sums.parts, state), better)
        checkpoint.prune(folder, settings.keep_last, settings.keep_best)
