"""The compiled engine's library: compiled once for this processor, kept in the user's cache, checked before use."""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy

from mt_service.engine.native.structures import declare, make_product

log = logging.getLogger(__name__)
SOURCES = Path(__file__).parent
COMPILERS = ("cc", "gcc", "clang")
# Without contraction, rows are computed alike wherever they stand in a batch.
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC", "-pthread")
TUNINGS = (("-march=native",), ("-mcpu=native",), ())  # one compiler knows this, another one that
SECONDS = 120  # that compiling may take


class UnavailableError(Exception):
    """There is no compiled library on this machine; the message tells why."""


@functools.cache
def library() -> ctypes.CDLL:
    """The library, compiled now if it has not been before.

    Raises:
        UnavailableError: without a C compiler, or when what it makes computes wrongly.
    """
    made = declare(ctypes.CDLL(str(compiled())))
    if not correct(made):
        raise UnavailableError("what the C compiler makes computes wrongly on this processor")
    return made


def compiled() -> Path:
    """The library's file in the cache; compiled beside it and then renamed, so that it is never half there."""
    compiler = next((found for found in map(shutil.which, COMPILERS) if found), None)
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    key = hashlib.sha256(repr((sources, FLAGS, compiler, processor())).encode()).hexdigest()[:24]
    folder = cache()
    target = folder / f"native-{key}.so"
    if not target.exists():
        if compiler is None:
            raise UnavailableError(f"there is no C compiler ({', '.join(COMPILERS)})")
        temporary = folder / f".{target.name}.{os.getpid()}.tmp"
        try:
            compile_library(compiler, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    return target


def compile_library(compiler: str, target: Path, tunings: Sequence[Sequence[str]] = TUNINGS) -> None:
    """Compile, with the first options for this very processor that the compiler knows."""
    complaint = ""
    for tuning in tunings:
        command = [compiler, *FLAGS, *tuning, "-o", str(target), str(SOURCES / "native.c"), "-lm"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"{compiler} cannot be run: {error}") from None
        if done.returncode == 0:
            return
        complaint = complaint or done.stderr.strip()
    raise UnavailableError(f"{compiler} cannot compile the engine: {complaint[:500]}")


def cache() -> Path:
    """A folder that only this user writes to; one for this process alone where the home cannot be written."""
    home = os.environ.get("XDG_CACHE_HOME") or (Path(os.environ["HOME"]) / ".cache" if "HOME" in os.environ else None)
    if home:
        folder = Path(home) / "mt-service"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
                return folder
        except OSError:
            pass
    return temporary_cache()


@functools.cache
def temporary_cache() -> Path:
    """A folder that goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="mt-service-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def processor() -> Sequence[str]:
    """What code for this processor may not run on another one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine(), platform.processor()
    kinds = ("flags", "Features", "model name", "CPU part")
    return platform.machine(), *sorted({line for line in lines if line.startswith(kinds)})


def correct(made: ctypes.CDLL) -> bool:
    """Whether products are those of 64-bit integers."""
    rng = numpy.random.default_rng(1)
    weights = rng.integers(-127, 128, (48, 64)).astype(numpy.int8)
    weights[:, 0] = 127
    rows = rng.integers(-127, 128, (13, 64)).astype(numpy.float32)
    rows[:, 0] = 127
    rows[0], weights[0] = 127, -127
    product = make_product(weights, numpy.ones(48, numpy.float32), None)
    out = numpy.empty((13, 48), numpy.float32)
    done = made.mt_multiply(ctypes.byref(product.structure), rows.ctypes.data, len(rows), out.ctypes.data)
    return bool(done and numpy.array_equal(out, rows.astype(numpy.int64) @ weights.astype(numpy.int64).T))
