"""What every cell is: a sequence in, a sequence and the last state out.

Legend: B rows, T positions, I input width, H hidden width, G stacked gates (a multiple of H).

Every cell has one `forward` for any number of positions. One position is a step (search), many are teacher
forcing; both compute the same function, which tests check.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.errors import UserError
from models.config import CellSettings
from models.dropout import dropout
from models.initialize import STARTS, glorot_gates, orthogonal_gates
from models.truncation import Recurrent


class HiddenState(NamedTuple):
    """All that most cells carry on: the vector after the last position read."""

    hidden_BH: Tensor


DEFAULTS = CellSettings()
CANDIDATE, HIDDEN = "candidate", "hidden"  # names of what is no gate
CellState: TypeAlias = Any  # a NamedTuple of tensors [B, H], the hidden one first; each cell has its own


class Cell(Recurrent):
    """A recurrence over what stands at each position.

    Args:
        input_size: I.
        hidden_size: H.
        settings: what a recipe says of cells; each takes what concerns it.
    """

    gates: int  # H-wide products with the input
    interchangeable: ClassVar[bool] = False  # units: others behind them change nothing for those that are there
    gate_names: ClassVar[tuple[str, ...]] = ()  # of those products, for whoever looks into the cell; may be left out

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

    def gate_activations(self, input_BTI: Tensor, state: Any) -> dict[str, Tensor]:
        """How far each named gate is open at T positions, [B, T, H] from 0 to 1; nothing where no gate has a name.

        Meant for evaluation mode, where no weight is dropped. Cells without gates may give their HIDDEN units, from -1
        to 1.
        """
        if not self.gate_names:
            return {}
        blocks = self.gate_sums(input_BTI, state).chunk(self.gates, -1)
        named = zip(self.gate_names, blocks, strict=True)
        return {name: torch.sigmoid(block_BTH) for name, block_BTH in named if name != CANDIDATE}

    def gate_sums(self, input_BTI: Tensor, _state: Any) -> Tensor:
        """What gates are sigmoids of, [B, T, G]."""
        return functional.linear(input_BTI, self.weight_ih, self.bias)

    def matrices(self) -> dict[str, Tensor]:
        """The square matrices [H, H] through which the state passes from a position to the next, by name."""
        return {}

    def verify(self, origin: object) -> None:
        """Raise UserError, naming where the weights come from, if they cannot be this cell's whatever their shapes."""


class RecurrentCell(Cell):
    """A cell whose gates see the hidden vector through a matrix.

    Of `settings` it takes `drop_connect`: the rate at which hidden-to-hidden weights are dropped, one mask per sequence
    call (Merity et al. 2018), which leaves the fused sequence kernels usable.
    """

    interchangeable = True
    held: tuple[Tensor, ...] = ()  # the weights that several calls share, while they do

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
        return self.held[0] if self.held else dropout(self.weight_hh, self.settings.drop_connect, self.training)

    def gate_sums(self, input_BTI: Tensor, state: Any) -> Tensor:
        """As in Cell, with the products of the hidden vectors that the positions start from."""
        output_BTH, _ = self(input_BTI, state)
        before_BTH = torch.cat([state.hidden_BH[:, None], output_BTH[:, :-1]], 1)
        return super().gate_sums(input_BTI, state) + functional.linear(before_BTH, self.weight_hh)

    def matrices(self) -> dict[str, Tensor]:
        """As in Cell: a block for each product; one alone is called hidden, others without a name are numbered."""
        numbers = [HIDDEN] if self.gates == 1 else list(map(str, range(1, self.gates + 1)))
        return dict(zip(self.gate_names or numbers, self.weight_hh.detach().chunk(self.gates), strict=True))

    @contextlib.contextmanager
    def same_weights(self) -> Iterator[None]:
        """Calls within share one mask of DropConnect."""
        self.held = (self.recurrent_weight(),)
        try:
            yield
        finally:
            self.held = ()


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
