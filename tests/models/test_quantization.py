"""Weights as 8-bit integers stay within half a step; the largest of a row may be kept apart."""

import numpy
import pytest
import torch

from models.quantization import Array, dequantize_rows, has_outliers, quantize_rows, split_outliers


def normal(rows: int, columns: int, seed: int = 1) -> Array:
    return numpy.random.default_rng(seed).normal(size=(rows, columns)).astype(numpy.float32)


def passing_on(rows: int, columns: int) -> Array:
    """Small weights, but for one of each row."""
    weight_RC = normal(rows, columns) * numpy.float32(0.05)
    weight_RC[numpy.arange(rows), numpy.arange(rows) + 2] = -1
    return weight_RC


def test_every_weight_is_within_half_a_step() -> None:
    weight = normal(40, 30) * numpy.logspace(-3, 3, 40, dtype=numpy.float32)[:, None]
    matrix = quantize_rows(weight)
    assert (matrix.integer_RC.dtype, matrix.scale_R.dtype) == (numpy.int8, numpy.float32)
    assert (numpy.abs(dequantize_rows(matrix) - weight) <= matrix.scale_R[:, None] * 0.5001).all()


def test_the_largest_of_a_row_is_kept_and_signs_are_symmetric() -> None:
    matrix = quantize_rows(numpy.array([[-2.0, 1.0, 2.0]], numpy.float32))
    assert matrix.integer_RC.tolist() == [[-127, 64, 127]]
    assert dequantize_rows(matrix)[0, [0, 2]].tolist() == [-2.0, 2.0]


@pytest.mark.parametrize("flush", [False, True], ids=["as it is", "where the smallest numbers are zero"])
def test_a_row_of_zeros_stays_zero(flush: bool) -> None:
    flushed = torch.set_flush_denormal(flush)
    try:
        assert not dequantize_rows(quantize_rows(numpy.zeros((2, 3), numpy.float32))).any()
    finally:
        torch.set_flush_denormal(False)
    assert flushed or not flush


def test_rounding_twice_changes_nothing() -> None:
    matrix = quantize_rows(normal(20, 50, seed=2))
    assert numpy.array_equal(quantize_rows(dequantize_rows(matrix)).integer_RC, matrix.integer_RC)


@pytest.mark.parametrize("columns", [1, 2, 64])
def test_weights_of_one_size_have_no_outliers(columns: int) -> None:
    assert not has_outliers(numpy.ones((8, columns), numpy.float32))
    assert not has_outliers(numpy.zeros((8, columns), numpy.float32))


def test_without_outliers_the_others_are_rounded_much_more_finely() -> None:
    weight = passing_on(40, 64)
    assert has_outliers(weight)
    rest, outliers = split_outliers(weight)
    assert outliers.column_R.tolist() == list(range(2, 42))
    matrix, coarse = quantize_rows(rest), quantize_rows(weight)
    restored = dequantize_rows(matrix, outliers)
    assert (restored[numpy.arange(40), outliers.column_R] == -1).all()
    error, without = (numpy.abs(one - weight).mean() for one in (restored, dequantize_rows(coarse)))
    assert error < 0.2 * without


def test_what_is_split_is_not_changed() -> None:
    weight = passing_on(5, 16)
    before = weight.copy()
    split_outliers(weight)
    assert numpy.array_equal(weight, before)
