"""Where a run's weights start: fresh, or where another run or a bundle ended (fine-tuning)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from data.config import check
from data.files import sha256
from data.prepared import MODEL, Prepared
from data.tokenizer import Tokenizer
from models.bundle import CONFIG, TOKENIZER, read_bundle
from models.cells.base import RecurrentCell
from models.growth import grow
from models.pruning import shrink
from models.seq2seq import Seq2Seq, kept_tensors
from models.vocabulary import with_vocabulary
from models.widening import widen
from training.average import choose_weights, mean
from training.config import Recipe
from training.recipe_files import RECIPE
from training.run_folder import prepared_folder


class Start(NamedTuple):
    """What a run takes over."""

    origin: Path
    vocabulary: Path  # a tokenizer's file
    weights: dict[str, Tensor]


def load_start(place: Path, home: Path, field: str = "'start_from'") -> Start:
    """Read a bundle, or a run with its best checkpoint.

    Args:
        place: a folder, or the name of a run in `home/runs`.
        home: where runs are kept.
        field: what named the place.
    Raises:
        UserError: when there is neither, or it is damaged.
    """
    is_one = any((place / name).is_file() for name in (CONFIG, RECIPE))
    folder = place if is_one else home / "runs" / place
    if (folder / CONFIG).is_file():
        network = read_bundle(folder).network()
        return Start(folder, folder / TOKENIZER, kept_tensors(network))
    check(
        (folder / RECIPE).is_file(),
        f"{field}: {place} is neither a bundle nor a run, nor is there a run of that name in {home / 'runs'}",
    )
    weights, _ = choose_weights(folder, "best", 1)
    return Start(folder, prepared_folder(folder) / MODEL, weights)


def mean_start(starts: Sequence[Start]) -> Start:
    """The mean of several runs' weights, which works as well as each of them where they began with the same ones.

    Wortsman et al. 2022 (model soups) has why; runs that were drawn from different seeds have nothing in common.

    Raises:
        UserError: when their vocabularies or tensors differ.
    """
    first, *others = starts
    for other in others:
        check_alike("'start_from'", first, other)
    return first._replace(weights=mean([start.weights for start in starts])) if others else first


def check_alike(field: str, first: Start, other: Start) -> None:
    """Refuse a mean of weights that are not those of one network with one vocabulary."""
    check(
        sha256(other.vocabulary) == sha256(first.vocabulary) and shapes(other.weights) == shapes(first.weights),
        f"{field}: {first.origin} and {other.origin} have no mean, since their vocabularies or networks "
        f"differ: let them start from the same run",
    )


def first_network(recipe: Recipe, prepared: Prepared, start: Start | None, device: torch.device) -> tuple[Seq2Seq, str]:
    """A recipe's network before any training: drawn from the recipe's seed, or with a start's weights.

    Returns:
        The network, and a sentence on what its start lacked, to be said when its training begins; or nothing.
    Raises:
        UserError: when the start is of another network.
    """
    torch.manual_seed(recipe.seed)
    model = dataclasses.replace(recipe.model, vocabulary_size=len(prepared.tokenizer))
    network = Seq2Seq(model).to(device)
    refuse_idle(network)
    if start is None:
        return network, ""
    if recipe.start_vocabulary == "own":
        weights = with_vocabulary(start.weights, Tokenizer.load(start.vocabulary), prepared.tokenizer)
        start = start._replace(weights=weights)
    return network, take_over(network, start)


def refuse_idle(network: Seq2Seq) -> None:
    """Refuse settings that a network has no use for; bundles that were trained with some stay readable.

    Raises:
        UserError: naming them.
    """
    start, decoder = network.config.recurrent_start, network.config.decoder
    learns = any(isinstance(cell, RecurrentCell) for cell in network.modules())
    message = f"'recurrent_start' {start} needs a cell that learns hidden-to-hidden weights: set it to auto"
    check(learns or start == "auto", message)
    of_blocks = bool(decoder.feed_forward) or decoder.attention_blocks == "all"
    message = f"'feed_forward' and 'attention_blocks' all need 'arrangement' blocks, but it is {decoder.arrangement}"
    check(decoder.arrangement == "blocks" or not of_blocks, message)


@torch.no_grad()
def take_over(network: Seq2Seq, start: Start) -> str:
    """Copy a start's weights into a network and tell what differs.

    It may have more parts (models.growth), more units in its cells (models.widening) and fewer feed-forward units
    (models.pruning).

    Raises:
        UserError: naming the first tensors that are missing, superfluous or of another shape.
    """
    fewer, cut = shrink(network, start.weights)
    wider, widened = widen(network, fewer)
    weights, added = grow(network, wider)
    tensors = kept_tensors(network)
    mine, theirs = shapes(tensors), shapes(weights)
    differing = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    listed = ", ".join(f"{name} {theirs.get(name, '-')} there, {mine.get(name, '-')} here" for name in differing[:3])
    message = (
        f"'start_from': {start.origin} is another network than [model]: {listed}; where 'start_from' is a folder and "
    )
    check(not differing, f"{message}nothing stands in [model], its network is taken over")
    for name, part in tensors.items():
        part.copy_(weights[name])
    told = {
        f"not in {start.origin}, so begin by adding nothing": added,
        f"have more units than in {start.origin}, which begin by adding nothing": widened,
        f"have fewer units than in {start.origin}, those with the longest weights": cut,
    }
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in told.items() if names)


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each of some tensors."""
    return {name: tuple(part.shape) for name, part in tensors.items()}
