"""Muon: steps of momentum whose directions are all equally long (Jordan et al. 2024).

The momentum of a matrix is replaced by the nearest matrix with orthogonal rows, so that rare directions of the gradient
move as far as common ones. Each gate of a recurrent cell is a matrix of its own. Embeddings, the output layer and
vectors take AdamW's steps.

Legend: N matrices of one shape, R rows, C columns (R <= C).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.cells import Cell

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al.: steepest at 0; what ends between 0.7 and 1.2 is good enough
ITERATIONS = 5
LIKE_ADAM = 0.2  # a step's root mean square per learning rate (Liu et al. 2025), so that rates of Adam serve here, too
TINY = 1e-7


class Matrix(NamedTuple):
    """A parameter, and of how many matrices below each other it consists."""

    weight: nn.Parameter
    parts: int


def matrices_of(network: nn.Module) -> list[Matrix]:
    """The matrices inside a network's parts; what belongs to the network itself are embeddings and output layer."""
    gates = {id(part): cell.gates for cell in network.modules() if isinstance(cell, Cell) for part in cell.parameters()}
    inside = (part for name, part in network.named_parameters() if "." in name)
    return [Matrix(part, gates.get(id(part), 1)) for part in inside if part.requires_grad and part.dim() == 2]


def wide(matrix: Tensor) -> Tensor:
    """A matrix with no more rows than columns: itself, or transposed."""
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT


def orthogonal(matrix_NRC: Tensor, precision: torch.dtype) -> Tensor:
    """The nearest matrices with orthogonal rows, roughly: singular values from 0.7 to 1.2, by Newton-Schulz."""
    first, third, fifth = QUINTIC
    length_N11: Tensor = torch.linalg.matrix_norm(matrix_NRC, keepdim=True)
    x_NRC: Tensor = (matrix_NRC / length_N11.clamp(min=TINY)).to(precision)
    for _ in range(ITERATIONS):
        gram_NRR = x_NRC @ x_NRC.mT
        powers_NRR = torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=third, alpha=fifth)
        x_NRC = torch.baddbmm(x_NRC, powers_NRR, x_NRC, beta=first)
    return x_NRC.to(matrix_NRC.dtype)


class Muon(torch.optim.Optimizer):
    """Orthogonal steps for matrices, AdamW's for all else.

    Args:
        matrices: what takes orthogonal steps.
        groups: what takes AdamW's, as torch's optimizers take them.
        precision: to make directions orthogonal in.
        rate, betas, momentum, weight_decay: as in a recipe; betas are AdamW's, momentum and weight decay the matrices'.
    """

    def __init__(
        self,
        matrices: Iterable[Matrix],
        groups: Iterable[dict[str, Any]],
        precision: torch.dtype,
        rate: float,
        betas: tuple[float, float],
        momentum: float,
        weight_decay: float,
    ) -> None:
        weights, parts = zip(*matrices, strict=True)
        turned = {"params": list(weights), "parts": parts, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([turned], {"lr": rate})
        self.precision = precision
        self.adam = torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)
        self.adam.state = self.state  # one state and one list of groups, as of any optimizer
        self.param_groups += self.adam.param_groups

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move all weights that have a gradient."""
        self.turn(self.param_groups[0])
        self.adam.step()

    def turn(self, group: dict[str, Any]) -> None:
        """A step of matrices, those of one shape at once."""
        by_shape = defaultdict(list)
        for weight, parts in zip(group["params"], group["parts"], strict=True):
            if weight.grad is None:
                continue
            if group["weight_decay"]:
                weight.mul_(1.0 - group["lr"] * group["weight_decay"])
            along = self.direction(weight, group["momentum"])
            for pair in zip(weight.chunk(parts), along.chunk(parts), strict=True):
                part_RC, along_RC = (wide(matrix) for matrix in pair)
                by_shape[part_RC.shape].append((part_RC, along_RC))
        for shape, pairs in by_shape.items():
            parts, alongs = zip(*pairs, strict=True)
            step_NRC = orthogonal(torch.stack(alongs), self.precision)
            torch._foreach_add_(parts, list(step_NRC), alpha=-group["lr"] * LIKE_ADAM * shape[1] ** 0.5)

    def direction(self, weight: nn.Parameter, momentum: float) -> Tensor:
        """Nesterov's look ahead along the mean of gradients, which this one joins."""
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        mean: Tensor = state["momentum"].lerp_(weight.grad, 1.0 - momentum)
        return weight.grad.lerp(mean, momentum)
