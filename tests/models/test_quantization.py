"""Weights as 8-bit integers stay within half a step."""

import torch

from models.quantization import dequantize_rows, quantize_rows


def test_every_weight_is_within_half_a_step() -> None:
    weight = torch.randn(40, 30, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 3, 40)[:, None]
    integer, scale = quantize_rows(weight)
    assert integer.dtype == torch.int8
    assert bool(((dequantize_rows(integer, scale) - weight).abs() <= scale[:, None] * 0.5001).all())


def test_the_largest_of_a_row_is_kept_and_signs_are_symmetric() -> None:
    integer, scale = quantize_rows(torch.tensor([[-2.0, 1.0, 2.0]]))
    assert integer.tolist() == [[-127, 64, 127]]
    assert dequantize_rows(integer, scale)[0, [0, 2]].tolist() == [-2.0, 2.0]


def test_a_row_of_zeros_stays_zero() -> None:
    assert torch.equal(dequantize_rows(*quantize_rows(torch.zeros(2, 3))), torch.zeros(2, 3))


def test_rounding_twice_changes_nothing() -> None:
    integer, scale = quantize_rows(torch.randn(20, 50, generator=torch.Generator().manual_seed(2)))
    again, _ = quantize_rows(dequantize_rows(integer, scale))
    assert torch.equal(again, integer)
