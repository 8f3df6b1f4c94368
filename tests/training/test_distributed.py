"""Processes that trained together part without leaving anything running, which would abort them as they end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TASKS = Path("/proc/self/task")
SCRIPT = f"""
import sys, torch
from pathlib import Path
from training.distributed import World, leave
names = lambda: [path.read_text() for path in Path("{TASKS}").glob("*/comm")]
torch.distributed.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=0, world_size=1)
weight = torch.nn.Parameter(torch.ones(3))
weight.sum().backward()
torch.optim.Adam([weight]).step()  # which imports what would hold the group
inside = names()
leave(World(0, 2))
print(sum("gloo" in name for name in inside), sum("gloo" in name for name in names()))
"""


@pytest.mark.skipif(not TASKS.is_dir(), reason="threads are counted by Linux's /proc")
def test_no_thread_of_the_group_outlives_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "meeting")], capture_output=True, text=True, check=True
    )
    inside, left = map(int, done.stdout.split())
    assert (inside > 0, left) == (True, 0)
