"""Compiled functions, and what is said where there are none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from models.dropout import dropout
from models.native import compiler
from models.native import dropout as native
from models.native.threads import find_task


def test_without_a_compiler_torch_drops_units(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiler.shutil, "which", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "find_task", find_task.__wrapped__)
    caplog.set_level(logging.INFO)
    input_X = torch.ones(1000, requires_grad=True)
    output_X = dropout(input_X, 0.25, training=True)
    output_X.sum().backward()
    assert torch.equal(input_X.grad, output_X.detach())
    assert float((output_X == 0).float().mean()) == pytest.approx(0.25, abs=0.06)
    assert "dropout is left to torch, which takes longer: there is no C compiler" in caplog.text


@pytest.mark.parametrize("units", [1, 63, 64, 65, 200_001])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_compiled_dropout_zeroes_or_scales_and_is_the_same_on_any_number_of_threads(
    units: int, kind: torch.dtype
) -> None:
    if native.task() is None:
        pytest.skip("no C compiler on this machine")
    before, outputs = torch.get_num_threads(), []
    input_X = torch.arange(1, units + 1).to(kind)
    for threads in (1, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(11)
        outputs.append(dropout(input_X, 0.5, training=True))
    torch.set_num_threads(before)
    assert outputs[0].dtype == kind
    assert torch.equal(*outputs)
    assert bool(((outputs[0] == 0) | (outputs[0] == 2 * input_X)).all())
