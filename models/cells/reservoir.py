"""Echo state networks: a random recurrent network that is never trained; whatever reads it is.

Legend: B rows, T positions, I input width, H hidden width, K units that each unit hears, M Krylov dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.config import check
from models.cells.base import DEFAULTS, Cell, HiddenState, register
from models.cells.elementwise import at_least_float32
from models.config import CellSettings

EXACT_UNITS = 500  # up to which all eigenvalues are computed, in 0.14 s on one core
KRYLOV = 300  # dimensions beyond that


@register("esn")
class EchoState(Cell):
    """Leaky echo state network (Jaeger 2001): h' = (1 - leak) h + leak tanh(W x + U h + b), all random and frozen.

    U is sparse: each unit hears K others, kept as their numbers and weights [H, K]; a step costs B * H * K products.
    Measured for 64 rows of 1,000 units that hear 50 each, on one core: 125 us as `embedding_bag`, 288 as torch's CSR
    product, 1,340 dense, 2,490 gathered, multiplied and summed one after the other. For one row CSR would be the faster
    (40 against 212 us). No gradient is computed, through it or into it.

    Of `settings` it takes `reservoir`; the practice follows Lukosevicius (2012).
    """

    weight_ih: Tensor  # type: ignore[assignment]  # a buffer where other cells have a parameter
    bias: Tensor  # type: ignore[assignment]
    values_HK: Tensor
    columns_HK: Tensor

    def __init__(self, input_size: int, hidden_size: int, settings: CellSettings = DEFAULTS) -> None:
        nn.Module.__init__(self)
        check(hidden_size >= 2, f"cell 'esn' hears other units: 'hidden' must be at least 2, but is {hidden_size}")
        self.input_size, self.hidden_size, self.settings = input_size, hidden_size, settings
        config = settings.reservoir
        heard = max(1, round(config.connectivity * (hidden_size - 1)))
        weight_HI = torch.randn(hidden_size, input_size) * (config.input_scale * input_size**-0.5)
        self.register_buffer("weight_ih", weight_HI)
        self.register_buffer("bias", torch.randn(hidden_size) * config.bias_scale)
        values_HK = torch.randn(hidden_size, heard)
        columns_HK = torch.empty(hidden_size, heard, dtype=torch.int32)
        if not values_HK.is_meta:
            columns_HK.copy_(hear(hidden_size, heard))
            values_HK *= config.spectral_radius / spectral_radius(values_HK, columns_HK)
        self.register_buffer("values_HK", values_HK)
        self.register_buffer("columns_HK", columns_HK)

    def verify(self, origin: object) -> None:
        """Raise UserError, naming where the weights come from, if a unit hears one that there is not."""
        low, high = int(self.columns_HK.min()), int(self.columns_HK.max())
        known = low >= 0 and high < self.hidden_size
        check(known, f"{origin}: in a reservoir of {self.hidden_size} units some hear units {low} to {high}")

    @torch.no_grad()
    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Shapes as in Cell.forward; in float32 at least, detached from what was read."""
        number = at_least_float32(self.values_HK)
        with torch.autocast(input_BTI.device.type, enabled=False):
            driven_BTH = functional.linear(input_BTI.to(number), self.weight_ih.to(number), self.bias.to(number))
            state_THB = self.run(driven_BTH.permute(1, 2, 0).contiguous(), state.hidden_BH.to(number).t().contiguous())
        output_BTH = state_THB.permute(2, 0, 1).contiguous()
        return output_BTH.to(input_BTI.dtype), HiddenState(output_BTH[:, -1])

    def run(self, driven_THB: Tensor, hidden_HB: Tensor) -> Tensor:
        """States [T, H, B], written over what the inputs contribute."""
        values_HK, leak = self.values_HK.to(hidden_HB.dtype), self.settings.reservoir.leak
        linear = self.settings.reservoir.activation == "linear"
        for state_HB in driven_THB:
            state_HB += hear_all(hidden_HB, values_HK, self.columns_HK)
            if not linear:
                state_HB.tanh_()
            if leak < 1:
                torch.lerp(hidden_HB, state_HB, leak, out=state_HB)
            hidden_HB = state_HB
        return driven_THB


def hear_all(hidden_HB: Tensor, values_HK: Tensor, columns_HK: Tensor) -> Tensor:
    """U h of every row [H, B]: for each unit, the weighted sum of those that it hears."""
    return functional.embedding_bag(columns_HK, hidden_HB, per_sample_weights=values_HK, mode="sum")


def hear(units: int, heard: int) -> Tensor:
    """For each unit the numbers [H, K] of others, drawn without repetition, in rising order."""
    drawn_HK = torch.stack([torch.randperm(units - 1)[:heard] for _ in range(units)])
    return ((drawn_HK + 1 + torch.arange(units)[:, None]) % units).sort(1).values


def spectral_radius(values_HK: Tensor, columns_HK: Tensor) -> float:
    """The largest magnitude among the eigenvalues of a sparse matrix, computed in float64."""
    units, values_HK = len(values_HK), values_HK.double()
    if units <= EXACT_UNITS:
        return largest_eigenvalue(values_HK.new_zeros(units, units).scatter_(1, columns_HK.long(), values_HK))
    return krylov_radius(values_HK, columns_HK, KRYLOV)


def largest_eigenvalue(matrix: Tensor) -> float:
    """Its magnitude."""
    return float(torch.linalg.eigvals(matrix).abs().max())


def krylov_radius(values_HK: Tensor, columns_HK: Tensor, dimensions: int) -> float:
    """The spectral radius as the matrix appears in a Krylov space (Arnoldi 1951).

    Eigenvalues of a random matrix fill a disc (Girko 1984), where plain power iteration hardly converges. With 300
    dimensions, matrices of 1,000 to 3,000 units came out right to 1e-6, in less than a second on one core.
    """
    basis_MH = values_HK.new_zeros(dimensions + 1, len(values_HK))
    seen_MM = values_HK.new_zeros(dimensions + 1, dimensions)
    basis_MH[0] = functional.normalize(torch.randn(len(values_HK)).to(basis_MH), dim=0)
    for index in range(dimensions):
        known_MH, next_H = basis_MH[: index + 1], hear_all(basis_MH[index, :, None], values_HK, columns_HK)[:, 0]
        for _ in range(2):  # once leaves rounding errors that grow
            part_M = known_MH @ next_H
            next_H = next_H - part_M @ known_MH
            seen_MM[: index + 1, index] += part_M
        norm = next_H.norm()
        if norm < 1e-12 * seen_MM.abs().max():  # the space is closed: what was seen is all there is
            return largest_eigenvalue(seen_MM[: index + 1, : index + 1])
        seen_MM[index + 1, index], basis_MH[index + 1] = norm, next_H / norm
    return largest_eigenvalue(seen_MM[:dimensions])
