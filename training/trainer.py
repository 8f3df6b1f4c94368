"""The training loop: update, report, evaluate, save; resumable to the bit.

Legend: B sentences, T target positions.
"""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

from data.batching import BatchStream, Position
from data.collate import Batch
from data.config import check
from data.prepare import Prepared
from models.cores import set_threads
from models.seq2seq import kept_tensors
from models.truncation import truncate
from training import checkpoint, distributed
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.device import choose, reads_ahead
from training.distributed import World
from training.evaluation import dev_bleu, dev_pairs
from training.loss import token_loss
from training.manifest import write_manifest
from training.optimizer import MovingAverage, make_optimizer, rate_factor, set_schedule
from training.run_folder import CHECKPOINTS, agree, check_data, hold, last_checkpoint
from training.spectra import spectra
from training.start import Start, first_network
from training.telemetry import Telemetry, say

NAMED_PAIRS = 20  # line numbers in a message about a bad batch


class NotFiniteError(Exception):
    """The loss or gradient is no number; the message names the update and the batch."""


class Update(NamedTuple):
    """What one optimizer step measured, over all processes."""

    loss: float  # smoothed, summed over tokens, in nats
    nll: float
    tokens: int  # target words and eos
    norm: float  # of the gradient per token, before it is scaled down


class Stretch:
    """Sums since the last report."""

    def __init__(self) -> None:
        self.loss = self.nll = self.norm = 0.0
        self.tokens = self.updates = 0
        self.seconds = 0.0

    def add(self, update: Update, seconds: float) -> None:
        """Count one update."""
        self.loss += update.loss
        self.nll += update.nll
        self.norm += update.norm
        self.tokens += update.tokens
        self.updates += 1
        self.seconds += seconds

    def means(self) -> dict[str, float]:
        """Per token, per second, per update."""
        return {
            "loss": self.loss / self.tokens,
            "nll": self.nll / self.tokens,
            "norm": self.norm / self.updates,
            "tokens_per_second": self.tokens / self.seconds,
        }


