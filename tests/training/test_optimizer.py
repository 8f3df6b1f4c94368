"""Schedules at known points, weight decay on matrices only, the moving average against its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from training.config import OptimizerConfig
from training.optimizer import MovingAverage, make_optimizer, momentum_at, rate_factor, set_schedule


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


def test_momentum_rises_to_its_limit() -> None:
    config = OptimizerConfig(kind="sgd", momentum=0.9, momentum_schedule="sutskever")
    steps = {0: 0.5, 249: 0.5, 250: 0.75, 500: 1 - 0.5 / 3, 750: 0.875, 1000: 0.9, 10**6: 0.9}
    assert {update: momentum_at(config, update) for update in steps} == pytest.approx(steps)


def test_a_schedule_reaches_the_optimizer() -> None:
    config = OptimizerConfig(kind="sgd", rate=0.5, warmup=0, schedule="linear", momentum_schedule="sutskever")
    optimizer = make_optimizer(config, nn.Linear(2, 2))
    set_schedule(optimizer, config, 300, 600)
    assert [(group["lr"], group["momentum"]) for group in optimizer.param_groups] == [(0.25, 0.75)] * 2


def test_nesterov_momentum_learns() -> None:
    """The valley of a badly scaled bowl, where plain descent crawls."""
    curvature = torch.tensor([1.0, 0.01])
    left = {}
    for momentum in (0.0, 0.95):
        point = nn.Parameter(torch.tensor([1.0, 1.0]))
        optimizer = make_optimizer(OptimizerConfig(kind="sgd", rate=0.5, momentum=momentum), nn.ParameterList([point]))
        for _ in range(150):
            optimizer.zero_grad()
            (0.5 * curvature * point.square()).sum().backward()
            optimizer.step()
        left[momentum] = float(point.detach().norm())
    assert left[0.95] < 0.1 * left[0.0]


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
