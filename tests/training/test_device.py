"""What a run computes in is what the machine can compute in."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from data.errors import UserError
from training.config import TrainingConfig
from training.device import choose, has_bfloat16_lstm


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig(device="cpu", **changes)


def test_bfloat16_is_refused_where_torch_has_no_lstm_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(torch, "lstm", missing)
    with pytest.raises(UserError, match=r"training.precision is bfloat16, but .* set it to auto"):
        choose(config(precision="bfloat16"))
    assert choose(config(precision="float32")).precision == torch.float32
    choose(config())


@pytest.mark.skipif(not has_bfloat16_lstm(), reason="torch has no LSTM in bfloat16 for this processor")
def test_bfloat16_is_taken_where_it_is_asked_for() -> None:
    assert choose(config(precision="bfloat16")).precision == torch.bfloat16