class Trainer:
    """One run in one folder.

    Args:
        recipe: what to do.
        folder: where the run is kept; a run that is there already goes on.
        prepared: its data.
        world: this process among all.
        start: weights to begin with, of which the network must be; fresh ones without it.
    Raises:
        UserError: when the folder holds a run of another recipe, or the start is of another network.
    """

    def __init__(
        self, recipe: Recipe, folder: Path, prepared: Prepared, world: World, start: Start | None = None
    ) -> None:
        self.recipe, self.folder, self.prepared, self.world = recipe, folder, prepared, world
        settings = recipe.training
        torch.set_flush_denormal(True)  # moments of rare words decay into numbers that are slow to compute with
        set_threads(settings.threads)
        self.choice = choose(settings, world.local_rank)
        self.network, self.lacked = first_network(recipe, prepared, start, self.choice.device)
        torch.manual_seed(recipe.seed * 1000 + world.rank)  # every process drops other units
        self.optimizer = make_optimizer(recipe.optimizer, self.network, self.choice.precision)
        self.average = MovingAverage(self.network, settings.ema_decay) if settings.average == "ema" else None
        ahead = reads_ahead(settings, self.choice.device)
        self.stream = BatchStream(prepared, recipe.batching, recipe.seed, world.rank, world.size, ahead)
        truncate(self.network, settings.truncate)
        self.update = self.tokens = self.without_progress = 0
        self.seconds = 0.0
        self.best: float | None = None
        self.scored = bool(dev_pairs(prepared, recipe.data.directions, settings.dev_sentences))
        self.stopping = False
        if world.leads:
            hold(folder)
            agree(folder, recipe)
        self.resume()

    def resume(self) -> None:
        """Go on from the newest whole checkpoint, if there is one."""
        found = last_checkpoint(self.folder)
        if found is None:
            return
        state, settings = found.state, self.recipe.training
        check_data(self.folder, state, self.prepared)
        tensors = kept_tensors(self.network)
        with torch.no_grad():
            for name, tensor in found.model.items():
                tensors[name].copy_(tensor)
        if self.average is not None:
            self.average.weights = {name: found.average[name].to(self.choice.device) for name in self.average.weights}
        checkpoint.restore_optimizer(self.optimizer, self.network, found.optimizer)
        self.stream.seek(Position(*state["position"]))
        self.update, self.tokens, self.seconds = state["update"], state["tokens"], state["seconds"]
        if state.get("dev", settings.dev) == settings.dev:  # scores of other sentences are no measure
            self.best, self.without_progress = state["best"], state["without_progress"]
        processes = len(state["random"])
        check(
            processes == self.world.size or self.complete(),
            f"{self.folder} was trained by {processes} processes: go on with as many, not {self.world.size}, or train "
            f"into another folder",
        )
        if processes == self.world.size:
            checkpoint.restore_random_state(state["random"][self.world.rank])
        if self.world.leads:
            checkpoint.mend_pointers(self.folder / CHECKPOINTS, state)
            say(f"going on from update {self.update:,} in {self.folder}")
            if self.update > self.recipe.training.updates:
                say(f"it is beyond 'training.updates' = {self.recipe.training.updates:,} already")

    def gradients(self, batch: Batch) -> tuple[float, float, int]:
        """Add a batch's gradients; return its smoothed loss, its negative log-likelihood and its target tokens."""
        device, settings = self.choice.device, self.recipe.training
        passes = settings.passes(self.update)
        source_BS, length_B, input_BT, output_BT = (part.to(device) for part in batch[:4])
        again = [torch.cat([part] * passes) for part in (source_BS, length_B, input_BT)]  # each pass drops other units
        low = self.choice.precision != torch.float32
        with torch.autocast(device.type, self.choice.precision, enabled=low):
            hidden_BTD = self.network(*again)
        hidden_PND = hidden_BTD.view(passes, -1, hidden_BTD.shape[-1]).to(self.choice.precision)
        loss, nll = token_loss(
            hidden_PND,
            self.network.output_weight,
            self.network.output_bias,
            output_BT.flatten(),
            settings.label_smoothing,
            self.prepared.tokenizer.pad_id,
            settings.agreement if passes == 2 else 0.0,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), nll.item(), int(batch.target_length_B.sum())

    def step(self) -> Update:
        """One optimizer step over `accumulate` batches of every process.

        Raises:
            NotFiniteError: before any weight changes.
        """
        self.optimizer.zero_grad(set_to_none=True)
        batches = [next(self.stream) for _ in range(self.recipe.training.accumulate)]
        measured = [self.gradients(batch) for batch in batches]
        totals = torch.tensor([sum(column) for column in zip(*measured, strict=True)], dtype=torch.float64)
        distributed.sum_all([totals], self.world)
        loss, nll, tokens = totals.tolist()
        gradients = [part.grad for part in self.network.parameters() if part.grad is not None]
        distributed.sum_all(gradients, self.world)
        torch._foreach_mul_(gradients, 1.0 / tokens)
        value = self.recipe.training.clip_value
        if value:
            torch._foreach_clamp_min_(gradients, -value)
            torch._foreach_clamp_max_(gradients, value)
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise NotFiniteError(self.describe(batches, loss / tokens, norm))
        clip = self.recipe.training.clip_norm
        if clip and norm > clip:
            torch._foreach_mul_(gradients, clip / norm)
        set_schedule(self.optimizer, self.recipe.optimizer, self.update, self.recipe.training.updates)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network, self.update)
        self.update += 1
        self.tokens += int(tokens)
        return Update(loss, nll, int(tokens), norm)

    def rate(self) -> float:
        """The learning rate of the next update."""
        optimizer = self.recipe.optimizer
        return optimizer.rate * rate_factor(optimizer, self.update, self.recipe.training.updates)

    def describe(self, batches: list[Batch], loss: float, norm: float) -> str:
        """A sentence about an update that went wrong."""
        pairs = sorted(number for batch in batches for number in batch.pairs)
        listed = ", ".join(map(str, pairs[:NAMED_PAIRS])) + (", ..." if len(pairs) > NAMED_PAIRS else "")
        return (
            f"update {self.update + 1} stopped the run: loss {loss} per token, gradient norm {norm}; its batch holds "
            f"pairs {listed} of {self.prepared.folder}; the last checkpoint stands: look at these pairs, or go on from "
            f"it ('start_from') under another 'name' with a lower 'optimizer.rate'"
        )

    def run(self) -> None:
        """Train to the end, or until SIGTERM, SIGINT or patience ends it; always leaves a checkpoint."""
        telemetry = self.open_telemetry() if self.world.leads else None
        with (
            stop_signals(self),
            contextlib.closing(self.stream),
            contextlib.closing(telemetry) if telemetry else contextlib.nullcontext(),
        ):
            self.network.train()
            self.fit(telemetry)
        if telemetry is not None:
            self.say_goodbye()

    def open_telemetry(self) -> Telemetry:
        """Write the manifest, and tell what is about to be trained."""
        write_manifest(self.folder, self.prepared, self.recipe.seed, self.choice, self.world.size)
        size = sum(part.numel() for part in self.network.parameters())
        if self.lacked and not self.update:
            say(self.lacked)
        say(
            f"{self.recipe.name}: {size:,} parameters on {self.choice.device}, "
            f"{str(self.choice.precision).removeprefix('torch.')} ({self.choice.reason}), "
            f"{torch.get_num_threads()} threads"
        )
        return Telemetry(self.folder, self.update)

    def fit(self, telemetry: Telemetry | None) -> None:
        """The loop: update, report, evaluate, save."""
        settings, stretch, saved = self.recipe.training, Stretch(), time.monotonic()
        while not self.complete():
            start = time.perf_counter()
            measured = self.step()
            took = time.perf_counter() - start
            self.seconds += took
            stretch.add(measured, took)
            last = self.update == settings.updates
            if self.update % settings.log_every == 0 or last:
                self.report(telemetry, stretch)
                stretch = Stretch()
            late = 0 < settings.checkpoint_minutes * 60 < time.monotonic() - saved
            stopping = self.agreed(self.stopping)
            if self.update % settings.evaluate_every == 0 or last:
                self.save(self.evaluate(telemetry))
                saved = time.monotonic()
            elif self.agreed(self.update % settings.checkpoint_every == 0 or late or stopping):
                self.save(None)
                saved = time.monotonic()
            if stopping:
                break

    def agreed(self, wish: bool) -> bool:
        """Whether any process wishes it, so that all do the same."""
        return any(distributed.gather(wish, self.world))

    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.update >= self.recipe.training.updates or self.out_of_patience()

    def finished(self) -> bool:
        """Whether the run is complete, and no signal has asked any process to stop."""
        return self.complete() and not self.agreed(self.stopping)

    def out_of_patience(self) -> bool:
        """Whether the dev score has not risen for too long."""
        patience = self.recipe.training.patience
        return 0 < patience <= self.without_progress

    def report(self, telemetry: Telemetry | None, stretch: Stretch) -> None:
        """Tell how the last updates went."""
        if telemetry is None or not stretch.updates:
            return
        before, after = (self.recipe.training.passes_left(self.update - done) for done in (stretch.updates, 0))
        left = after * stretch.seconds / (before - after)
        values = {**stretch.means(), "rate": self.rate(), "epoch": self.stream.position.epoch}
        telemetry.step(self.update, values, left)

    def better(self, score: float) -> bool:
        """Whether no dev score was higher; of equals the later one is taken."""
        return self.best is None or score >= self.best

    def evaluate(self, telemetry: Telemetry | None) -> float | None:
        """Mean BLEU over dev sets and directions, by the averaged weights; None without a dev set.

        The random state is left as it was.
        """
        score, start = None, time.perf_counter()
        if telemetry is not None:
            settings = self.recipe.training
            random = checkpoint.random_state()
            if self.average is not None:
                self.average.swap(self.network)
            scores = dev_bleu(
                self.network, self.prepared, self.recipe.data.directions, settings.dev_sentences, settings.dev_beam
            )
            telemetry.matrices(self.update, spectra(self.network))
            if self.average is not None:
                self.average.swap(self.network)
            checkpoint.restore_random_state(random)
            self.network.train()
            if scores:
                score = sum(scores.values()) / len(scores)
                telemetry.evaluation(self.update, scores, time.perf_counter() - start, self.better(score))
            else:
                telemetry.draw()
        shared: float | None = distributed.share(score, self.world)
        return shared

    def save(self, score: float | None) -> None:
        """Write a checkpoint, with the dev score of its weights if they were evaluated; without dev sets it is best."""
        better = not self.scored or (score is not None and self.better(score))
        if score is not None:
            self.without_progress = 0 if self.best is None or score > self.best else self.without_progress + 1
            self.best = score if better else self.best
        random = distributed.gather(checkpoint.random_state(), self.world)
        if self.world.leads:
            folder = self.folder / CHECKPOINTS
            state = {
                "update": self.update,
                "position": list(self.stream.position),
                "tokens": self.tokens,
                "seconds": self.seconds,
                "score": score,
                "best": self.best,
                "without_progress": self.without_progress,
                "random": random,
                "dev": self.recipe.training.dev,
                "data": self.prepared.manifest["files"],
            }
            average = {} if self.average is None else self.average.weights
            tensors = checkpoint.optimizer_tensors(self.optimizer, self.network)
            checkpoint.save(folder, Checkpoint(kept_tensors(self.network), average, tensors, state), better)
            checkpoint.prune(folder, self.recipe.training.keep_last, self.recipe.training.keep_best)

    def say_goodbye(self) -> None:
        """Tell how the run ended and what comes next."""
        where = f"{self.folder}, update {self.update:,}"
        if self.update >= self.recipe.training.updates:
            say(f"done: {where}; write a bundle with: mt export {self.folder} BUNDLE")
        elif self.out_of_patience():
            say(f"stopped early, since dev BLEU no longer rises: {where}")
        else:
            say(f"interrupted and saved: {where}; the same command goes on from here")


@contextlib.contextmanager
def stop_signals(trainer: Trainer) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the run after the update under way."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        trainer.stopping = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
