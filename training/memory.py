"""Memory that training keeps: a page that the system gives anew costs more than what is computed with it."""

from __future__ import annotations

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h's names for them, without M_
KEPT = (1 << 31) - 1, 1 << 30  # bytes: what is freed at the heap's end is kept, and only larger blocks lie elsewhere


def keep_memory() -> None:
    """Have the C library keep what is freed for the next update, and torch ask for large pages; where they can.

    To be called before torch is imported, which looks once whether it shall. glibc alone is known to profit.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        for parameter, value in zip((TRIM_THRESHOLD, MMAP_THRESHOLD), KEPT, strict=True):
            library.mallopt(parameter, value)
