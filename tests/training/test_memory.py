"""Memory that training keeps, in processes of their own."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
if sys.argv[1] == "keep":
    from training.memory import keep_memory
    keep_memory()
import torch
torch.set_num_threads(1)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def update():
    blocks = [torch.zeros(16 << 18) for _ in range(4)]
    return sum(block.sum() for block in blocks)
update()
before = faults()
for _ in range(10):
    update()
print(faults() - before)
"""


def faults(how: str) -> int:
    found = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way")
def test_an_update_gets_the_pages_that_the_one_before_it_had() -> None:
    assert faults("keep") < 0.1 * faults("leave")
