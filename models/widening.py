"""Units added to the recurrences of a trained network, which begin as if they were not there.

What the trained units hear of the new ones is nothing, and a projection passes on the trained units' outputs as they
are and the new units' not at all. (Net2WiderNet, Chen et al. 2016, splits units instead, which normalisation between
them would not survive.)

Legend: K gates of a cell, H its units, D the network's width, E what one row reads, L cells
of the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.cells import Cell
from models.decoder import BlockDecoder, DecoderBlock
from models.encoder import EncoderBlock
from models.growth import BRIDGE, with_zeros
from models.recurrent import typed
from models.seq2seq import Seq2Seq

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
        """How many units each trained cell has; none where there is no such block."""
        path, cell = next(iter(self.cells.items()))
        return len(weights.get(f"{path}.bias", ())) // cell.gates

    def fits(self, units: int, weights: Mapping[str, Tensor]) -> bool:
        """Whether the trained block is this one with so many units."""
        width = self.project.out_features
        project = weights.get(f"{self.name}.project.weight")
        shape = (width, len(self.cells) * units)
        return (shape[0] == shape[1] if project is None else project.shape == shape) and all(
            f"{path}.{name}" in weights and weights[f"{path}.{name}"].shape == trained_shape(cell, name, own, units)
            for path, cell in self.cells.items()
            for name, own in cell.named_parameters()
        )


def trained_shape(cell: Cell, name: str, own: Tensor, units: int) -> tuple[int, ...]:
    """The shape of a cell's tensor, if it had so many units."""
    return cell.gates * units, *((units,) if name == RECURRENT else own.shape[1:])


@torch.no_grad()
def widen(network: Seq2Seq, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Complete a trained network's weights with those of the units that its recurrences lack.

    Cells whose units have places of their own (clockwork) or are frozen (echo state) are left as they are, and so are
    those that differ in more than their units.

    Args:
        network: a new one, whose cells may have more units than the trained one's; what is added is taken from it.
        weights: the trained one's.
    Returns:
        Weights by name, and the names of the blocks that have more units now.
    """
    wider, names = dict(weights), list[str]()
    for layer in layers(network):
        units = layer.units(weights)
        if 0 < units < layer.wanted and layer.fits(units, weights):
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
        yield from layer_of(cells, block.project, name)
    if isinstance(network.decoder, BlockDecoder):
        blocks = typed(network.decoder.block_list, DecoderBlock)
        for index, (decoder_block, cell) in enumerate(zip(blocks, network.decoder.cells, strict=True)):
            cells = {f"decoder.cell_list.{index}": cell}
            yield from layer_of(cells, decoder_block.project, f"decoder.block_list.{index}", bridged=index == 0)


def layer_of(cells: dict[str, Cell], project: nn.Module, name: str, bridged: bool = False) -> Iterator[Layer]:
    """A block, if units can be added to it."""
    if isinstance(project, nn.Linear) and all(cell.interchangeable for cell in cells.values()):
        yield Layer(cells, project, name, bridged)


def wider_cell(cell: Cell, path: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A cell's tensors: its own, with the trained ones' where those have units."""
    pairs = ((f"{path}.{name}", name, own) for name, own in cell.named_parameters())
    return {full: wider_gates(cell, name, own, weights[full]) for full, name, own in pairs}


def wider_gates(cell: Cell, name: str, own: Tensor, trained: Tensor) -> Tensor:
    """Stacked gates [K * H, E], or biases [K * H]."""
    own_KHE, trained_KHE = (tensor.reshape(cell.gates, -1, *tensor.shape[1:]) for tensor in (own.clone(), trained))
    units = trained_KHE.shape[1]
    if name == RECURRENT:
        own_KHE[:, :units, units:] = 0.0
        own_KHE[:, :units, :units] = trained_KHE
    else:
        own_KHE[:, :units] = trained_KHE
    return own_KHE.flatten(0, 1)


def wider_projection(layer: Layer, units: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The projection [D, sides * H] behind a block's cells; where the trained block has none, it passes all on."""
    width, sides = layer.project.out_features, len(layer.cells)
    path = f"{layer.name}.project"
    trained = weights.get(f"{path}.weight", torch.eye(width)).reshape(width, sides, units)
    wider = trained.new_zeros(width, sides, layer.wanted)
    wider[:, :, :units] = trained
    bias = weights.get(f"{path}.bias", trained.new_zeros(width))
    return {f"{path}.weight": wider.flatten(1), f"{path}.bias": bias}


def wider_bridge(units: int, wanted: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The projection [L * H, E] to the decoder's first state, in which new units are zero, and its bias [L * H]."""
    parts = {name: weights[name].chunk(len(weights[name]) // units) for name in BRIDGE if name in weights}
    return {name: torch.cat([with_zeros(part, wanted - units) for part in some]) for name, some in parts.items()}
