"""Dropout by bytes against its definition."""

import pytest
import torch

from models.dropout import Dropout, dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_units_are_dropped_at_the_rate_and_the_mean_stays(rate: float) -> None:
    torch.manual_seed(8)
    output = dropout(torch.ones(1001, 997), rate, training=True)
    assert float((output == 0).float().mean()) == pytest.approx(rate, abs=0.004)
    assert float(output.mean()) == pytest.approx(1.0, abs=0.01)


def test_every_unit_is_dropped_as_often_as_its_neighbours() -> None:
    torch.manual_seed(9)
    dropped = sum((dropout(torch.ones(16), 0.5, training=True) == 0).float() for _ in range(4000)) / 4000
    assert float(torch.as_tensor(dropped).sub(0.5).abs().max()) < 0.05


def test_the_gradient_has_the_mask_of_the_output() -> None:
    input_X = torch.ones(50, requires_grad=True)
    output = dropout(input_X, 0.3, training=True)
    output.sum().backward()
    assert torch.equal(input_X.grad, output.detach())


def test_evaluation_leaves_the_input_alone() -> None:
    input_X = torch.randn(5)
    assert Dropout(0.5).eval()(input_X) is input_X


def test_the_seed_decides_the_mask() -> None:
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(dropout(torch.ones(100), 0.5, training=True))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
