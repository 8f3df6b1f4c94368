"""Gradient norms by lag: linear cells have them in closed form, all others by finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from data.collate import collate
from models.cells import CELLS, HiddenState, make_cell
from models.cells.base import RecurrentCell
from models.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from models.recurrent import zero_state
from models.seq2seq import Seq2Seq
from training.gradient_lags import SEED, Reading, gradient_norms, lags, readings

TAUGHT = sorted(name for name in CELLS if list(make_cell(name, 3, 4).parameters()))


class Linear(RecurrentCell):
    """h' = U h + W x."""

    gates = 1

    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        hidden_BH = state.hidden_BH
        for input_BI in input_BTI.unbind(1):
            hidden_BH = functional.linear(hidden_BH, self.weight_hh) + functional.linear(input_BI, self.weight_ih)
        return hidden_BH[:, None], HiddenState(hidden_BH)


def reading(cell: Any, positions: int, lengths: list[int]) -> Reading:
    input_BTI = torch.randn(len(lengths), positions, cell.input_size)
    return Reading(input_BTI, zero_state(cell, input_BTI), torch.tensor(lengths))


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.5])
def test_a_scaled_rotation_shrinks_gradients_by_its_radius(radius: float) -> None:
    cell = Linear(3, 6)
    with torch.no_grad():
        nn.init.orthogonal_(cell.weight_hh).mul_(radius)
    found = lags(gradient_norms(cell, reading(cell, 40, [40, 40])))
    assert found.mean == pytest.approx([radius**lag for lag in range(len(found.mean))], rel=1e-4)
    assert found.low == pytest.approx(found.high, rel=1e-4)
    assert found.factor == pytest.approx(radius, rel=1e-5)


def test_an_elementwise_cell_shrinks_gradients_by_its_forget_gate() -> None:
    cell = make_cell("ssru", 3, 6)
    with torch.no_grad():
        cell.weight_ih[:6] = 0.0
        cell.bias[:6] = 2.0
    found = lags(gradient_norms(cell, reading(cell, 20, [20, 20])))
    assert found.factor == pytest.approx(float(torch.sigmoid(torch.tensor(2.0))), rel=1e-5)


def project(cell: Any, input_1TI: Tensor, state: Any, direction_1H: Tensor) -> float:
    """v h after some positions."""
    _, last = cell(input_1TI, state)
    return float((direction_1H * last[0]).sum())


def slope(cell: Any, input_1TI: Tensor, state: Any, direction_1H: Tensor) -> float:
    """The norm of d(v h) / d state by central differences, unit by unit."""
    step, squares = 1e-5, 0.0
    for index, part in enumerate(state):
        for unit in range(part.shape[1] if part.is_floating_point() else 0):
            ends = []
            for change in (-step, step):
                moved = part.clone()
                moved[0, unit] += change
                parts = [moved if number == index else kept for number, kept in enumerate(state)]
                ends.append(project(cell, input_1TI, type(state)(*parts), direction_1H))
            squares += ((ends[1] - ends[0]) / (2 * step)) ** 2
    return float(squares**0.5)


@pytest.mark.parametrize("name", TAUGHT)
@torch.no_grad()
def test_norms_are_those_of_finite_differences(name: str) -> None:
    torch.manual_seed(2)
    cell, positions = make_cell(name, 3, 4).double().eval(), 5
    input_1TI = torch.randn(1, positions, 3, dtype=torch.float64)
    states = [cell.initial(torch.randn(1, 4, dtype=torch.float64))]
    for position in range(positions):
        states.append(cell(input_1TI[:, position : position + 1], states[-1])[1])
    found = gradient_norms(cell, Reading(input_1TI, states[0], torch.tensor([positions])))
    generator = torch.Generator().manual_seed(SEED)
    for end in range(1, positions + 1):
        direction_1H = nn.functional.normalize(torch.randn(1, 4, generator=generator, dtype=torch.float64), dim=-1)
        assert float(found[0][end - 1]) == pytest.approx(1.0)
        for start in range(end):
            expected = slope(cell, input_1TI[:, start:end], states[start], direction_1H)
            assert float(found[end - start][start]) == pytest.approx(expected, abs=1e-7)


def test_rows_are_looked_at_up_to_their_end() -> None:
    cell = make_cell("gru", 3, 4)
    both = reading(cell, 6, [6, 2])
    spoiled = both.input_BTI.clone()
    spoiled[1, 2:] = 1e6
    found = gradient_norms(cell, both)
    assert [len(norm_X) for norm_X in found] == [8, 8, 6, 4, 3, 2, 1]
    for mine, theirs in zip(found, gradient_norms(cell, both._replace(input_BTI=spoiled)), strict=True):
        torch.testing.assert_close(mine, theirs)
    assert lags(found).samples == [8, 8, 6]  # longer lags have too few


class Frozen(Linear):
    """The same without gradients."""

    @torch.no_grad()
    def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        return super().forward(input_BTI, state)


def test_a_cell_may_let_no_gradient_through() -> None:
    cell = Frozen(3, 4)
    found = lags(gradient_norms(cell, reading(cell, 6, [6] * 5)))
    assert found.mean == pytest.approx([1.0, *[0.0] * 6])
    assert found.factor == 0.0


def test_a_gradient_that_is_gone_is_no_error() -> None:
    found = lags([torch.ones(9), torch.zeros(9)])
    assert (found.mean, found.factor) == ([1.0, 0.0], 0.0)


@pytest.mark.parametrize("arrangement", ["blocks", "input_feeding"])
def test_readings_are_what_the_cells_of_a_network_read(arrangement: Any) -> None:
    torch.manual_seed(1)
    config = ModelConfig(
        13,
        width=8,
        encoder=EncoderConfig(hidden=4),
        decoder=DecoderConfig(arrangement=arrangement, hidden=8, cell="gru"),
        attention=AttentionConfig(heads=2),
    )
    network, batch = Seq2Seq(config).eval(), collate([[5, 6, 7, 3], [8, 3]], [[9, 10], [4, 5, 6]])
    found = readings(network, batch)
    assert list(found) == [
        *("encoder 1 forwards", "encoder 1 backwards", "encoder 2 forwards", "encoder 2 backwards"),
        *("decoder 1", "decoder 2"),
    ]
    memory, state = network.encode(batch.source_BS, batch.source_length_B)
    expected = network.decode(batch.target_input_BT, memory, state).state
    for number, cell in enumerate(network.decoder.cells, 1):
        one = found[f"decoder {number}"]
        torch.testing.assert_close(cell(one.input_BTI, one.state)[1], expected.cells[number - 1])
        assert one.length_B.tolist() == [3, 4]
    assert found["encoder 1 backwards"].length_B.tolist() == [4, 2]
    assert not any(cell._forward_pre_hooks for cell in network.modules())
