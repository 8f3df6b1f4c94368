"""What a process that trains settles before torch is imported: its memory, and how its threads wait."""

from training.memory import keep_memory, take_mimalloc
from training.waiting import wait_briefly


def settle() -> None:
    """Settle all of it; where mimalloc is installed, the process begins anew."""
    take_mimalloc()
    keep_memory()
    wait_briefly()
