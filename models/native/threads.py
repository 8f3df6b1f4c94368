"""Compiled functions on torch's own threads: a second set beside them would wait for the same processors."""

from __future__ import annotations

import ctypes
import functools
import logging
from ctypes import c_uint, c_void_p
from pathlib import Path
from typing import Any

from models.native.compiler import UnavailableError, load

log = logging.getLogger(__name__)


class Task:
    """A function of one structure, out of which every thread takes work until there is none left.

    Raises:
        UnavailableError: where torch's threads are not those of GNU OpenMP, as they are on Linux.
    """

    def __init__(self, function: Any) -> None:
        try:
            self.parallel = ctypes.CDLL(None).GOMP_parallel
        except (AttributeError, TypeError, OSError):
            raise UnavailableError("torch's threads are not those of GNU OpenMP") from None
        self.parallel.argtypes, self.parallel.restype = (c_void_p, c_void_p, c_uint, c_uint), None
        self.function = ctypes.cast(function, c_void_p)

    def run(self, structure: ctypes.Structure, threads: int) -> None:
        """Call it on so many threads, and wait for all of them."""
        self.parallel(self.function, ctypes.byref(structure), threads, 0)


@functools.cache
def find_task(source: Path, name: str, what: str) -> Task | None:
    """A function of a C file, compiled now if it was not before; None, and `what` is said to be torch's, if not."""
    try:
        return Task(getattr(load(source), name))
    except UnavailableError as error:
        log.info("%s is left to torch, which takes longer: %s", what, error)
        return None
