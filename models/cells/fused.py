"""Cells that torch has fused sequence kernels for.

Legend: B rows, T positions, I input width, H hidden width.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from models.cells.base import CANDIDATE, DEFAULTS, HIDDEN, HiddenState, RecurrentCell, register
from models.config import CellSettings
from models.native import gated

# On a GPU, cuDNN puts a sequence's weights side by side at every call, which costs little beside the sequence itself.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk of memory", UserWarning)


class LSTMState(NamedTuple):
    """Hidden and cell vectors after the last position read."""

    hidden_BH: Tensor
    cell_BH: Tensor


@register("lstm")
class LSTM(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates (Gers et al. 2000).

    Gates are stacked as input, forget, candidate, output, as torch does.
    """

    gates = 4
    gate_names = ("input", "forget", CANDIDATE, "output")

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, settings)
        with torch.no_grad():
            self.bias[hidden_size : 2 * hidden_size] = 1.0

    def initial(self, hidden_BH: Tensor) -> LSTMState:
        """The given hidden vector beside an empty cell."""
        return LSTMState(hidden_BH, torch.zeros_like(hidden_BH))

    def forward(self, input_BTI: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Shapes as in Cell.forward."""
        weights = [self.weight_ih, self.recurrent_weight(), self.bias, torch.zeros_like(self.bias)]
        if input_BTI.shape[1] == 1:
            hidden_BH, cell_BH = torch.lstm_cell(input_BTI[:, 0], state, *weights)
            return hidden_BH[:, None], LSTMState(hidden_BH, cell_BH)
        if gated.fits(input_BTI, self.hidden_size):
            output_BTH, hidden_BH, cell_BH = gated.read_lstm(input_BTI, *state, *weights[:3])
            return output_BTH, LSTMState(hidden_BH, cell_BH)
        initial = (state.hidden_BH[None], state.cell_BH[None])
        output_BTH, hidden_1BH, cell_1BH = torch.lstm(
            input_BTI, initial, weights, True, 1, 0.0, self.training, False, True
        )
        return output_BTH, LSTMState(hidden_1BH[0], cell_1BH[0])


class FusedCell(RecurrentCell):
    """A cell of one state vector: torch's kernels for a sequence and for a step have the same signatures."""

    sequence: ClassVar[Callable[..., Any]]
    one_step: ClassVar[Callable[..., Any]]

    def biases(self) -> tuple[Tensor, Tensor]:
        """Of the input's and of the hidden vector's product."""
        return self.bias, torch.zeros_like(self.bias)

    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Shapes as in Cell.forward."""
        weights = [self.weight_ih, self.recurrent_weight(), *self.biases()]
        if input_BTI.shape[1] == 1:
            hidden_BH = type(self).one_step(input_BTI[:, 0], state.hidden_BH, *weights)
            return hidden_BH[:, None], HiddenState(hidden_BH)
        output_BTH, hidden_1BH = type(self).sequence(
            input_BTI, state.hidden_BH[None], weights, True, 1, 0.0, self.training, False, True
        )
        return output_BTH, HiddenState(hidden_1BH[0])


@register("gru")
class GRU(FusedCell):
    """Gated recurrent unit in torch's form: the reset gate acts after the hidden-to-hidden product.

    Cho et al. (2014) apply it before (`gru_cho`); this form is the one fused kernels compute. Gates are stacked as
    reset, update, candidate. The candidate's hidden bias is a parameter of its own, since the reset gate scales it.
    """

    gates = 3
    gate_names = ("reset", "update", CANDIDATE)
    sequence, one_step = torch.gru, torch.gru_cell

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, settings)
        self.bias_hh = nn.Parameter(torch.zeros(self.gates * hidden_size))

    def biases(self) -> tuple[Tensor, Tensor]:
        """Both are learned."""
        return self.bias, self.bias_hh

    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Shapes as in Cell.forward."""
        if input_BTI.shape[1] == 1 or not gated.fits(input_BTI, self.hidden_size):
            return super().forward(input_BTI, state)
        weights = self.weight_ih, self.recurrent_weight(), *self.biases()
        output_BTH, hidden_BH = gated.read_gru(input_BTI, state.hidden_BH, *weights)
        return output_BTH, HiddenState(hidden_BH)

    def gate_sums(self, input_BTI: Tensor, state: HiddenState) -> Tensor:
        """As in RecurrentCell, with both biases."""
        return super().gate_sums(input_BTI, state) + self.bias_hh


@register("srn")
class SRN(FusedCell):
    """Simple recurrent network (Elman 1990): h = tanh(W x + U h + b)."""

    gates = 1
    sequence, one_step = torch.rnn_tanh, torch.rnn_tanh_cell

    def gate_activations(self, input_BTI: Tensor, state: HiddenState) -> dict[str, Tensor]:
        """The hidden units; it has no gates."""
        return {HIDDEN: self(input_BTI, state)[0]}


@register("srn_relu")
class ReLUSRN(FusedCell):
    """Simple recurrent network with rectified units, whose recurrent matrix starts as the identity (Le et al. 2015)."""

    gates = 1
    sequence, one_step = torch.rnn_relu, torch.rnn_relu_cell

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, settings)
        with torch.no_grad():
            nn.init.eye_(self.weight_hh)
