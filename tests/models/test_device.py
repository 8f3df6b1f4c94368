"""Which device is taken."""

import pytest
import torch

from data.errors import UserError
from models import device as module
from models.device import choose_device


@pytest.mark.parametrize(
    ("wish", "driver", "gpu", "device"),
    [
        ("auto", "/dev/null", True, "cuda"),
        ("auto", "/dev/null", False, "cpu"),
        ("auto", "/dev/no such driver", True, "cpu"),
        ("cpu", "/dev/null", True, "cpu"),
        ("cuda", "/dev/no such driver", True, "cuda"),
    ],
)
def test_a_gpu_is_taken_when_there_is_one(
    wish: str, driver: str, gpu: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRIVERS", (driver,))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert choose_device(wish) == device


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no GPU"):
        choose_device("cuda")
