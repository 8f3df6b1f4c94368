"""Memory that training keeps, in a process of its own."""

import platform
import resource
import subprocess
import sys

import pytest

PROGRAM = """
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way")
def test_an_update_gets_the_pages_that_the_one_before_it_had() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 0.2 * TOUCHED
