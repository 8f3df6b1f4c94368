"""Blocks added to a trained network, which begin as if they were not there (Net2DeeperNet, Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention import NoAttention
from models.cells import Cell
from models.decoder import BlockDecoder, DecoderBlock
from models.encoder import EncoderBlock
from models.recurrent import FeedForward, typed
from models.seq2seq import Seq2Seq, kept_tensors

BRIDGE = ("decoder.bridge.project.weight", "decoder.bridge.project.bias")
QUIET = 0.01  # of the usual input weights; with none at all rectified units would never have a gradient


class Addition(NamedTuple):
    """A part whose output is added to what runs between the blocks."""

    prefixes: tuple[str, ...]  # of its tensors' names
    weights: tuple[Tensor, ...]  # without which it adds nothing
    quiet: float  # what they are multiplied by, to begin with


@torch.no_grad()
def grow(network: Seq2Seq, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Complete a trained network's weights with those of the blocks, attentions and feed-forward parts that it lacks.

    These begin by adding nothing to the stream or, where no projection follows a recurrence, a hundredth.

    Args:
        network: a new one, which may be deeper than the trained one; what is added is taken from it.
        weights: the trained one's.
    Returns:
        Weights by name, and the names of what was added.
    """
    new = [part for part in additions(network) if not any(name.startswith(part.prefixes) for name in weights)]
    for part in new:
        for weight in part.weights:
            weight.mul_(part.quiet)
    prefixes = tuple(prefix for part in new for prefix in part.prefixes)
    tensors = kept_tensors(network)
    added = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
    return {**weights, **longer_bridge(tensors, weights), **added}, outermost([part.prefixes[0] for part in new])


def additions(network: Seq2Seq) -> Iterator[Addition]:
    """The parts that can be added later."""
    for path, module in network.named_modules():
        if isinstance(module, FeedForward):
            yield Addition((f"{path}.",), (module.contract.weight,), 0.0)
    if network.config.encoder.residual:
        for index, block in enumerate(typed(network.encoder.blocks, EncoderBlock)):
            cells = [cell for cell in block.recurrence.modules() if isinstance(cell, Cell)]
            yield from recurrence(block, cells, f"encoder.blocks.{index}.")
    if isinstance(network.decoder, BlockDecoder):
        for index, attention in enumerate(network.decoder.attentions):
            names = (f"decoder.attention_list.{index}.", f"decoder.block_list.{index}.attention_norm.")
            if not isinstance(attention, NoAttention):
                yield Addition(names, (attention.output.weight,), 0.0)
        blocks = typed(network.decoder.block_list, DecoderBlock)
        for index, (decoder_block, cell) in enumerate(zip(blocks, network.decoder.cells, strict=True)):
            names = (f"decoder.block_list.{index}.", f"decoder.cell_list.{index}.")
            yield from recurrence(decoder_block, [cell], *names)


def recurrence(block: EncoderBlock | DecoderBlock, cells: list[Cell], *prefixes: str) -> Iterator[Addition]:
    """A block with its recurrences, unless what it adds is frozen."""
    if isinstance(block.project, nn.Linear):
        yield Addition(prefixes, (block.project.weight,), 0.0)
    elif all(isinstance(cell.weight_ih, nn.Parameter) for cell in cells):
        yield Addition(prefixes, tuple(cell.weight_ih for cell in cells), QUIET)


def outermost(prefixes: Sequence[str]) -> list[str]:
    """The modules that prefixes stand for, without those that are within another."""
    others = {one: tuple(other for other in prefixes if other != one) for one in prefixes}
    return sorted(one.rstrip(".") for one in prefixes if not one.startswith(others[one]))


def longer_bridge(tensors: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The bridge with rows for the cells that the trained network lacks: zeros, so that these start from zero."""
    found = {}
    for name in BRIDGE:
        if name in weights and name in tensors and len(weights[name]) < len(tensors[name]):
            found[name] = with_zeros(weights[name], len(tensors[name]) - len(weights[name]))
    return found


def with_zeros(rows: Tensor, missing: int) -> Tensor:
    """A tensor [N, ...] with so many rows of zeros behind its own."""
    return functional.pad(rows, (0, 0) * (rows.dim() - 1) + (0, missing))
