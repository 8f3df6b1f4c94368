"""Recurrent cells: a sequence in, a sequence and the last state out.

Legend: B rows, T positions, I input width, H hidden width, G stacked gates (3 or 4 times H).

Every cell has one `forward` for any number of positions. One position is a step (search), many are teacher
forcing; both compute the same function, which tests check. A new cell is a class and one line of `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from data.errors import UserError
from models.dropout import dropout
from models.initialize import glorot_gates, orthogonal_gates


class LSTMState(NamedTuple):
    """Hidden and cell vectors after the last position read."""

    hidden_BH: Tensor
    cell_BH: Tensor


class GRUState(NamedTuple):
    """The hidden vector after the last position read."""

    hidden_BH: Tensor


CellState: TypeAlias = LSTMState | GRUState


class Cell(nn.Module):
    """A recurrence with gates stacked in two weight matrices and one bias.

    Args:
        input_size: I.
        hidden_size: H.
        drop_connect: rate at which hidden-to-hidden weights are dropped, one mask per sequence call
            (Merity et al. 2018), which leaves the fused sequence kernels usable.
    """

    gates: int

    def __init__(self, input_size: int, hidden_size: int, drop_connect: float = 0.0) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.drop_connect = input_size, hidden_size, drop_connect
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(self.gates * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(self.gates * hidden_size))
        with torch.no_grad():
            glorot_gates(self.weight_ih, self.gates)
            orthogonal_gates(self.weight_hh)

    def recurrent_weight(self) -> Tensor:
        """The hidden-to-hidden weights, with DropConnect in training."""
        return dropout(self.weight_hh, self.drop_connect, self.training)

    def initial(self, hidden_BH: Tensor) -> CellState:
        """A first state whose hidden vector is given."""
        raise NotImplementedError

    def forward(self, input_BTI: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read T positions; return the hidden vectors [B, T, H] and the state after the last one."""
        raise NotImplementedError


C = TypeVar("C", bound=type[Cell])
CELLS: dict[str, type[Cell]] = {}


def register(name: str) -> Callable[[C], C]:
    """Make a cell available to recipes under a name."""

    def add(cell: C) -> C:
        CELLS[name] = cell
        return cell

    return add


def make_cell(name: str, input_size: int, hidden_size: int, drop_connect: float = 0.0) -> Cell:
    """A cell by its registered name; UserError lists the names there are."""
    if name not in CELLS:
        raise UserError(f"unknown cell '{name}'; valid cells are: {', '.join(sorted(CELLS))}")
    return CELLS[name](input_size, hidden_size, drop_connect)


@register("lstm")
class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates (Gers et al. 2000).

    Gates are stacked as input, forget, candidate, output, as torch does.
    """

    gates = 4

    def __init__(self, input_size: int, hidden_size: int, drop_connect: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, drop_connect)
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
        initial = (state.hidden_BH[None], state.cell_BH[None])
        output_BTH, hidden_1BH, cell_1BH = torch.lstm(
            input_BTI, initial, weights, True, 1, 0.0, self.training, False, True
        )
        return output_BTH, LSTMState(hidden_1BH[0], cell_1BH[0])


@register("gru")
class GRU(Cell):
    """Gated recurrent unit in torch's form: the reset gate acts after the hidden-to-hidden product.

    Cho et al. (2014) apply it before; this form is the one fused kernels compute. The candidate's hidden bias
    is a parameter of its own, since the reset gate scales it.
    """

    gates = 3

    def __init__(self, input_size: int, hidden_size: int, drop_connect: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, drop_connect)
        self.bias_hh = nn.Parameter(torch.zeros(self.gates * hidden_size))

    def initial(self, hidden_BH: Tensor) -> GRUState:
        """The given hidden vector."""
        return GRUState(hidden_BH)

    def forward(self, input_BTI: Tensor, state: GRUState) -> tuple[Tensor, GRUState]:
        """Shapes as in Cell.forward."""
        weights = [self.weight_ih, self.recurrent_weight(), self.bias, self.bias_hh]
        if input_BTI.shape[1] == 1:
            hidden_BH = torch.gru_cell(input_BTI[:, 0], state.hidden_BH, *weights)
            return hidden_BH[:, None], GRUState(hidden_BH)
        output_BTH, hidden_1BH = torch.gru(
            input_BTI, state.hidden_BH[None], weights, True, 1, 0.0, self.training, False, True
        )
        return output_BTH, GRUState(hidden_1BH[0])
