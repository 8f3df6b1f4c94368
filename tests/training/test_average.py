"""Which weights an export takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.errors import UserError
from training.average import choose_weights, mean
from training.checkpoint import Checkpoint, save
from training.run_folder import CHECKPOINTS


def test_the_mean_is_taken_tensor_by_tensor() -> None:
    parts = [
        {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.1])},
        {"a": torch.tensor([3.0, 6.0]), "b": torch.tensor([0.1])},
    ]
    found = mean(parts)
    assert found["a"].tolist() == [2.0, 4.0]
    assert torch.equal(found["b"], torch.tensor([0.1]))


def test_no_checkpoints_have_no_mean(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--last must be at least 1, but is 0"):
        choose_weights(tmp_path, "average", 0)


@pytest.mark.parametrize("which", ["best", "last", "average"])
def test_a_run_without_checkpoints_is_told_in_a_sentence(tmp_path: Path, which: str) -> None:
    with pytest.raises(UserError, match="checkpoint"):
        choose_weights(tmp_path, which, 5)


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (5, "checkpoints averaged: 2, of updates 3, 7; there are no more, though --last asks for 5\n"),
        (2, "checkpoints averaged: 2, of updates 3, 7\n"),
        (1, "checkpoints averaged: 1, of updates 7\n"),
    ],
)
def test_a_mean_tells_of_what_it_is(
    last: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.average.check_vocabulary", lambda *_: None)
    for update in (3, 7):
        weights = {"a": torch.tensor([float(update)])}
        save(tmp_path / CHECKPOINTS, Checkpoint(weights, {}, {}, {"update": update}), best=True)
    found, _ = choose_weights(tmp_path, "average", last)
    assert found["a"].item() == (7.0 if last == 1 else 5.0)
    assert capsys.readouterr().err == told
