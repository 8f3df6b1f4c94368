"""Truncated backpropagation through time (Williams and Peng 1990; Elman 1990; Mikolov et al. 2010).

Legend: B rows, T positions, I input width, H hidden width.

In training every recurrence is read in stretches of k positions: the state goes on from one to the next, its gradient
does not. Values are those of the whole sequence, and each stretch is still one call of a fused kernel. What reaches a
position by other ways (attention, residual sums, the layers above) keeps its gradient.

Stretches do not overlap: this is TBPTT(k, k), whose gradient goes back from a position to where its stretch began,
through k steps at most and (k + 1) / 2 in the mean. The overlapping TBPTT(1, k), which Mikolov used, goes back through
k steps from every position; that costs k times the work, and no fused kernel does it. With k = 1 both are what Elman
did, whose network took its last state for just another input.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """What carries a state from position to position."""

    truncate = 0  # positions that a gradient flows through in training, at most; 0 is all

    def cut_before(self, position: int) -> bool:
        """Whether the state goes on to a position (the first is 0) without its gradient."""
        return self.training and self.truncate > 0 and position > 0 and position % self.truncate == 0

    def same_weights(self) -> contextlib.AbstractContextManager[None]:
        """Calls within compute with the same weights, also where those are drawn for every call."""
        return contextlib.nullcontext()

    def read(self, input_BTI: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Call the module, once for each stretch.

        Args:
            input_BTI: the whole sequence.
            state: a NamedTuple of tensors.
        Returns:
            What one call gives: outputs [B, T, H], and the state after the last position.
        """
        cuts = [position for position in range(1, input_BTI.shape[1]) if self.cut_before(position)]
        if not cuts:
            output_BTH, state = self(input_BTI, state)
            return output_BTH, state
        outputs = list[Tensor]()
        with self.same_weights():
            for stretch_BTI in input_BTI.tensor_split(cuts, 1):
                state = type(state)(*(part.detach() for part in state)) if outputs else state
                output_BTH, state = self(stretch_BTI, state)
                outputs.append(output_BTH)
        return torch.cat(outputs, 1), state


def truncate(network: nn.Module, positions: int) -> None:
    """Let gradients flow through at most so many positions of each recurrence in training; 0 lets them through all."""
    for module in network.modules():
        if isinstance(module, Recurrent):
            module.truncate = positions
