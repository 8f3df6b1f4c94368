"""Weights as 8-bit integers, a scale per output row; in NumPy, so that serving needs no torch.

A row's step is set by its largest weight. Where that is far larger than the others, as in a projection that passes
units on as they are, it is stored apart in full precision; with whole columns LLM.int8() does so (Dettmers et al.
2022).

Legend: R rows (outputs), C columns (inputs).
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
LEVELS = 127
LARGEST = float(numpy.finfo(numpy.float32).max)


class Matrix(NamedTuple):
    """8-bit integers and what one step of each row is worth (float32)."""

    integer_RC: Array
    scale_R: Array


class Outliers(NamedTuple):
    """The largest weight of each row (float32) and the column that it stands in (int32)."""

    value_R: Array
    column_R: Array


def quantize_rows(weight_RC: Array) -> Matrix:
    """Round each row to multiples of its largest magnitude / 127 (symmetric): integer * scale is within scale / 2."""
    largest_R = numpy.abs(weight_RC).max(1) / numpy.float32(LEVELS)
    scale_R = numpy.maximum(largest_R, numpy.finfo(numpy.float32).tiny)  # less may count as zero
    integer_RC = numpy.clip(numpy.rint(weight_RC / scale_R[:, None]), -LEVELS, LEVELS).astype(numpy.int8)
    return Matrix(integer_RC, scale_R.astype(numpy.float32))


def dequantize_rows(matrix: Matrix, outliers: Outliers | None = None) -> Array:
    """The weights [R, C] (float32) that integers and scales stand for, outliers added where they belong."""
    weight_RC = matrix.integer_RC * matrix.scale_R[:, None]
    if outliers is not None:
        weight_RC[numpy.arange(len(weight_RC)), outliers.column_R] += outliers.value_R
    return weight_RC


def round_projection(weight_RC: Array) -> tuple[Matrix, Outliers | None]:
    """A projection in 8 bits, its outliers apart if it has some."""
    if not has_outliers(weight_RC):
        return quantize_rows(weight_RC), None
    rest_RC, outliers = split_outliers(weight_RC)
    return quantize_rows(rest_RC), outliers


def has_outliers(weight_RC: Array) -> bool:
    """Whether without the largest weight of each row the steps would be less than half as wide in the mean."""
    if weight_RC.shape[1] < 2:
        return False
    second_R, first_R = numpy.partition(numpy.abs(weight_RC), -2, axis=1)[:, -2:].T
    return bool(2 * second_R.sum() < first_R.sum())


def split_outliers(weight_RC: Array) -> tuple[Array, Outliers]:
    """Weights with zero in place of the largest of each row, and those."""
    column_R, rows_R = numpy.abs(weight_RC).argmax(1), numpy.arange(len(weight_RC))
    rest_RC, value_R = weight_RC.copy(), weight_RC[rows_R, column_R]
    rest_RC[rows_R, column_R] = 0
    return rest_RC, Outliers(value_R.astype(numpy.float32), column_R.astype(numpy.int32))
