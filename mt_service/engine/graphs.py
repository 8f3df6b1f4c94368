"""Work for the device that is put together once and started with one call: CUDA graphs."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch

Pool: TypeAlias = Any  # torch names its type nowhere

WARM_UP = 2  # runs before a capture, in which libraries choose their kernels and take their memory
CAPTURING = threading.Lock()  # one at a time, since whether garbage is collected is the same for all threads


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """Collect no garbage: a graph of an engine that is gone may be in it, and letting go of one breaks a capture."""
    with CAPTURING:
        enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if enabled:
                gc.enable()


def captured(work: Callable[[], object], device: torch.device, pool: Pool | None) -> Callable[[], object]:
    """The same work, as a CUDA graph; without a GPU the work itself.

    Args:
        work: reads and writes tensors that stay where they are, and asks the device for nothing. It is done a few
            times before it is captured, so what it does must not add up.
        device: where the tensors are.
        pool: memory that graphs share; what one leaves there, the next overwrites. None without a GPU.
    """
    if pool is None:
        return work
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with nothing_collected(), torch.cuda.graph(graph, pool, side, "thread_local"):  # other threads use the device, too
        work()
    return graph.replay


def make_pool(device: torch.device) -> Pool | None:
    """Memory for the graphs of one thread, none of which runs beside another."""
    if device.type != "cuda":
        return None
    return torch.cuda.graph_pool_handle()
