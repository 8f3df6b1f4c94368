"""Memory that training keeps: a page that the system gives anew costs more than what is computed with it.

Batches differ in shape, so what an update asks for is hardly ever what the one before it gave back. glibc's `malloc`
looks for a fitting piece among more and more of them, which takes a sixth of the time after some hundred updates.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files

PACKAGE, LIBRARY = "cmeel-mimalloc", "libmimalloc.so"
OPTIONS = {"MIMALLOC_PURGE_DELAY": "-1", "MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"}  # keep all, in large pages
PRELOAD = "LD_PRELOAD"
BEGUN = "TRAINING_BEGUN_ANEW"  # names of the variables that the process before added
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h's names for them, without M_
KEPT = (1 << 31) - 1, 1 << 30  # bytes: what is freed at the heap's end is kept, and only larger blocks lie elsewhere


def take_mimalloc() -> None:
    """Begin this process once more with mimalloc in place of the C library's `malloc`, where it is installed.

    To be called as early as can be, since nothing before it counts. What the user preloads stays alone.
    """
    ours = os.environ.pop(BEGUN, None)
    if ours is not None:  # never twice, whatever the loader made of it
        for name in ours.split(","):
            os.environ.pop(name, None)  # what this process starts need not have it
    elif not os.environ.get(PRELOAD) and sys.argv[0] != "-" and (library := mimalloc()):
        added = {PRELOAD: library} | {name: value for name, value in OPTIONS.items() if name not in os.environ}
        environment = {**os.environ, **added, BEGUN: ",".join(added)}
        with suppress(OSError, ValueError, TypeError):  # where that is not allowed, or Python's place is not known
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def mimalloc() -> str | None:
    """Where the library lies that can be preloaded, if it does."""
    try:
        parts = files(PACKAGE) if sys.platform == "linux" else None
    except PackageNotFoundError:
        return None
    places = [str(part.locate()) for part in parts or () if part.name == LIBRARY]
    return next((place for place in places if not {" ", ":"} & set(place) and os.access(place, os.R_OK)), None)


def keep_memory() -> None:
    """Have the C library keep what is freed for the next update, and torch ask for large pages; where they can.

    To be called before torch is imported, which looks once whether it shall. glibc alone is known to profit, where
    mimalloc is not in its place.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        for parameter, value in zip((TRIM_THRESHOLD, MMAP_THRESHOLD), KEPT, strict=True):
            library.mallopt(parameter, value)
