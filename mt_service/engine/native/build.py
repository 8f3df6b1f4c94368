"""The compiled engine's library, checked before use."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import numpy

from models.native.compiler import UnavailableError, load
from mt_service.engine.native.structures import declare, make_product

SOURCE = Path(__file__).with_name("native.c")


@functools.cache
def library() -> ctypes.CDLL:
    """The library, compiled now if it has not been before.

    Raises:
        UnavailableError: without a C compiler, or when what it makes cannot be loaded or computes wrongly.
    """
    made = declare(load(SOURCE))
    if not correct(made):
        raise UnavailableError("what the C compiler makes computes wrongly on this processor")
    return made


def correct(made: ctypes.CDLL) -> bool:
    """Whether products are those of 64-bit integers."""
    rng = numpy.random.default_rng(1)
    weights = rng.integers(-127, 128, (48, 64)).astype(numpy.int8)
    weights[0], weights[1] = 127, -127
    rows = rng.integers(0, 128, (13, 64)).astype(numpy.float32)
    rows[:, 0] = rows[0] = rows[1] = 127
    rows[1::2] *= -1  # of one sign each, so that they are whole numbers however they are rounded
    product = make_product(weights, numpy.ones(48, numpy.float32), None)
    out = numpy.empty((13, 48), numpy.float32)
    done = made.mt_multiply(ctypes.byref(product.structure), rows.ctypes.data, len(rows), out.ctypes.data)
    return bool(done and numpy.array_equal(out, rows.astype(numpy.int64) @ weights.astype(numpy.int64).T))
