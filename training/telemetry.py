"""What a run says of itself: console, metrics.jsonl, TensorBoard and a drawing of its curves."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.files import atomic, write_text
from training.spectra import Spectrum

METRICS, CURVES, BOARD = "metrics.jsonl", "curves.png", "tensorboard"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"


def say(line: str) -> None:
    """One line for people, on stderr."""
    print(line, file=sys.stderr, flush=True)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a metrics file; a line that a crash cut, or anything else damaged, is left out."""
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("update"), int) and "kind" in record:
            records.append(record)
    return records


def open_board(folder: Path, purge_step: int | None = None) -> Any:
    """A TensorBoard writer, or None where that package is not installed; events from `purge_step` on are forgotten."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("TensorBoard is not installed: pip install 'mt-service[train]' to have its curves")
        return None
    return SummaryWriter(str(folder), purge_step=purge_step)


class Telemetry:
    """Writes measurements of a run that stands at `update`; what an interrupted run wrote after that is cut off."""

    def __init__(self, folder: Path, update: int) -> None:
        self.folder = folder
        path = folder / METRICS
        kept = [record for record in read_metrics(path) if record["update"] <= update]
        write_text(path, "".join(json.dumps(record) + "\n" for record in kept))
        self.stream = path.open("a", encoding="utf-8")
        self.board = open_board(folder / BOARD, update + 1)

    def log(self, kind: str, update: int, values: dict[str, float]) -> None:
        """Write numbers to metrics.jsonl and TensorBoard."""
        self.stream.write(json.dumps({"kind": kind, "update": update, **values}) + "\n")
        self.stream.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(f"{kind}/{name}", value, update)

    def step(self, update: int, values: dict[str, float], time_left: float) -> None:
        """Report a stretch of training."""
        self.log("train", update, values)
        say(
            f"update {update:>7,} | epoch {values['epoch']:.0f} | loss {values['loss']:.3f} "
            f"| ppl {math.exp(min(20.0, values['nll'])):.2f} | {values['tokens_per_second']:,.0f} tokens/s "
            f"| norm {values['norm']:.2f} | rate {values['rate']:.2e} | {duration(time_left)} left"
        )

    def look(self, batches: int, tokens: int, seconds: float, time_left: float) -> None:
        """Report how far a pass is that only looks at the data; tokens and seconds count from its start."""
        rate = tokens / max(seconds, 1e-9)
        self.log("look", batches, {"tokens_per_second": rate})
        say(f"batch {batches:>7,} | {tokens:,} tokens | {rate:,.0f} tokens/s | {duration(time_left)} left")

    def solution(self, batches: int, strength: float, scale: float, nll: float) -> None:
        """Report a ridge regression and how probable it makes the dev sets."""
        self.log("ridge", batches, {"strength": strength, "scale": scale, "nll": nll})
        ppl = math.exp(min(20.0, nll))
        say(f"batch {batches:>7,} | strength {strength:g} | scale {scale:.3g} | dev ppl {ppl:.2f}")

    def evaluation(self, update: int, scores: dict[str, float], seconds: float, best: bool) -> None:
        """Report dev scores and draw the curves anew."""
        self.log("dev", update, scores)
        listed = " | ".join(f"{name} {score:.2f}" for name, score in scores.items())
        say(f"update {update:>7,} | dev BLEU {listed} | {duration(seconds)}{' | best so far' if best else ''}")
        self.draw()

    def matrices(self, update: int, found: Mapping[str, Spectrum]) -> None:
        """Write down how strong each recurrent matrix is."""
        for size in Spectrum._fields if found else ():
            self.log(size, update, {name: getattr(one, size) for name, one in found.items()})

    def draw(self) -> None:
        """Loss, learning rate and dev BLEU against updates, as curves.png."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        records = read_metrics(self.folder / METRICS)
        train = [record for record in records if record["kind"] == "train"]
        dev = [record for record in records if record["kind"] == "dev"]
        figure = Figure(figsize=(9, 9), layout="constrained")
        loss, rate, bleu = figure.subplots(3, 1, sharex=True)
        updates = [record["update"] for record in train]
        loss.plot(updates, [record["loss"] for record in train], label="smoothed loss")
        loss.plot(updates, [record["nll"] for record in train], label="negative log-likelihood")
        rate.plot(updates, [record["rate"] for record in train])
        for name in [key for key in (dev[-1] if dev else {}) if key not in ("kind", "update")]:
            points = [(record["update"], record[name]) for record in dev if name in record]
            bleu.plot(*zip(*points, strict=True), marker="o", label=name)
        for axis, title in ((loss, "loss, nats per token"), (rate, "learning rate"), (bleu, "dev BLEU")):
            axis.set_ylabel(title)
            axis.grid(alpha=0.3)
            if axis.get_legend_handles_labels()[0]:
                axis.legend()
        bleu.set_xlabel("updates")
        with atomic(self.folder / CURVES) as temporary:
            figure.savefig(temporary, format="png", dpi=110)

    def close(self) -> None:
        """Flush and close all."""
        self.stream.close()
        if self.board is not None:
            self.board.close()
