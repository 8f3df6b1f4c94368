"""Cells whose gates see the input alone: the recurrence is elementwise, and a scan computes all positions at once.

Legend: B rows, T positions, I input width, H hidden width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.cells.base import CANDIDATE, Cell, HiddenState, register


def scan(decay_BTH: Tensor, input_BTH: Tensor, first_BH: Tensor) -> Tensor:
    """h[t] = decay[t] h[t - 1] + input[t], for all t, in about log2 T rounds (Hillis and Steele 1986).

    Each round joins the stretch that ends at a position with the one before it, twice as long every time. Decays from
    0 to 1 keep it stable.

    Returns:
        h [B, T, H], in float32 at least.
    """
    decay_BTH, value_BTH = decay_BTH.to(at_least_float32(decay_BTH)), input_BTH.to(at_least_float32(input_BTH))
    value_BTH = torch.cat([value_BTH[:, :1] + decay_BTH[:, :1] * first_BH[:, None], value_BTH[:, 1:]], 1)
    length, positions = 1, value_BTH.shape[1]
    while length < positions:
        before_BTH = functional.pad(value_BTH[:, :-length], (0, 0, length, 0))
        value_BTH = value_BTH + decay_BTH * before_BTH
        decay_BTH = decay_BTH * functional.pad(decay_BTH[:, :-length], (0, 0, length, 0), value=1.0)
        length *= 2
    return value_BTH


def at_least_float32(tensor: Tensor) -> torch.dtype:
    """The type to add up in."""
    return torch.promote_types(tensor.dtype, torch.float32)


@register("ssru")
class SSRU(Cell):
    """Simpler simple recurrent unit (Kim et al. 2019): c' = f c + (1 - f) W x, output relu(c')."""

    gates = 2
    interchangeable = True
    gate_names = ("forget", CANDIDATE)

    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Shapes as in Cell.forward; the state is c."""
        forget_BTH, value_BTH = functional.linear(input_BTI, self.weight_ih, self.bias).chunk(2, -1)
        forget_BTH = torch.sigmoid(forget_BTH)
        cell_BTH = scan(forget_BTH, (1 - forget_BTH) * value_BTH, state.hidden_BH)
        return torch.relu(cell_BTH).to(input_BTI.dtype), HiddenState(cell_BTH[:, -1])


@register("mingru")
class MinGRU(Cell):
    """Minimal gated recurrent unit (Feng et al. 2024): h' = (1 - z) h + z (W x + b), z from the input alone."""

    gates = 2
    interchangeable = True
    gate_names = ("update", CANDIDATE)

    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Shapes as in Cell.forward."""
        update_BTH, value_BTH = functional.linear(input_BTI, self.weight_ih, self.bias).chunk(2, -1)
        update_BTH = torch.sigmoid(update_BTH)
        hidden_BTH = scan(1 - update_BTH, update_BTH * value_BTH, state.hidden_BH)
        return hidden_BTH.to(input_BTI.dtype), HiddenState(hidden_BTH[:, -1])
