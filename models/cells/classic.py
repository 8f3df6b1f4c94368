"""Cells that no fused kernel computes: a loop over positions.

Legend: B rows, T positions, I input width, H hidden width, G stacked gates.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.cells.base import CANDIDATE, HiddenState, RecurrentCell, register


@register("gru_cho")
class ChoGRU(RecurrentCell):
    """Gated recurrent unit as Cho et al. (2014) wrote it: the reset gate acts before the hidden-to-hidden product.

    Gates are stacked as reset, update, candidate: h' = z h + (1 - z) tanh(W x + U (r h) + b).
    """

    gates = 3
    gate_names = ("reset", "update", CANDIDATE)

    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Shapes as in Cell.forward."""
        gates_TBG = functional.linear(input_BTI, self.weight_ih, self.bias).transpose(0, 1)
        sizes = [2 * self.hidden_size, self.hidden_size]
        both, candidate = torch.split(self.recurrent_weight(), sizes)
        hidden_BH, outputs = state.hidden_BH, list[Tensor]()
        for gates_BG in gates_TBG:
            seen, proposed_BH = torch.split(gates_BG, sizes, -1)
            reset_BH, update_BH = torch.sigmoid(seen + functional.linear(hidden_BH, both)).chunk(2, -1)
            proposed_BH = torch.tanh(proposed_BH + functional.linear(reset_BH * hidden_BH, candidate))
            hidden_BH = torch.lerp(proposed_BH, hidden_BH.to(proposed_BH.dtype), update_BH)
            outputs.append(hidden_BH)
        return torch.stack(outputs, 1), HiddenState(hidden_BH)
