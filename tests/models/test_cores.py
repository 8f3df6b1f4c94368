"""How many processors a process takes that control groups limit."""

import math
import os
from pathlib import Path

import pytest

from models import cores as module
from models.cores import allowed_time, available_cores, threads_for


@pytest.mark.parametrize(
    ("own", "files", "allowed"),
    [
        ("0::/", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/", {"unified/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/pod/mt", {"pod/cpu.max": "300000 100000\n", "pod/mt/cpu.max": "max 100000\n"}, 3),
        ("0::/host/name/of/it", {"cpu.max": "150000 100000\n"}, 1.5),  # as a container sees it
        (
            "3:cpu,cpuacct:/mt",
            {"cpu,cpuacct/mt/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/mt/cpu.cfs_period_us": "100000\n"},
            4,
        ),
        ("1:cpu:/docker/7f", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ("3:cpuset:/\n2:cpuacct:/", {"cpuset/cpu.max": "100000 100000\n"}, math.inf),
        ("0::/../elsewhere", {"cpu.max": "100000 100000\n"}, 1),
        ("nonsense\n0::/", {"cpu.max": "what is this\n"}, math.inf),
        ("0::/", {"cpu.max": "100000 0\n"}, math.inf),
    ],
)
def test_control_groups_tell_what_they_allow(own: str, files: dict[str, str], allowed: float, tmp_path: Path) -> None:
    groups, said = tmp_path / "groups", tmp_path / "own"
    said.write_text(own + "\n", encoding="utf-8")
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text, encoding="utf-8")
    assert allowed_time(groups, said) == allowed


def test_where_there_are_no_control_groups_nothing_is_limited(tmp_path: Path) -> None:
    assert allowed_time(tmp_path, tmp_path / "own") == math.inf


@pytest.mark.parametrize(("allowed", "cores"), [(math.inf, 8), (2, 2), (1.5, 2), (0.1, 1), (64, 8)])
def test_no_more_processors_are_taken_than_there_is_time_for(
    allowed: float, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "allowed_time", lambda: allowed)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cores() == cores
    assert threads_for(0, 64) == cores
    assert threads_for(0, 1) == 1
    assert threads_for(5, 64) == 5
