"""What every cell is: a sequence in, a sequence and the last state out.

Legend: B rows, T positions, I input width, H hidden width, G stacked gates (a multiple of H).

Every cell has one `forward` for any number of positions. One position is a step (search), many are teacher
forcing; both compute the same function, which tests check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from data.errors import UserError
from models.config import CellSettings
from models.dropout import dropout
from models.initialize import STARTS, glorot_gates, orthogonal_gates


class HiddenState(NamedTuple):
    """All that most cells carry on: the vector after the last position read."""

    hidden_BH: Tensor


DEFAULTS = CellSettings()
CellState: TypeAlias = Any  # a NamedTuple of tensors [B, H], the hidden one first; each cell has its own


class Cell(nn.Module):
    """A recurrence over what stands at each position.

    Args:
        input_size: I.
        hidden_size: H.
        settings: what a recipe says of cells; each takes what concerns it.
    """

    gates: int  # H-wide products with the input

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.settings = input_size, hidden_size, settings
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden_size, input_size))
        self.bias = nn.Parameter(torch.zeros(self.gates * hidden_size))
        with torch.no_grad():
            glorot_gates(self.weight_ih, self.gates)

    def initial(self, hidden_BH: Tensor) -> CellState:
        """A first state whose hidden vector is given."""
        return HiddenState(hidden_BH)

    def forward(self, input_BTI: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read T positions; return the hidden vectors [B, T, H] and the state after the last one."""
        raise NotImplementedError


class RecurrentCell(Cell):
    """A cell whose gates see the hidden vector through a matrix.

    Of `settings` it takes `drop_connect`: the rate at which hidden-to-hidden weights are dropped, one mask per sequence
    call (Merity et al. 2018), which leaves the fused sequence kernels usable.
    """

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        super().__init__(input_size, hidden_size, settings)
        self.weight_hh = nn.Parameter(torch.empty(self.gates * hidden_size, hidden_size))
        with torch.no_grad():
            orthogonal_gates(self.weight_hh)

    @torch.no_grad()
    def restart(self, start: str) -> None:
        """Initialise each square block of the hidden-to-hidden weights by one of models.initialize.STARTS."""
        for block_HH in self.weight_hh.chunk(self.gates):
            STARTS[start](block_HH)

    def recurrent_weight(self) -> Tensor:
        """The hidden-to-hidden weights, with DropConnect in training."""
        return dropout(self.weight_hh, self.settings.drop_connect, self.training)


C = TypeVar("C", bound=type[Cell])
CELLS: dict[str, type[Cell]] = {}


def register(name: str) -> Callable[[C], C]:
    """Make a cell available to recipes under a name."""

    def add(cell: C) -> C:
        CELLS[name] = cell
        return cell

    return add


def make_cell(name: str, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> Cell:
    """A cell by its registered name.

    Raises:
        UserError: for an unknown name, listing those there are; or for DropConnect where there is nothing to drop.
    """
    if name not in CELLS:
        raise UserError(f"unknown cell '{name}'; valid cells are: {', '.join(sorted(CELLS))}")
    kind = CELLS[name]
    if settings.drop_connect and not issubclass(kind, RecurrentCell):
        raise UserError(f"cell '{name}' learns no hidden-to-hidden weights: set 'dropout.recurrent' to 0")
    return kind(input_size, hidden_size, settings)
