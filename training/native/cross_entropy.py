"""The gradient of cross-entropy from logits in bfloat16, compiled (cross_entropy.c).

Legend: R rows, V vocabulary, D width.
"""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

from models.native.threads import Task, find_task

SOURCE = Path(__file__).with_name("cross_entropy.c")


class Rows(ctypes.Structure):
    """cross_entropy.c"""

    _fields_ = (
        *((name, c_int32) for name in ("rows", "words", "next")),
        *((name, c_float) for name in ("share", "agreement")),
        *((name, c_void_p) for name in ("logits", "bias", "target", "target_logit", "normalizer", "apart")),
    )


class Addition(ctypes.Structure):
    """cross_entropy.c"""

    _fields_ = (
        *((name, c_int64) for name in ("count", "next")),
        *((name, c_void_p) for name in ("sum", "part")),
    )


def task() -> Task | None:
    """The compiled function where this machine has what it needs."""
    return find_task(SOURCE, "mt_cross_entropy", "cross-entropy")


def fits(logits_RV: Tensor) -> bool:
    """Whether the compiled function can take logits."""
    return logits_RV.dtype == torch.bfloat16 and logits_RV.device.type == "cpu" and task() is not None


def turn(
    logits_RV: Tensor, bias_V: Tensor | None, target_R: Tensor, share: float, agreement: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Replace logits by the gradient of `share` * cross-entropy plus (1 - share) * their normalizer.

    Args:
        logits_RV: without the bias; become probabilities, less `share` at the target.
        bias_V: float32, added to every row; or None.
        target_R: the words to predict.
        share: of the target in the gradient: 1 without label smoothing.
        agreement: R-Drop's alpha, whose gradient is added (see training.loss.attract); the first half of the rows is
            one pass of the network, the second half another over the same words. 0 is off.
    Returns:
        The targets' logits [R], the normalizers [R], logarithms of the sum of exponentials, and the weighted
        divergences of all rows, a scalar; in float32.
    """
    found = task()
    assert found is not None
    assert logits_RV.is_contiguous()
    target_logit_R, normalizer_R, apart_R = logits_RV.new_zeros(3, len(logits_RV), dtype=torch.float32)
    target_R = target_R.contiguous()
    bias_V = None if bias_V is None else bias_V.detach().float().contiguous()
    tensors = logits_RV, bias_V, target_R, target_logit_R, normalizer_R, apart_R
    places = (None if one is None else one.data_ptr() for one in tensors)
    size = len(logits_RV) // (2 if agreement else 1), logits_RV.shape[1]
    found.run(Rows(*size, 0, share, agreement / 2, *places), torch.get_num_threads())
    return target_logit_R, normalizer_R, apart_R.sum()


def add(sum_VD: Tensor, part_VD: Tensor) -> None:
    """Add numbers in bfloat16 to a sum in float32, in one visit; torch makes wide copies of them first."""
    found = find_task(SOURCE, "mt_add", "cross-entropy")
    assert found is not None
    assert sum_VD.is_contiguous()
    part_VD = part_VD.contiguous()
    found.run(Addition(sum_VD.numel(), 0, sum_VD.data_ptr(), part_VD.data_ptr()), torch.get_num_threads())
