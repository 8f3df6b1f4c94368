"""Schedules at known points, weight decay on matrices only, the moving average against its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from training.config import OptimizerConfig
from training.optimizer import MovingAverage, make_optimizer, rate_factor


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", {10: 1.0, 55: 1.0, 100: 1.0}),
        ("linear", {10: 1.0, 55: 0.5, 100: 0.0}),
        ("cosine", {10: 1.0, 55: 0.5, 100: 0.0}),
        ("stable_decay", {10: 1.0, 70: 1.0, 85: 0.5, 100: 0.0}),
        ("inverse_sqrt", {10: (10 / 11) ** 0.5, 39: 0.5}),
    ],
)
def test_schedules_at_known_points(schedule: Any, expected: dict[int, float]) -> None:
    config = OptimizerConfig(schedule=schedule, warmup=10, decay_fraction=0.3)
    assert rate_factor(config, 0, 100) == pytest.approx(0.1)
    assert rate_factor(config, 4, 100) == pytest.approx(0.5)
    for update, factor in expected.items():
        assert rate_factor(config, update, 100) == pytest.approx(factor)


def test_weight_decay_spares_vectors() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    matrices, vectors = make_optimizer(OptimizerConfig(weight_decay=0.1), network).param_groups
    assert [part.dim() for part in matrices["params"]] == [2]
    assert matrices["weight_decay"] == 0.1
    assert vectors["weight_decay"] == 0.0


def test_the_moving_average_against_its_definition() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, 0.9)
    expected = float(network.weight.detach())
    for update, value in enumerate((1.0, -2.0, 5.0)):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(network, update)
        decay = min(0.9, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    assert float(average.weights["weight"]) == pytest.approx(expected)


def test_swapping_twice_changes_nothing() -> None:
    network = nn.Linear(2, 2)
    average = MovingAverage(network, 0.9)
    with torch.no_grad():
        network.weight.add_(1.0)
    before, averaged = network.weight.detach().clone(), average.weights["weight"].clone()
    average.swap(network)
    assert torch.equal(network.weight.detach(), averaged)
    average.swap(network)
    assert torch.equal(network.weight.detach(), before)
    assert torch.equal(average.weights["weight"], averaged)
