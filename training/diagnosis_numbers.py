"""What `mt diagnose` measures, as one tree of plain values.

Legend: B rows, T positions, H hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from data.collate import Batch, collate
from data.errors import UserError
from data.prepared import Pair
from data.tokenizer import Tokenizer
from models.bundle import specials_of
from models.cells import Cell
from models.cells.base import HIDDEN
from models.hypotheses import SearchOptions
from models.search import translate_ids
from models.seq2seq import Seq2Seq
from training.average import weights_of
from training.checkpoint import checkpoints, load
from training.export import network_of
from training.firing import firing
from training.gradient_lags import Reading, gradient_norms, lags, readings
from training.run_folder import CHECKPOINTS
from training.spectra import Spectrum, family, recurrences, spectra
from training.telemetry import METRICS, read_metrics, say

BINS = 40  # of a histogram
EDGE = 0.1  # what is closer than this to an end of a gate's range counts as saturated
LONGEST = 60  # pieces of a sentence whose attention can be read in a drawing
Tree = dict[str, Any]


class Subject(NamedTuple):
    """What is looked at."""

    run: Path
    recipe: Tree
    tokenizer: Tokenizer
    network: Seq2Seq
    update: int
    pairs: list[Pair]  # dev sentences of one direction


def measure(subject: Subject, text: str) -> Tree:
    """All numbers of a diagnosis.

    Args:
        subject: its pairs are all read.
        text: a normalised sentence, whose attention is taken.
    """
    found = readings(subject.network, batch_of(subject.tokenizer, subject.pairs))
    past = history(subject)
    return {
        "run": subject.recipe["name"],
        "update": subject.update,
        "direction": subject.pairs[0].direction,
        "sentences": len(subject.pairs),
        "recurrences": {
            name: {
                "cell": family(cell),
                "hidden": cell.hidden_size,
                "gradient": gradient_of(cell, found[name]),
                "gates": gates_of(cell, found[name]),
                "matrices": {matrix: past[f"{name} {matrix}"] for matrix in cell.matrices()},
            }
            for name, cell in recurrences(subject.network).items()
        },
        "feed_forward": firing_of(subject),
        "attention": attention_of(subject, text),
    }


def firing_of(subject: Subject) -> Tree:
    """How many units of each feed-forward part fire at all, and at which share of the positions, in the mean of all."""
    tokenizer = subject.tokenizer
    pairs = [
        (tokenizer.encode_source(pair.source, pair.target_language), [*tokenizer.encode(pair.target), tokenizer.eos_id])
        for pair in subject.pairs
    ]
    return {
        name: {
            "units": len(one.times_F),
            "firing": int((one.times_F > 0).sum()),
            "share": float(one.times_F.double().mean()) / one.positions,
        }
        for name, one in firing(subject.network, pairs, tokenizer.bos_id).items()
    }


def batch_of(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> Batch:
    """Pairs as the network reads them in training."""
    sources = [tokenizer.encode_source(pair.source, pair.target_language) for pair in pairs]
    return collate(sources, [tokenizer.encode(pair.target) for pair in pairs], tokenizer.pad_id)


def gradient_of(cell: Cell, reading: Reading) -> Tree:
    """Gradient norms by lag, and their mean factor from a lag to the next."""
    found = lags(gradient_norms(cell, reading))
    return {"factor": found.factor, **found._asdict()}


def gates_of(cell: Cell, reading: Reading) -> Tree:
    """How open each gate is at the positions that are no padding."""
    read_BT = torch.arange(reading.input_BTI.shape[1]) < reading.length_B[:, None]
    found = cell.gate_activations(reading.input_BTI, reading.state)
    return {name: spread(value_BTH[read_BT], -1.0 if name == HIDDEN else 0.0) for name, value_BTH in found.items()}


def spread(value_X: Tensor, lowest: float) -> Tree:
    """A histogram of values from `lowest` to 1, their mean, and the shares that are saturated."""
    counts, edges = torch.histogram(value_X.flatten(), BINS, range=(lowest, 1.0))
    return {
        "mean": float(value_X.mean()),
        "low": float((value_X < lowest + EDGE).float().mean()),
        "high": float((value_X > 1.0 - EDGE).float().mean()),
        "edges": edges.tolist(),
        "counts": counts.int().tolist(),
    }


def history(subject: Subject) -> dict[str, list[Tree]]:
    """Sizes of each recurrent matrix, update by update: recorded in training, and of the checkpoints that are there."""
    found: dict[str, dict[int, Tree]] = {name: {} for name in spectra(subject.network)}
    for record in read_metrics(subject.run / METRICS):
        if record["kind"] in Spectrum._fields:
            for name in found.keys() & record.keys():
                found[name].setdefault(record["update"], {})[record["kind"]] = record[name]
    for path in checkpoints(subject.run / CHECKPOINTS):
        try:
            checkpoint = load(path)
        except UserError as error:
            say(f"{error}; going on without it")
            continue
        network = network_of(subject.recipe, weights_of(checkpoint), len(subject.tokenizer))
        for name, one in spectra(network).items():
            found[name][checkpoint.state["update"]] = one._asdict()
    return {
        name: [
            {"update": update, **sizes}
            for update, sizes in sorted(points.items())
            if len(sizes) == len(Spectrum._fields)
        ]
        for name, points in found.items()
    }


def attention_of(subject: Subject, text: str) -> Tree | None:
    """Weights of greedy search, a row for each target piece; None where the network looks at no position."""
    network, tokenizer = subject.network, subject.tokenizer
    source = tokenizer.encode_source(text, subject.pairs[0].target_language)
    options = SearchOptions(beam=1, max_length=LONGEST, alignments=True)
    best = translate_ids(network, [source], options, specials_of(tokenizer))[0][0]
    weights = [list(row) for row in best.alignment or ()]
    if not any(map(any, weights)):
        return None
    ids = [*best.tokens, *([tokenizer.eos_id] if best.complete else [])]
    return {
        "source": tokenizer.pieces(source),
        "target": tokenizer.pieces(ids),
        "translation": tokenizer.decode(best.tokens),
        "complete": best.complete,
        "weights": weights,
    }
