"""The compiled LSTM against torch's, with the processor's matrix unit and with one that is emulated in C.

Legend: B rows, T positions, I input width, H hidden width.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.cells import LSTM, LSTMState, make_cell
from models.device import cpu_flags
from models.native import compiler, lstm
from models.native.compiler import COMPILERS, UnavailableError, compile_library
from models.native.lstm import Library

EMULATED = Path(__file__).parent.parent / "emulated_tiles.h"
found = next((found for found in map(shutil.which, COMPILERS) if found), None)


@pytest.fixture(scope="module", params=["this processor's", "emulated"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    if request.param == "this processor's":
        if lstm.library() is None:
            pytest.skip("this processor has no matrix unit for bfloat16, or there is no C compiler that knows it")
        return lstm.library()
    if found is None or "avx2" not in cpu_flags():
        pytest.skip("no C compiler on this machine, or no AVX2 to emulate a matrix unit with")
    path = tmp_path_factory.mktemp("lstm") / "lstm.so"
    compile_library(found, lstm.SOURCE, path, [("-march=haswell", "-include", str(EMULATED))])
    return Library(path)


@pytest.fixture
def used(made: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """What cells take."""
    monkeypatch.setattr(lstm, "library", lambda: made)
    return made


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def arguments(rows: int, positions: int, width: int, hidden: int) -> list[Tensor]:
    torch.manual_seed(rows)
    shapes = ((rows, positions, width), (rows, hidden), (rows, hidden))
    weights = ((4 * hidden, width), (4 * hidden, hidden), (4 * hidden,))
    made = [torch.randn(shape) for shape in shapes] + [torch.randn(shape) / shape[-1] ** 0.5 for shape in weights]
    return [part.requires_grad_() for part in made]


def by_torch(input_BTI: Tensor, hidden_BH: Tensor, cell_BH: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    initial, biases = (hidden_BH[None], cell_BH[None]), [*weights, torch.zeros_like(weights[-1])]
    output_BTH, hidden_1BH, cell_1BH = torch.lstm(input_BTI, initial, biases, True, 1, 0.0, True, False, True)
    return output_BTH, hidden_1BH[0], cell_1BH[0]


def with_gradients(function: object, inputs: list[Tensor], counted: tuple[int, ...]) -> list[Tensor]:
    """The three results, and the gradients of a random weighting of those that are counted."""
    results = function(*inputs)  # type: ignore[operator]
    generator = torch.Generator().manual_seed(2)
    weighting = [torch.randn(part.shape, generator=generator) for part in results]
    sum((results[i].float() * weighting[i]).sum() for i in counted).backward()
    gradients = [part.grad for part in inputs]
    for part in inputs:
        part.grad = None
    return [*(part.detach().float() for part in results), *gradients]


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("rows", "positions", "width", "hidden"),
    [(1, 1, 8, 32), (16, 2, 40, 32), (17, 5, 32, 64), (70, 9, 64, 96), (33, 40, 16, 32), (75, 3, 32, 288)],
)
@pytest.mark.parametrize("counted", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_results_and_gradients_are_those_of_torch(
    rows: int, positions: int, width: int, hidden: int, counted: tuple[int, ...]
) -> None:
    inputs = arguments(rows, positions, width, hidden)
    expected = with_gradients(by_torch, inputs, counted)
    results = with_gradients(lstm.read, inputs, counted)
    for found, wanted in zip(results, expected, strict=True):
        assert found.shape == wanted.shape
        assert (found - wanted).norm() <= 0.02 * wanted.norm()  # bfloat16 has 8 bits


@pytest.mark.usefixtures("used")
def test_results_do_not_depend_on_threads_or_on_other_rows() -> None:
    inputs = arguments(50, 7, 32, 64)
    torch.set_num_threads(1)
    alone = with_gradients(lstm.read, inputs, (0, 1, 2))
    torch.set_num_threads(3)
    together = with_gradients(lstm.read, inputs, (0, 1, 2))
    for i in (0, 1, 2, 4, 5):  # the others are torch's products
        torch.testing.assert_close(together[i], alone[i], rtol=0, atol=0)
    few = [part[20:23] for part in inputs[:3]] + inputs[3:]
    torch.testing.assert_close(lstm.read(*few)[0], alone[0][20:23].bfloat16(), rtol=0.01, atol=0.01)


@pytest.mark.usefixtures("used")
def test_a_gradient_may_be_asked_for_twice() -> None:
    inputs = arguments(3, 4, 32, 32)
    total = lstm.read(*inputs)[0].sum()
    first = torch.autograd.grad(total, inputs, retain_graph=True)
    for found, wanted in zip(torch.autograd.grad(total, inputs), first, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("hidden", "positions", "autocast", "calls"),
    [(32, 5, True, 1), (32, 1, True, 0), (40, 5, True, 0), (32, 5, False, 0)],
)
def test_cells_use_it_for_sequences_in_bfloat16(
    hidden: int, positions: int, autocast: bool, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[object]()
    monkeypatch.setattr(lstm, "read", lambda *parts: asked.append(parts) or lstm.LSTMSequence.apply(*parts))
    torch.manual_seed(3)
    cell = make_cell("lstm", 24, hidden)
    assert isinstance(cell, LSTM)
    input_BTI, state = torch.randn(6, positions, 24), LSTMState(torch.randn(6, hidden), torch.randn(6, hidden))
    expected_BTH, expected = cell(input_BTI, state)
    asked.clear()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output_BTH, last = cell(input_BTI, state)
    assert len(asked) == calls
    torch.testing.assert_close(output_BTH.float(), expected_BTH, rtol=0, atol=0.03)
    torch.testing.assert_close(last.cell_BH.float(), expected.cell_BH, rtol=0, atol=0.05)


def test_without_a_compiler_torch_computes_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lstm, "cpu_flags", lambda: {"amx_bf16"})
    monkeypatch.setattr(compiler.shutil, "which", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert lstm.library.__wrapped__() is None
    assert "LSTMs are left to torch, which takes longer: there is no C compiler (cc, gcc, clang)" in caplog.text


def test_where_there_is_no_matrix_unit_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lstm, "cpu_flags", set)
    assert lstm.library.__wrapped__() is None
    assert not caplog.records


@pytest.mark.skipif(found is None, reason="no C compiler on this machine")
def test_a_library_without_a_matrix_unit_is_refused(tmp_path: Path) -> None:
    assert found
    compile_library(found, lstm.SOURCE, tmp_path / "lstm.so", [("-O1",)])
    with pytest.raises(UnavailableError, match="no matrix unit for bfloat16"):
        Library(tmp_path / "lstm.so")


def test_a_library_that_computes_wrongly_is_not_used(used: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lstm.correct(used)
    monkeypatch.setattr(lstm, "tiles", lambda weight_OI: lstm.tiles_back(weight_OI))
    assert not lstm.correct(used)
