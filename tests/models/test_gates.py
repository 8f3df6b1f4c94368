"""What cells tell of their gates and matrices, against their definitions step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.cells import CELLS, Cell, make_cell
from models.cells.base import RecurrentCell

Gates = dict[str, Tensor]


def lstm(cell: Any, x: Tensor, hidden: Tensor) -> Gates:
    i, f, _, o = (x @ cell.weight_ih.T + cell.bias + hidden @ cell.weight_hh.T).chunk(4, -1)
    return {"input": torch.sigmoid(i), "forget": torch.sigmoid(f), "output": torch.sigmoid(o)}


def gru(cell: Any, x: Tensor, hidden: Tensor) -> Gates:
    summed = x @ cell.weight_ih.T + cell.bias + hidden @ cell.weight_hh.T + cell.bias_hh
    return dict(zip(("reset", "update"), torch.sigmoid(summed).chunk(3, -1)[:2], strict=True))


def gru_cho(cell: Any, x: Tensor, hidden: Tensor) -> Gates:
    summed = x @ cell.weight_ih.T + cell.bias + hidden @ cell.weight_hh.T
    return dict(zip(("reset", "update"), torch.sigmoid(summed).chunk(3, -1)[:2], strict=True))


def from_input(name: str) -> Callable[[Any, Tensor, Tensor], Gates]:
    return lambda cell, x, _hidden: {name: torch.sigmoid((x @ cell.weight_ih.T + cell.bias).chunk(2, -1)[0])}


def srn(cell: Any, x: Tensor, hidden: Tensor) -> Gates:
    return {"hidden": torch.tanh(x @ cell.weight_ih.T + cell.bias + hidden @ cell.weight_hh.T)}


DEFINITIONS: dict[str, Callable[[Any, Tensor, Tensor], Gates]] = {
    "lstm": lstm,
    "gru": gru,
    "gru_cho": gru_cho,
    "ssru": from_input("forget"),
    "mingru": from_input("update"),
    "srn": srn,
}


def made(name: str) -> tuple[Cell, Tensor, Tensor]:
    torch.manual_seed(3)
    cell = make_cell(name, 3, 4).double()
    for part in cell.parameters():
        nn.init.normal_(part)
    return cell, torch.randn(2, 6, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_gates_are_those_of_the_definition_at_every_step(name: str) -> None:
    cell, input_BTI, hidden_BH = made(name)
    found, state = cell.gate_activations(input_BTI, cell.initial(hidden_BH)), cell.initial(hidden_BH)
    for position in range(6):
        expected = DEFINITIONS[name](cell, input_BTI[:, position], state.hidden_BH)
        assert list(found) == list(expected)
        for gate, value in expected.items():
            torch.testing.assert_close(found[gate][:, position], value)
        _, state = cell(input_BTI[:, position : position + 1], state)


def test_a_cell_need_not_tell_of_gates() -> None:
    cell, input_BTI, hidden_BH = made("srn_relu")
    assert cell.gate_activations(input_BTI, cell.initial(hidden_BH)) == {}


@pytest.mark.parametrize("name", sorted(name for name, kind in CELLS.items() if kind.gate_names))
def test_every_product_of_a_cell_with_names_has_one(name: str) -> None:
    assert len(CELLS[name].gate_names) == CELLS[name].gates


def test_matrices_are_the_blocks_of_the_recurrent_weights() -> None:
    cell = made("lstm")[0]
    assert isinstance(cell, RecurrentCell)
    found = cell.matrices()
    assert list(found) == ["input", "forget", "candidate", "output"]
    assert torch.equal(torch.cat(list(found.values())), cell.weight_hh.detach())
    assert list(made("clockwork")[0].matrices()) == ["hidden"]
    assert made("ssru")[0].matrices() == {}


def test_products_without_names_are_numbered() -> None:
    class Nameless(RecurrentCell):
        gates = 2

    assert list(Nameless(3, 4).matrices()) == ["1", "2"]
