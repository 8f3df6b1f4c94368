"""Recurrent layers over padded batches: one direction, two directions, residual blocks.

Legend: B rows, S positions, D width in and out, H hidden width, E encoded width.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from models.cells import Cell, CellState
from models.dropout import Dropout
from models.initialize import linear

M = TypeVar("M", bound=nn.Module)


def reversal_index(length_B: Tensor, positions: int) -> Tensor:
    """Indices [B, S] that reverse each row's first `length` positions and leave its padding in place.

    Reversing this way and back keeps the fused sequence kernels, which packed sequences leave.
    """
    position_1S = torch.arange(positions, device=length_B.device)[None]
    length_B1 = length_B[:, None]
    return torch.where(position_1S < length_B1, length_B1 - 1 - position_1S, position_1S)


class Permute(torch.autograd.Function):
    """Take rows in an order that is its own inverse, so that the gradient is the same cheap gather."""

    @staticmethod
    def forward(ctx: Any, input_ND: Tensor, index_N: Tensor) -> Tensor:
        """Rows of [N, D] in the order of `index_N`."""
        ctx.save_for_backward(index_N)
        return input_ND.index_select(0, index_N)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The same order once more puts every row back."""
        (gradient_ND,) = gradients
        (index_N,) = ctx.saved_tensors
        return gradient_ND.contiguous().index_select(0, index_N), None


def reverse(input_BSD: Tensor, index_BS: Tensor) -> Tensor:
    """Reorder the positions of each row by the indices of `reversal_index`."""
    rows, positions, width = input_BSD.shape
    offset_B1 = torch.arange(rows, device=index_BS.device)[:, None] * positions
    flat_N = (index_BS + offset_B1).reshape(-1)
    output_ND: Tensor = Permute.apply(input_BSD.reshape(-1, width), flat_N)  # type: ignore[no-untyped-call]
    return output_ND.view(rows, positions, width)


class Recurrence(nn.Module):
    """One or two directions of a cell over whole sequences, from a zero state.

    Args:
        forwards: the cell that reads from the first token.
        backwards: the cell that reads from the last token, or None.
    """

    def __init__(self, forwards: Cell, backwards: Cell | None = None) -> None:
        super().__init__()
        self.forwards, self.backwards = forwards, backwards
        self.output_size = forwards.hidden_size + (backwards.hidden_size if backwards else 0)

    def forward(self, input_BSD: Tensor, index_BS: Tensor) -> Tensor:
        """Encode [B, S, D] to [B, S, E]; `index_BS` comes from `reversal_index`."""
        output_BSH, _ = self.forwards.read(input_BSD, zero_state(self.forwards, input_BSD))
        if self.backwards is None:
            return torch.as_tensor(output_BSH)
        reversed_BSH, _ = self.backwards.read(reverse(input_BSD, index_BS), zero_state(self.backwards, input_BSD))
        return torch.cat([output_BSH, reverse(reversed_BSH, index_BS)], dim=-1)


def zero_state(cell: Cell, input_BSD: Tensor) -> CellState:
    """The cell's state before the first position."""
    return cell.initial(input_BSD.new_zeros(input_BSD.shape[0], cell.hidden_size))


class FeedForward(nn.Module):
    """x + dropout(W relu(V norm x)): what each position adds to itself."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand, self.contract = linear(width, inner), linear(inner, width)
        self.dropout = Dropout(dropout)

    def forward(self, stream_BSD: Tensor) -> Tensor:
        """[B, S, D] to [B, S, D]."""
        inner_BSF = self.dropout(torch.relu(self.expand(self.norm(stream_BSD))))
        output_BSD: Tensor = stream_BSD + self.dropout(self.contract(inner_BSF))
        return output_BSD


def make_feed_forward(width: int, inner: int, dropout: float) -> nn.Module:
    """A feed-forward part, or nothing when its inner width is 0."""
    return FeedForward(width, inner, dropout) if inner else nn.Identity()


def typed(modules: nn.ModuleList, kind: type[M]) -> list[M]:
    """A module list as what it holds, for the type checker."""
    return [module for module in modules if isinstance(module, kind)]
