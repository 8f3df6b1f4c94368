"""What surrounds a capture, by stand-ins for the device; graphs themselves are tested where there is a GPU."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

import pytest
import torch

from mt_service.engine.graphs import captured


class FakeStream:
    def wait_stream(self, _other: FakeStream) -> None: ...


class FakeGraph:
    """As the device has it: no graph may be let go of while another one is captured in the same thread."""

    capturing = False
    broken = False

    def __init__(self) -> None:
        self.itself = self  # as an engine's parts are: only the collector finds that nobody needs it any more

    def __del__(self) -> None:
        FakeGraph.broken |= FakeGraph.capturing

    def replay(self) -> None: ...


@contextlib.contextmanager
def capture(*_options: object) -> Iterator[None]:
    FakeGraph.capturing = True
    try:
        yield
    finally:
        FakeGraph.capturing = False


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    monkeypatch.setattr(FakeGraph, "broken", False)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _device: FakeStream())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: FakeStream())
    monkeypatch.setattr(torch.cuda, "stream", lambda _stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    return torch.device("cpu")


def let_go_and_allocate() -> None:
    """Leave graphs to the collector, and when a capture is under way enough objects to have it run by itself."""
    FakeGraph()
    kept = [[number] for number in range(100_000 if FakeGraph.capturing else 1)]
    assert kept


def test_no_graph_is_let_go_of_while_another_is_captured(device: torch.device) -> None:
    captured(let_go_and_allocate, device, pool=object())
    gc.collect()
    assert not FakeGraph.broken
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off(device: torch.device) -> None:
    gc.disable()
    try:
        captured(lambda: None, device, pool=object())
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_failed_capture_leaves_the_collector_on_and_the_next_one_free(device: torch.device) -> None:
    def fail() -> None:
        if FakeGraph.capturing:
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        captured(fail, device, pool=object())
    assert gc.isenabled()
    thread = threading.Thread(target=captured, args=(lambda: None, device, object()), daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
