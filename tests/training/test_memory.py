"""Memory that training keeps, in processes of their own."""

import os
import platform
import resource
import subprocess
import sys

import pytest

from training.memory import BEGUN, LIBRARY, OPTIONS, PRELOAD, mimalloc

KEEPING = """
import resource
from training.memory import keep_memory
keep_memory()
import torch
torch.set_num_threads(1)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def update():
    return sum(block.sum() for block in [torch.zeros(16 << 18) for _ in range(4)])
update()
before = faults()
for _ in range(10):
    update()
print(faults() - before)
"""
TOUCHED = 10 * 4 * (16 << 20) // resource.getpagesize()
BEGUN_ANEW = """
import os, sys
from pathlib import Path
from training.memory import take_mimalloc
take_mimalloc()
left = [name for name in {names} if name in os.environ]
print(sys.argv[1:], "{library}" in Path("/proc/self/maps").read_text(), left)
"""
WATCHED = [PRELOAD, BEGUN, *OPTIONS]
without_mimalloc = pytest.mark.skipif(mimalloc() is None, reason="mimalloc is not installed (pip install '.[train]')")


def run(program: str, *words: str, **environment: str) -> str:
    """What a program in a process of its own prints."""
    own = {name: value for name, value in os.environ.items() if name not in WATCHED}
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=own | environment).stdout


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way")
def test_an_update_gets_the_pages_that_the_one_before_it_had() -> None:
    assert int(run(KEEPING)) < 0.2 * TOUCHED


@without_mimalloc
def test_a_process_begins_anew_with_mimalloc_and_the_same_words() -> None:
    program = BEGUN_ANEW.format(library=LIBRARY, names=WATCHED)
    assert run(program, "a b", "ä") == "['a b', 'ä'] True []\n"  # and what it starts has another malloc again


@without_mimalloc
def test_what_the_user_preloads_stays_alone() -> None:
    other = str(os.path.realpath(os.__file__))  # no library: the loader says so, and goes on
    program = BEGUN_ANEW.format(library=LIBRARY, names=WATCHED)
    assert run(program, "x", **{PRELOAD: other}) == f"['x'] False ['{PRELOAD}']\n"


@without_mimalloc
def test_a_process_begins_anew_once_whatever_the_loader_does() -> None:
    program = BEGUN_ANEW.format(library=LIBRARY, names=WATCHED)
    assert run(program, **{BEGUN: PRELOAD}) == "[] False []\n"  # as where a loader drops what is to be preloaded
    option = next(iter(OPTIONS))
    assert run(program, **{option: "7"}) == f"[] True ['{option}']\n"  # what the user said holds
    assert run(program, **{PRELOAD: str(mimalloc())}) == f"[] True ['{PRELOAD}']\n"


def test_where_mimalloc_is_not_installed_a_process_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.memory.PACKAGE", "no-such-package")
    assert mimalloc() is None
