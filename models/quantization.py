"""Weights as 8-bit integers, a scale per output row.

Legend: R rows (outputs), C columns (inputs).
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 127


def quantize_rows(weight_RC: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to multiples of its largest magnitude / 127 (symmetric).

    Returns:
        The integers [R, C] (int8) and the scales [R] (float32), so that integer * scale is within scale / 2 of
        the weight.
    """
    weight_RC = weight_RC.float()
    scale_R = weight_RC.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
    integer_RC = (weight_RC / scale_R[:, None]).round().clamp_(-LEVELS, LEVELS).to(torch.int8)
    return integer_RC, scale_R


def dequantize_rows(integer_RC: Tensor, scale_R: Tensor) -> Tensor:
    """The weights [R, C] (float32) that integers and scales stand for."""
    return integer_RC.float() * scale_R[:, None]
