"""How far back the gradients of a recurrence reach.

Legend: B rows, T positions, I input width, H hidden width, P parts of a state (one for each tensor).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from data.collate import Batch
from models.cells import Cell
from models.seq2seq import Seq2Seq
from training.spectra import recurrences

POSITIONS = 100  # at most; what follows them is not looked at
ENDS = 16  # positions from which to look back, at most, evenly spread
FEW = 5  # samples: lags with fewer are left out
SEED = 1


class Reading(NamedTuple):
    """What a cell reads in a batch."""

    input_BTI: Tensor
    state: Any  # before the first position
    length_B: Tensor  # of the rows; padding follows


class Lags(NamedTuple):
    """Gradient norms by lag, from 0: over rows, last positions and directions."""

    mean: list[float]
    low: list[float]  # a tenth of them lie below
    high: list[float]  # and a tenth above
    samples: list[int]

    @property
    def factor(self) -> float:
        """The mean factor per position, over the longest lag that has a gradient."""
        longest = max(lag for lag, mean in enumerate(self.mean) if mean > 0)
        return float(self.mean[longest] ** (1 / longest)) if longest else 0.0


@torch.no_grad()
def readings(network: Seq2Seq, batch: Batch) -> dict[str, Reading]:
    """What every recurrence reads when the network, in evaluation mode, is taught a batch."""
    cells, calls = recurrences(network), dict[str, list[tuple[Tensor, Any]]]()

    def remember(name: str) -> Any:
        return lambda _cell, inputs: calls.setdefault(name, []).append(inputs)

    hooks = [cell.register_forward_pre_hook(remember(name)) for name, cell in cells.items()]
    try:
        network(batch.source_BS, batch.source_length_B, batch.target_input_BT)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: Reading(
            torch.cat([input_BTI for input_BTI, _ in calls[name]], 1),
            calls[name][0][1],
            batch.source_length_B if name.startswith("encoder") else batch.target_length_B,
        )
        for name in cells
    }


def apart(state: Any) -> Any:
    """A copy of a state whose parts are inputs of their own to what follows.

    Otherwise an LSTM's hidden vector, which is made of its cell, would count as a part of the cell once more.
    """
    return type(state)(*(part.clone().requires_grad_(part.is_floating_point()) for part in state))


def walk(cell: Cell, reading: Reading) -> list[tuple[Tensor, ...]]:
    """The differentiable parts of the state, before the first position and after each, in float64."""
    cell = copy.deepcopy(cell).double().eval().requires_grad_(False)
    first = (part.double() if part.is_floating_point() else part for part in reading.state)
    states = [apart(type(reading.state)(*first))]
    for input_BI in reading.input_BTI[:, :POSITIONS].double().unbind(1):
        _, state = cell(input_BI[:, None], states[-1])
        states.append(apart(state))
    return [tuple(part for part in state if part.is_floating_point()) for state in states]


@torch.enable_grad()
def gradient_norms(cell: Cell, reading: Reading) -> list[Tensor]:
    """For each lag, the norms of d(v h[t]) / d state[t - lag] of random unit vectors v.

    The hidden vector h is the state's first part. The norm is over all parts of the state, since a gradient may pass
    through any of them (in an LSTM mostly through the cell). It is 1 at lag 0. Squared, its expectation is the mean
    squared singular value of the Jacobian. A factor below 1 for each further position is a gradient that vanishes
    (Hochreiter 1991; Bengio et al. 1994); a cell that lets no gradient through has 0 after lag 0.

    Args:
        cell: any; it is copied, and read position by position in evaluation mode.
        reading: its input; only the first `POSITIONS` are read.
    """
    states, generator, norms = walk(cell, reading), torch.Generator().manual_seed(SEED), dict[int, list[Tensor]]()
    for end in sorted(set(torch.linspace(1, len(states) - 1, ENDS).round().int().tolist())):
        hidden_BH = states[end][0]
        direction_BH = torch.randn(hidden_BH.shape, generator=generator, dtype=hidden_BH.dtype)
        read_B = reading.length_B >= end
        projected = (hidden_BH * nn.functional.normalize(direction_BH, dim=-1)).sum()
        wanted = [part_BH for parts in states[: end + 1] for part_BH in parts]
        found = iter(torch.autograd.grad(projected, wanted, retain_graph=True, materialize_grads=True))
        for start, parts in enumerate(states[: end + 1]):
            norm_PB = torch.stack([next(found).norm(dim=1) for _ in parts])
            norms.setdefault(end - start, []).append(norm_PB.norm(dim=0)[read_B])
    return [torch.cat(norms[lag]) for lag in sorted(norms)]


def lags(norms: Iterable[Tensor]) -> Lags:
    """Sum up gradient norms; lags that hardly any row has are left out."""
    found = list(norms)
    kept = [norm_X for norm_X in found if len(norm_X) >= min(FEW, len(found[0]))]
    low, high = ([float(norm_X.quantile(share)) for norm_X in kept] for share in (0.1, 0.9))
    return Lags([float(norm_X.mean()) for norm_X in kept], low, high, [len(norm_X) for norm_X in kept])
