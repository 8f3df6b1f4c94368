"""Several processes as one run, started by torchrun: gloo on CPU, nccl on GPU.

Each process computes gradients of its own batches; the sums meet once per update, so accumulation costs no traffic.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed

from data.config import check

if distributed.is_available():
    import torch.distributed.nn  # imported later, its functions' defaults would keep the group there is, and threads
PATIENCE = timedelta(hours=12)  # that processes wait while the leading one prepares data, or teachers translate it


class World(NamedTuple):
    """This process among all."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and evaluates."""
        return self.rank == 0


def join() -> World:
    """Meet the other processes that torchrun started; alone when it did not.

    Raises:
        UserError: when there are more of them than GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return World()
    world = World(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        there = torch.cuda.device_count()
        check(world.local_rank < there, f"there are {there} GPUs here: let torchrun start no more processes")
        torch.cuda.set_device(world.local_rank)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    return world


def leave(world: World) -> None:
    """Part from the other processes."""
    if world.size > 1:
        distributed.destroy_process_group()


def sum_all(tensors: Iterable[Tensor], world: World) -> None:
    """Add up tensors over all processes, in place, in one message."""
    parts = list(tensors)
    if world.size == 1:
        return
    flat_X = torch.cat([part.reshape(-1) for part in parts])
    distributed.all_reduce(flat_X)
    start = 0
    for part in parts:
        part.copy_(flat_X[start : start + part.numel()].view_as(part))
        start += part.numel()


def gather(value: Any, world: World) -> list[Any]:
    """Every process's value, by rank."""
    values: list[Any] = [value]
    if world.size > 1:
        values = [None] * world.size
        distributed.all_gather_object(values, value)
    return values


def share(value: Any, world: World) -> Any:
    """The leading process's value, in every process."""
    values = [value]
    if world.size > 1:
        distributed.broadcast_object_list(values, src=0)
    return values[0]
