"""Dropout that does not wait for random numbers.

On a CPU torch draws one random number per unit, and a training step of a small network spends 6 % of its time on
that (measured). Here one draw of 64 bits decides for eight units, at rates that are multiples of 1/256; where there is
a C compiler, in one pass over the units (native/dropout.c).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.native import dropout as native


def dropout(input_X: Tensor, rate: float, training: bool) -> Tensor:
    """Zero units at `rate` and scale the others so that the mean stays (Srivastava et al. 2014).

    Args:
        input_X: any shape, any float type.
        rate: from 0 to below 1; on a CPU rounded to a multiple of 1/256.
        training: False returns the input itself.
    """
    if not training or rate == 0.0:
        return input_X
    if input_X.device.type != "cpu":
        return functional.dropout(input_X, rate, training)
    threshold = min(255, max(1, round(rate * 256)))
    if native.fits(input_X):
        return native.drop(input_X, threshold)
    units = input_X.numel()
    draws = torch.empty((units + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept_X = (draws.view(torch.uint8)[:units] >= threshold).view(input_X.shape)
    return input_X * kept_X.to(input_X.dtype).mul_(256 / (256 - threshold))


class Dropout(nn.Module):
    """The function as a layer."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, input_X: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return dropout(input_X, self.rate, self.training)
