"""Units added to the recurrences of a trained network, which begin as if they were not there.

What the trained units hear of the new ones is nothing, and a projection passes on the trained units' outputs as they
are and the new units' not at all. (Net2WiderNet, Chen et al. 2016, splits units instead, which normalisation between
them would not survive.)

Legend: G gates of a cell, H its units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.cells import Cell
from models.decoder import BlockDecoder, DecoderBlock
from models.encoder import EncoderBlock
from models.recurrent import typed
from models.seq2seq import Seq2Seq

BRIDGE = "decoder.bridge.project"
RECURRENT = "weight_hh"


class Layer(NamedTuple):
    """A block's cells and the projection of what they give, each with the name of its tensors."""

    cells: dict[str, Cell]
    project: nn.Linear
    name: str
    bridged: bool = False  # the bridge gives it, and the others of its stack, a first state

    @property
    def wanted(self) -> int:
        """How many units each cell is to have."""
        return next(iter(self.cells.values())).hidden_size

    def units(self, weights: Mapping[str, Tensor]) -> int:
        """How many units each trained cell has; none where there are no such cells."""
        path, cell = next(iter(self.cells.items()))
        return len(weights.get(f"{path}.bias", ())) // cell.gates


@torch.no_grad()
def widen(network: Seq2Seq, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Complete a trained network's weights with those of the units that its recurrences lack.

    Cells whose units have places of their own (clockwork) or are frozen (echo state) are left as they are.

    Args:
        network: a new one, whose cells may have more units than the trained one's; what is added is taken from it.
        weights: the trained one's.
    Returns:
        Weights by name, and the names of the blocks that have more units now.
    """
    wider, names = dict(weights), list[str]()
    for layer in layers(network):
        units = layer.units(weights)
        if 0 < units < layer.wanted:
            for path, cell in layer.cells.items():
                wider |= wider_cell(cell, path, weights)
            wider |= wider_projection(layer, units, weights)
            wider |= wider_bridge(units, layer.wanted, weights) if layer.bridged else {}
            names.append(layer.name)
    return wider, names


def layers(network: Seq2Seq) -> Iterator[Layer]:
    """The blocks whose cells can have more units."""
    for index, block in enumerate(typed(network.encoder.blocks, EncoderBlock)):
        name = f"encoder.blocks.{index}"
        found = block.recurrence.named_children()
        cells = {f"{name}.recurrence.{side}": cell for side, cell in found if isinstance(cell, Cell)}
        yield from layer(cells, block.project, name)
    if isinstance(network.decoder, BlockDecoder):
        blocks = typed(network.decoder.block_list, DecoderBlock)
        for index, (decoder_block, cell) in enumerate(zip(blocks, network.decoder.cells, strict=True)):
            cells = {f"decoder.cell_list.{index}": cell}
            yield from layer(cells, decoder_block.project, f"decoder.block_list.{index}", bridged=index == 0)


def layer(cells: dict[str, Cell], project: nn.Module, name: str, bridged: bool = False) -> Iterator[Layer]:
    """A block, if units can be added to it."""
    if isinstance(project, nn.Linear) and all(cell.interchangeable for cell in cells.values()):
        yield Layer(cells, project, name, bridged)


def wider_cell(cell: Cell, path: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A cell's tensors: its own, with the trained ones' where those have units."""
    pairs = ((f"{path}.{name}", name, own) for name, own in cell.named_parameters())
    return {full: wider_gates(cell, name, own, weights[full]) for full, name, own in pairs}


def wider_gates(cell: Cell, name: str, own: Tensor, trained: Tensor) -> Tensor:
    """Stacked gates [G * H, ...]."""
    own_GHX, trained_GHX = (tensor.reshape(cell.gates, -1, *tensor.shape[1:]) for tensor in (own.clone(), trained))
    units = trained_GHX.shape[1]
    if name == RECURRENT:
        own_GHX[:, :units, units:] = 0.0
        own_GHX[:, :units, :units] = trained_GHX
    else:
        own_GHX[:, :units] = trained_GHX
    return own_GHX.flatten(0, 1)


def wider_projection(layer: Layer, units: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The projection behind a block's cells; where the trained block has none, it passes on what they give."""
    width, sides = layer.project.out_features, len(layer.cells)
    path = f"{layer.name}.project"
    as_is = torch.eye(width, sides * units)
    trained = weights.get(f"{path}.weight", as_is).reshape(width, sides, units)
    wider = trained.new_zeros(width, sides, layer.project.in_features // sides)
    wider[:, :, :units] = trained
    bias = weights.get(f"{path}.bias", trained.new_zeros(width))
    return {f"{path}.weight": wider.flatten(1), f"{path}.bias": bias}


def wider_bridge(units: int, wanted: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's first state, in which new units are zero."""
    wider = {}
    for name in (f"{BRIDGE}.weight", f"{BRIDGE}.bias"):
        if name in weights:
            trained_LHX = weights[name].reshape(-1, units, *weights[name].shape[1:])
            nothing = (0, 0) * (trained_LHX.dim() - 2) + (0, wanted - units)
            wider[name] = functional.pad(trained_LHX, nothing).flatten(0, 1)
    return wider
