"""Checkpoints that are damaged, pruned and put back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from data.errors import UserError
from training import checkpoint
from training.checkpoint import Checkpoint
from training.config import OptimizerConfig
from training.optimizer import make_optimizer


def saved(folder: Path, update: int, score: float | None = None, best: bool = False) -> Path:
    weights = {"weight": torch.full((2, 3), float(update))}
    state: dict[str, Any] = {"update": update, "score": score}
    return checkpoint.save(folder, Checkpoint(weights, {}, {}, state), best)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path = saved(tmp_path, 7)
    loaded = checkpoint.load(path)
    assert torch.equal(loaded.model["weight"], torch.full((2, 3), 7.0))
    assert loaded.state["update"] == 7
    assert checkpoint.resolve(tmp_path, "last") == path


def test_a_damaged_checkpoint_is_passed_over_with_a_sentence(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    newest = saved(tmp_path, 2)
    data = bytearray((newest / checkpoint.MODEL).read_bytes())
    data[-1] ^= 1
    (newest / checkpoint.MODEL).write_bytes(data)
    found, sentences = checkpoint.load_last(tmp_path)
    assert found is not None
    assert found.state["update"] == 1
    assert sentences == [f"checkpoint {newest} is damaged: {checkpoint.MODEL} does not match its checksum"]


def test_a_checkpoint_without_its_state_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, 1)
    (path / checkpoint.STATE).unlink()
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(path)


def test_pruning_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for update, score in ((1, 10.0), (2, 30.0), (3, 20.0), (4, None), (5, 5.0)):
        saved(tmp_path, update, score, best=update == 2)
    (tmp_path / ".00000009.1.tmp").mkdir()
    checkpoint.prune(tmp_path, keep_last=1, keep_best=2)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000002", "00000003", "00000005"]
    assert not list(tmp_path.glob(".*.tmp"))


def test_pruning_takes_damaged_ones_that_are_newer_and_never_the_last(tmp_path: Path) -> None:
    for update in (3, 6, 4):  # 6 was damaged, so that the run went on from 3
        saved(tmp_path, update)
    checkpoint.prune(tmp_path, keep_last=1, keep_best=0)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000004"]


def test_without_dev_scores_a_checkpoint_itself_tells_that_it_is_the_best(tmp_path: Path) -> None:
    saved(tmp_path, 1, best=True)
    newest = saved(tmp_path, 2)
    checkpoint.mend_pointers(tmp_path, {"update": 2, "score": None, "best": None, "is_best": True})
    assert checkpoint.resolve(tmp_path, "best") == newest


def test_of_what_is_left_when_the_best_was_taken_away_another_is_the_best(tmp_path: Path) -> None:
    shutil.rmtree(saved(tmp_path, 1, 30.0, best=True))
    for update, score in ((2, 10.0), (3, 20.0), (4, None)):
        saved(tmp_path, update, score)
    checkpoint.prune(tmp_path, keep_last=1, keep_best=0)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000003", "00000004"]
    assert checkpoint.resolve(tmp_path, "best").name == "00000003"


def test_pointers_follow_a_checkpoint_whose_process_was_killed_before_it_wrote_them(tmp_path: Path) -> None:
    saved(tmp_path, 1, 10.0, best=True)
    for best, named in ((20.0, "00000002"), (30.0, "00000001")):
        newest = saved(tmp_path, 2, 20.0)
        for name in ("last", "best"):
            checkpoint.pointer(tmp_path, name).write_text('{"checkpoint": "00000001"}', encoding="utf-8")
        checkpoint.mend_pointers(tmp_path, {"update": 2, "score": 20.0, "best": best})
        assert checkpoint.resolve(tmp_path, "last") == newest
        assert checkpoint.resolve(tmp_path, "best").name == named


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, 1)

    def full(_tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    (tmp_path / ".00000002.1.tmp").mkdir()
    with pytest.raises(OSError, match=r"00000002 cannot be written: .*No space left.*; make room, and give the same"):
        saved(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000001", "last.json"]


def test_a_run_without_checkpoints_says_so(tmp_path: Path) -> None:
    assert checkpoint.load_last(tmp_path) == (None, [])
    with pytest.raises(UserError, match="no best checkpoint yet"):
        checkpoint.resolve(tmp_path, "best")


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd", "muon"])
def test_the_optimizer_goes_on_as_if_never_saved(kind: Any) -> None:
    torch.manual_seed(1)
    networks = [nn.Sequential(nn.Linear(3, 2)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    config = OptimizerConfig(kind=kind, weight_decay=0.1)
    optimizers = [make_optimizer(config, network) for network in networks]
    input_BI = torch.randn(4, 3)

    def step(which: int) -> None:
        optimizers[which].zero_grad()
        networks[which](input_BI).square().sum().backward()
        optimizers[which].step()

    step(0)
    step(0)
    networks[1].load_state_dict(networks[0].state_dict())
    checkpoint.restore_optimizer(optimizers[1], networks[1], checkpoint.optimizer_tensors(optimizers[0], networks[0]))
    step(0)
    step(1)
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(one, other)


def test_random_state_goes_through_text() -> None:
    state = checkpoint.random_state()
    first = torch.rand(3)
    checkpoint.restore_random_state(state)
    assert torch.equal(torch.rand(3), first)
