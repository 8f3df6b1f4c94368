"""Dropout in one pass over the units, compiled (dropout.c); the mask of the way back is made again from its seed."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int32, c_int64, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.native.threads import Task, find_task

SOURCE = Path(__file__).with_name("dropout.c")
KINDS = (torch.float32, torch.bfloat16)
SHARED = 65_536  # units that are worth waking a second thread for


class Dropout(ctypes.Structure):
    """dropout.c"""

    _fields_ = (
        *(("units", c_int64), ("next", c_int64), ("seed", c_uint64), ("input", c_void_p), ("output", c_void_p)),
        *(("scale", c_float), ("threshold", c_int32), ("brief", c_int32)),
    )


def task() -> Task | None:
    """The compiled function where this machine has what it needs."""
    return find_task(SOURCE, "mt_drop", "dropout")


class SeededDropout(torch.autograd.Function):
    """Zero units, and scale those that stay; its gradient is the same function of the gradient."""

    @staticmethod
    def forward(ctx: Any, input_X: Tensor, seed: int, threshold: int) -> Tensor:
        """Of any shape, in float32 or bfloat16; `threshold` of 256 units are zeroed."""
        ctx.seed, ctx.threshold = seed, threshold
        found = task()
        assert found is not None
        input_X = input_X.contiguous()
        output_X = torch.empty_like(input_X)
        units, scale = input_X.numel(), 256 / (256 - threshold)
        brief = input_X.dtype == torch.bfloat16
        places = input_X.data_ptr(), output_X.data_ptr()
        threads = torch.get_num_threads() if units >= SHARED else 1
        found.run(Dropout(units, 0, seed, *places, scale, threshold, brief), threads)
        return output_X

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The same units are zeroed."""
        return SeededDropout.apply(gradients[0], ctx.seed, ctx.threshold), None, None  # type: ignore[no-untyped-call]


def fits(input_X: Tensor) -> bool:
    """Whether the compiled function can take the units."""
    return input_X.dtype in KINDS and input_X.device.type == "cpu" and task() is not None


def drop(input_X: Tensor, threshold: int) -> Tensor:
    """Zero `threshold` of 256 units, chosen by torch's generator."""
    seed = int(torch.randint(2**63 - 1, ()))
    output_X: Tensor = SeededDropout.apply(input_X, seed, threshold)  # type: ignore[no-untyped-call]
    return output_X
