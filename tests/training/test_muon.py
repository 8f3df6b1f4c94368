"""Orthogonal steps against a singular value decomposition, which weights take them, and that nothing else does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.cells import CELLS
from training.config import OptimizerConfig
from training.muon import LIKE_ADAM, matrices_of, orthogonal
from training.optimizer import make_optimizer

RATE = 0.01
CONFIG = OptimizerConfig(kind="muon", rate=RATE, momentum=0.0)


def nearest(matrix_RC: Tensor) -> Tensor:
    """The nearest matrix with orthogonal rows or columns."""
    left, _, right = torch.linalg.svd(matrix_RC, full_matrices=False)
    return left @ right


def stepped(network: nn.Module, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    """How far each weight moves, by its first step."""
    before = {name: part.detach().clone() for name, part in network.named_parameters()}
    for name, part in network.named_parameters():
        part.grad = gradients[name]
    make_optimizer(CONFIG, network).step()
    return {name: part.detach() - before[name] for name, part in network.named_parameters()}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "columns"), [(24, 24), (16, 40)])
def test_directions_are_about_equally_long(precision: torch.dtype, rows: int, columns: int) -> None:
    torch.manual_seed(1)
    matrix_NRC = torch.randn(3, rows, columns) * torch.logspace(0, 1, columns) * 1e-5
    made_NRC = orthogonal(matrix_NRC, precision)
    assert made_NRC.dtype == torch.float32
    lengths = torch.linalg.svdvals(made_NRC)  # the shortest two may be too short to be found in five iterations
    assert float(lengths[:, : rows - 2].min()) > 0.6
    assert float(lengths.max()) < 1.3
    for made_RC, matrix_RC in zip(made_NRC, matrix_NRC, strict=True):
        assert float(nn.functional.cosine_similarity(made_RC.flatten(), nearest(matrix_RC).flatten(), 0)) > 0.95


def test_a_matrix_of_zeros_gives_no_step() -> None:
    assert not orthogonal(torch.zeros(1, 4, 6), torch.float32).any()


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_each_gate_is_a_matrix_of_its_own(kind: str) -> None:
    torch.manual_seed(2)
    network = nn.ModuleDict({"cell": CELLS[kind](20, 12)})
    gates = CELLS[kind].gates
    gradients = {name: torch.randn_like(part) for name, part in network.named_parameters()}
    gradients["cell.weight_ih"][:12] *= 1e4  # one gate's gradient does not shorten another one's step
    moved = stepped(network, gradients)
    for name, columns in (("cell.weight_ih", 20), ("cell.weight_hh", 12)):
        pairs = zip(moved[name].chunk(gates), gradients[name].chunk(gates), strict=True)
        for step_HX, gradient_HX in pairs:
            along = -nearest(gradient_HX) * RATE * LIKE_ADAM * max(12, columns) ** 0.5
            assert float(nn.functional.cosine_similarity(step_HX.flatten(), along.flatten(), 0)) > 0.95
            assert float(step_HX.norm()) == pytest.approx(float(along.norm()), rel=0.25)


def test_embeddings_and_vectors_take_the_steps_of_adam() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.source_weight = nn.Parameter(torch.zeros(6, 4))
            self.inner = nn.Linear(4, 3)

    network = Network()
    assert [matrix.weight is network.inner.weight for matrix in matrices_of(network)] == [True]
    gradients = {name: torch.randn_like(part) for name, part in network.named_parameters()}
    moved = stepped(network, gradients)
    for name in ("source_weight", "inner.bias"):
        torch.testing.assert_close(moved[name], -RATE * gradients[name].sign(), rtol=1e-4, atol=1e-6)


def test_what_has_no_gradient_stays() -> None:
    network = nn.ModuleDict({"one": nn.Linear(3, 3), "other": nn.Linear(3, 3)})
    before = network["other"].weight.detach().clone()
    optimizer = make_optimizer(CONFIG, network)
    network["one"](torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert torch.equal(network["other"].weight, before)


def test_momentum_looks_ahead_along_the_mean_of_gradients() -> None:
    torch.manual_seed(3)
    network = nn.ModuleDict({"one": nn.Linear(6, 4, bias=False)})
    weight = network["one"].weight
    optimizer = make_optimizer(OptimizerConfig(kind="muon", rate=RATE, momentum=0.9), network)
    mean = torch.zeros_like(weight)
    for _ in range(3):
        gradient = torch.randn_like(weight)
        before = weight.detach().clone()
        weight.grad = gradient.clone()
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient
        ahead = 0.1 * gradient + 0.9 * mean
        expected = -RATE * LIKE_ADAM * 6**0.5 * orthogonal(ahead[None], torch.float32)[0]
        torch.testing.assert_close(weight.detach() - before, expected, rtol=1e-4, atol=1e-6)
        assert torch.equal(weight.grad, gradient)


def test_weight_decay_shrinks_matrices() -> None:
    network = nn.ModuleDict({"one": nn.Linear(3, 3)})
    before = network["one"].weight.detach().clone()
    optimizer = make_optimizer(OptimizerConfig(kind="muon", rate=RATE, weight_decay=0.5), network)
    for part in network.parameters():
        part.grad = torch.zeros_like(part)
    optimizer.step()
    torch.testing.assert_close(network["one"].weight.detach(), before * (1 - 0.5 * RATE))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has a Muon since 2.9")
@pytest.mark.parametrize(("rows", "columns"), [(12, 12), (8, 20), (20, 8)])
def test_steps_of_whole_matrices_against_torch(rows: int, columns: int) -> None:
    torch.manual_seed(4)
    config = OptimizerConfig(kind="muon", rate=RATE, momentum=0.9, weight_decay=0.5)
    network = nn.ModuleDict({"one": nn.Linear(columns, rows, bias=False)})
    ours, theirs = network["one"].weight, nn.Parameter(network["one"].weight.detach().clone())
    pairs = (
        (ours, make_optimizer(config, network, torch.bfloat16)),
        (theirs, torch.optim.Muon([theirs], RATE, 0.5, momentum=0.9, adjust_lr_fn="match_rms_adamw")),
    )
    for _ in range(4):
        gradient = torch.randn(rows, columns)
        before = ours.detach().clone()
        for weight, optimizer in pairs:
            weight.grad = gradient.clone()
            optimizer.step()
        step = float((ours.detach() - before).norm())
        assert float((ours.detach() - theirs.detach()).norm()) < 0.1 * step
