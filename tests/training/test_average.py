"""Which weights an export takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.errors import UserError
from training.average import choose_weights, mean


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
