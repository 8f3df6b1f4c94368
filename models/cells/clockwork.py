"""Clockwork recurrent network (Koutnik et al. 2014): modules of units that tick at their own periods.

Legend: B rows, T positions, I input width, H hidden width, M units of a module.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from data.config import check
from models.cells.base import DEFAULTS, RecurrentCell, register
from models.config import CellSettings
from models.initialize import STARTS


class ClockworkState(NamedTuple):
    """The hidden vector after the last position read, and how many positions each row has read."""

    hidden_BH: Tensor
    time_B: Tensor


class Due(NamedTuple):
    """When a module ticks: the positions at which it does in any row, and for those its product with the input."""

    at: dict[int, int]  # position: which of those that follow
    rows: list[Tensor | None]  # which rows tick, [B, 1]; None when all do
    gates_BTM: Tensor


@register("clockwork")
class Clockwork(RecurrentCell):
    """h = tanh(W x + U h + b) in the modules whose period divides the time; the others keep what they hold.

    A module sees itself and slower ones, so U is block upper triangular. Only modules that are due are computed: with
    periods 1, 2, 4 and 8 that is 0.47 of the products with x, and 0.61 of those with h that the triangle would take at
    every position. Of `settings` it takes `drop_connect` and `clockwork`.
    """

    gates = 1
    interchangeable = False  # a unit's place tells its period

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        count = len(settings.clockwork.periods)
        check(hidden_size % count == 0, f"cell 'clockwork' has {count} modules: 'hidden' must be a multiple of {count}")
        super().__init__(input_size, hidden_size, settings)
        self.periods, self.units = settings.clockwork.periods, hidden_size // count
        self.restart("orthogonal")

    @torch.no_grad()
    def hide_fast(self) -> None:
        """Zero what is never read: slow modules do not see fast ones."""
        for index in range(len(self.periods)):
            self.weight_hh[self.of(index), : index * self.units] = 0.0

    @torch.no_grad()
    def restart(self, start: str) -> None:
        """As RecurrentCell.restart, with each module's own block started for itself.

        The eigenvalues of a triangle are those of its diagonal blocks. Cut out of an orthogonal matrix, blocks of a
        quarter of its units have a spectral radius of about a half, so that slow modules would forget within few ticks.
        """
        super().restart(start)
        self.hide_fast()
        for index in range(len(self.periods)):
            STARTS[start](self.weight_hh[self.of(index), self.of(index)])

    def of(self, index: int) -> slice:
        """The units of a module."""
        return slice(index * self.units, (index + 1) * self.units)

    def initial(self, hidden_BH: Tensor) -> ClockworkState:
        """The given hidden vector at time 0, at which every module ticks."""
        return ClockworkState(hidden_BH, torch.zeros(len(hidden_BH), dtype=torch.long, device=hidden_BH.device))

    def schedule(self, input_BTI: Tensor, time_B: Tensor, index: int) -> Due:
        """When a module ticks, with its products with the input at those positions."""
        time_TB = time_B + torch.arange(input_BTI.shape[1], device=time_B.device)[:, None]
        due_TB = time_TB % self.periods[index] == 0
        positions = due_TB.any(1).nonzero()[:, 0]
        gates_BTM = functional.linear(
            input_BTI.index_select(1, positions), self.weight_ih[self.of(index)], self.bias[self.of(index)]
        )
        rows = [None if bool(due_B.all()) else due_B[:, None] for due_B in due_TB[positions]]
        return Due({position: order for order, position in enumerate(positions.tolist())}, rows, gates_BTM)

    def forward(self, input_BTI: Tensor, state: ClockworkState) -> tuple[Tensor, ClockworkState]:
        """Shapes as in Cell.forward."""
        due = [self.schedule(input_BTI, state.time_B, index) for index in range(len(self.periods))]
        weight_HH, hidden_BH, outputs = self.recurrent_weight(), state.hidden_BH, list[Tensor]()
        for position in range(input_BTI.shape[1]):
            hidden_BH = torch.cat(
                [self.tick(index, due[index], position, weight_HH, hidden_BH) for index in range(len(self.periods))], -1
            )
            outputs.append(hidden_BH)
        return torch.stack(outputs, 1), ClockworkState(hidden_BH, state.time_B + input_BTI.shape[1])

    def tick(self, index: int, due: Due, position: int, weight_HH: Tensor, hidden_BH: Tensor) -> Tensor:
        """A module's units [B, M] after a position."""
        before_BM = hidden_BH[:, self.of(index)]
        if position not in due.at:
            return before_BM
        order, first = due.at[position], index * self.units
        summed_BM = due.gates_BTM[:, order] + functional.linear(hidden_BH[:, first:], weight_HH[self.of(index), first:])
        rows_B1 = due.rows[order]
        after_BM = torch.tanh(summed_BM)
        return after_BM if rows_B1 is None else torch.where(rows_B1, after_BM, before_BM.to(after_BM.dtype))
