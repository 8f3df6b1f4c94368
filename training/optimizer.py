"""Optimizers, learning-rate schedules and the moving average of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from training.config import OptimizerConfig
from training.muon import Muon, matrices_of

MOMENTUM_STEP = 250  # updates


def rate_factor(config: OptimizerConfig, update: int, updates: int) -> float:
    """The share of the highest learning rate at an update (counted from 0) of `updates` in all."""
    if update < config.warmup:
        return (update + 1) / config.warmup
    after, total = update - config.warmup, max(1, updates - config.warmup)
    left = max(0.0, 1.0 - after / total)
    if config.schedule == "linear":
        return left
    if config.schedule == "cosine":
        return 0.5 * (1.0 - math.cos(math.pi * left))
    if config.schedule == "inverse_sqrt":
        return math.sqrt(max(1, config.warmup) / max(1, update + 1))
    if config.schedule == "stable_decay":
        return min(1.0, max(0.0, (updates - update) / (config.decay_fraction * updates)))
    return 1.0


def momentum_at(config: OptimizerConfig, update: int) -> float:
    """Momentum at an update (counted from 0); rising as min(1 - 2^(-1 - log2(t / 250 + 1)), limit).

    The schedule of Sutskever et al. (2013), equation 5.
    """
    if config.momentum_schedule == "constant":
        return config.momentum
    return min(1.0 - 0.5 / (update // MOMENTUM_STEP + 1), config.momentum)


def set_schedule(optimizer: torch.optim.Optimizer, config: OptimizerConfig, update: int, updates: int) -> None:
    """Set learning rate and momentum for an update."""
    for group in optimizer.param_groups:
        group["lr"] = config.rate * rate_factor(config, update, updates)
        if "momentum" in group:
            group["momentum"] = momentum_at(config, update)


def make_optimizer(
    config: OptimizerConfig, network: nn.Module, precision: torch.dtype = torch.float32
) -> torch.optim.Optimizer:
    """The optimizer that a recipe names; weight decay touches matrices only. Muon multiplies in `precision`."""
    turned = matrices_of(network) if config.kind == "muon" else []
    taken = {id(matrix.weight) for matrix in turned}
    parameters = [part for part in network.parameters() if part.requires_grad and id(part) not in taken]
    groups = [
        {"params": [part for part in parameters if part.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [part for part in parameters if part.dim() <= 1], "weight_decay": 0.0},
    ]
    if config.kind == "sgd":
        return torch.optim.SGD(groups, lr=config.rate, momentum=config.momentum, nesterov=config.momentum > 0)
    if config.kind == "muon":
        return Muon(turned, groups, precision, config.rate, config.betas, config.momentum, config.weight_decay)
    kind = torch.optim.AdamW if config.kind == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.rate, betas=config.betas, fused=True)


class MovingAverage:
    """An exponential moving average of weights in float32 (Polyak and Juditsky 1992)."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: part.detach().float().clone() for name, part in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module, update: int) -> None:
        """Move towards the network's weights; early updates count more, so that the start is forgotten."""
        decay = min(self.decay, (1 + update) / (10 + update))
        parameters: Iterable[Tensor] = [part.detach().float() for _, part in network.named_parameters()]
        torch._foreach_lerp_(list(self.weights.values()), list(parameters), 1.0 - decay)

    @torch.no_grad()
    def swap(self, network: nn.Module) -> None:
        """Exchange the average and the network's weights, in place; twice is as before."""
        for name, part in network.named_parameters():
            held = part.detach().clone()
            part.copy_(self.weights[name])
            self.weights[name].copy_(held)
