"""How many processors this process may use: of those that the machine has, containers are often given a few."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def available_cores() -> int:
    """Processors that this process may run on, and no more than it is allowed the time of."""
    runs_on = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(runs_on, allowed_time())))


def threads_for(wish: int, by_itself: int) -> int:
    """Threads for torch: those wished for; if that is 0, what it takes by itself, but no more than there are cores."""
    return wish or min(by_itself, available_cores())


def set_threads(wish: int) -> None:
    """Have torch compute in this thread with as many threads as are wished for; 0 leaves it to `threads_for`."""
    import torch  # which serving on a CPU can do without

    torch.set_num_threads(threads_for(wish, torch.get_num_threads()))


def allowed_time(groups: Path = GROUPS, own: Path = OWN) -> float:
    """Processors' worth of time that control groups, of either version, let this process have, or infinity.

    See cgroups(7), and the kernel's documentation of `cpu.max` and `cpu.cfs_quota_us`. A container may see its own
    group as the topmost one, under another name than the one it is told.
    """
    lines = own.read_text(encoding="utf-8", errors="replace").splitlines() if own.exists() else []
    named = (line.split(":", 2) for line in lines if line.count(":") >= 2)
    folders = (folder for _, controllers, path in named for folder in folders_of(groups, controllers, path))
    return min(map(limit_of, folders), default=math.inf)


def folders_of(groups: Path, controllers: str, path: str) -> Iterator[Path]:
    """A group and those above it, wherever they may be found."""
    if controllers and "cpu" not in controllers.split(","):
        return
    for root in (groups / controllers,) if controllers else (groups, groups / "unified"):
        group = root / path.strip("/")
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(root))


def limit_of(folder: Path) -> float:
    """What one group allows."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
            )
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or the word `max`
        return math.inf
