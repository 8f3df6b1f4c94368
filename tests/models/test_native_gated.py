"""The compiled LSTM and GRU against torch's, with the processor's matrix unit and with one that is emulated in C.

Legend: B rows, T positions, I input width, H hidden width.
"""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from models.cells import make_cell
from models.device import cpu_flags
from models.native import compiler, gated
from models.native.compiler import COMPILERS, UnavailableError, compile_library
from models.native.gated import Library
from training.device import has_bfloat16_lstm

EMULATED = Path(__file__).parent.parent / "emulated_tiles.h"
found = next((found for found in map(shutil.which, COMPILERS) if found), None)


@pytest.fixture(scope="module", params=["this processor's", "emulated"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    if request.param == "this processor's":
        if gated.library() is None:
            pytest.skip("this processor has no matrix unit for bfloat16, or there is no C compiler that knows it")
        return gated.library()
    if found is None or "avx2" not in cpu_flags():
        pytest.skip("no C compiler on this machine, or no AVX2 to emulate a matrix unit with")
    path = tmp_path_factory.mktemp("gated") / "gated.so"
    compile_library(found, gated.SOURCE, path, [("-march=haswell", "-include", str(EMULATED))])
    return Library(ctypes.CDLL(str(path)))


@pytest.fixture
def used(made: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """What cells take."""
    monkeypatch.setattr(gated, "library", lambda: made)
    return made


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Case(NamedTuple):
    """What a cell takes, and both ways to compute it."""

    inputs: list[Tensor]
    compiled: Callable[..., tuple[Tensor, ...]]
    by_torch: Callable[..., tuple[Tensor, ...]]


def case(cell: str, rows: int, positions: int, width: int, hidden: int) -> Case:
    torch.manual_seed(rows)
    gates, states = (4, 2) if cell == "lstm" else (3, 1)
    weights = ((gates * hidden, width), (gates * hidden, hidden), *[(gates * hidden,)] * (1 if cell == "lstm" else 2))
    made = [torch.randn(rows, positions, width), *(torch.randn(rows, hidden) for _ in range(states))]
    made += [torch.randn(shape) / shape[-1] ** 0.5 for shape in weights]
    functions = (gated.read_lstm, torch_lstm) if cell == "lstm" else (gated.read_gru, torch_gru)
    return Case([part.requires_grad_() for part in made], *functions)


def torch_lstm(input_BTI: Tensor, hidden_BH: Tensor, cell_BH: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
    initial, biases = (hidden_BH[None], cell_BH[None]), [*weights, torch.zeros_like(weights[-1])]
    output_BTH, hidden_1BH, cell_1BH = torch.lstm(input_BTI, initial, biases, True, 1, 0.0, True, False, True)
    return output_BTH, hidden_1BH[0], cell_1BH[0]


def torch_gru(input_BTI: Tensor, hidden_BH: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
    output_BTH, hidden_1BH = torch.gru(input_BTI, hidden_BH[None], list(weights), True, 1, 0.0, True, False, True)
    return output_BTH, hidden_1BH[0]


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
@pytest.mark.parametrize(
    ("cell", "counted"),
    [
        ("lstm", (0,)),
        ("lstm", (1,)),
        ("lstm", (2,)),
        ("lstm", (0, 1, 2)),
        ("gru", (0,)),
        ("gru", (1,)),
        ("gru", (0, 1)),
    ],
    ids=str,
)
def test_results_and_gradients_are_those_of_torch(
    rows: int, positions: int, width: int, hidden: int, cell: str, counted: tuple[int, ...]
) -> None:
    inputs, compiled, by_torch = case(cell, rows, positions, width, hidden)
    expected = with_gradients(by_torch, inputs, counted)
    results = with_gradients(compiled, inputs, counted)
    for found, wanted in zip(results, expected, strict=True):
        assert found.shape == wanted.shape
        assert (found - wanted).norm() <= 0.02 * wanted.norm()  # bfloat16 has 8 bits


CELLS = pytest.mark.parametrize("name", ["lstm", "gru"])


@CELLS
@pytest.mark.usefixtures("used")
def test_what_is_no_number_stays_none(name: str) -> None:
    inputs, compiled, _ = case(name, 3, 2, 32, 32)
    with torch.no_grad():
        inputs[-1][5] = float("nan")  # a bias of one gate's sixth unit
    assert compiled(*inputs)[0][:, :, 5].isnan().all()


@CELLS
@pytest.mark.usefixtures("used")
def test_results_do_not_depend_on_threads_or_on_other_rows(name: str) -> None:
    inputs, compiled, _ = case(name, 50, 7, 32, 64)
    states = 2 if name == "lstm" else 1
    results = list(range(states + 1))
    torch.set_num_threads(1)
    alone = with_gradients(compiled, inputs, tuple(results))
    torch.set_num_threads(3)
    together = with_gradients(compiled, inputs, tuple(results))
    for i in results + [states + 2 + state for state in range(states)]:  # the others are torch's products
        torch.testing.assert_close(together[i], alone[i], rtol=0, atol=0)
    few = [part[20:23] for part in inputs[: states + 1]] + inputs[states + 1 :]
    torch.testing.assert_close(compiled(*few)[0], alone[0][20:23].bfloat16(), rtol=0.01, atol=0.01)


@CELLS
@pytest.mark.usefixtures("used")
def test_a_gradient_may_be_asked_for_twice(name: str) -> None:
    inputs, compiled, _ = case(name, 3, 4, 32, 32)
    total = compiled(*inputs)[0].sum()
    first = torch.autograd.grad(total, inputs, retain_graph=True)
    for found, wanted in zip(torch.autograd.grad(total, inputs), first, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@CELLS
@pytest.mark.parametrize(
    ("hidden", "positions", "autocast", "calls"),
    [(32, 5, True, 1), (32, 1, True, 0), (40, 5, True, 0), (32, 5, False, 0)],
)
def test_cells_use_it_for_sequences_in_bfloat16(
    name: str, hidden: int, positions: int, autocast: bool, calls: int, used: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    if autocast and positions > 1 and not calls and not has_bfloat16_lstm():
        pytest.skip("torch has no LSTM in bfloat16 for this processor")
    asked, run = list[object](), used.run
    monkeypatch.setattr(used, "run", lambda *parts, **tensors: asked.append(parts) or run(*parts, **tensors))
    torch.manual_seed(3)
    cell = make_cell(name, 24, hidden)
    input_BTI, hidden_BH = torch.randn(6, positions, 24), torch.randn(6, hidden)
    expected_BTH, expected = cell(input_BTI, cell.initial(hidden_BH))
    assert not asked
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output_BTH, last = cell(input_BTI, cell.initial(hidden_BH))
    assert len(asked) == calls
    torch.testing.assert_close(output_BTH.float(), expected_BTH, rtol=0, atol=0.03)
    for found, wanted in zip(last, expected, strict=True):
        torch.testing.assert_close(found.float(), wanted, rtol=0, atol=0.05)


def test_without_a_compiler_torch_computes_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gated, "cpu_flags", lambda: {"amx_bf16"})
    monkeypatch.setattr(compiler.shutil, "which", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert gated.library.__wrapped__() is None
    assert "LSTM and GRU are left to torch, which takes longer: there is no C compiler (cc, gcc, clang)" in caplog.text


def test_where_there_is_no_matrix_unit_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gated, "cpu_flags", set)
    assert gated.library.__wrapped__() is None
    assert not caplog.records


@pytest.mark.skipif(found is None, reason="no C compiler on this machine")
def test_a_library_without_a_matrix_unit_is_refused(tmp_path: Path) -> None:
    assert found
    compile_library(found, gated.SOURCE, tmp_path / "gated.so", [("-O1",)])
    with pytest.raises(UnavailableError, match="no matrix unit for bfloat16"):
        Library(ctypes.CDLL(str(tmp_path / "gated.so")))


def test_a_library_that_computes_wrongly_is_not_used(used: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gated.correct(used)
    monkeypatch.setattr(gated, "tiles", lambda weight_OI: gated.tiles_back(weight_OI))
    assert not gated.correct(used)
