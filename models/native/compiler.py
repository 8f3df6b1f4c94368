"""C for this very processor: compiled once, kept in the user's cache."""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from data.files import flush, sha256

HEADERS = Path(__file__).parent  # what all that is compiled shares
COMPILERS = ("cc", "gcc", "clang")
# Without contraction, rows are computed alike wherever they stand in a batch.
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC", "-pthread")
TUNINGS = (("-march=native",), ("-mcpu=native",), ())  # one compiler knows this, another one that
SECONDS = 120  # that compiling may take


class UnavailableError(Exception):
    """There is no compiled library on this machine; the message tells why."""


def load(source: Path) -> ctypes.CDLL:
    """The library of a C file, compiled now if it has not been before, or if what the cache has is damaged.

    Raises:
        UnavailableError: where nothing can be compiled, or what is compiled cannot be kept or loaded.
    """
    try:
        return opened(source)
    except OSError as error:
        raise UnavailableError(f"what the C compiler makes cannot be kept or loaded: {error}") from None


def opened(source: Path) -> ctypes.CDLL:
    """The library; one that cannot be loaded, since another system made it, is compiled anew once."""
    library = compiled(source)
    try:
        return ctypes.CDLL(str(library))
    except OSError:
        library.unlink(missing_ok=True)
    return ctypes.CDLL(str(compiled(source)))


def compiled(source: Path) -> Path:
    """The library of a C file in the cache; compiled beside it and then renamed, so that it is never half there.

    Its sum lies beside it: to load a damaged library can end the process.

    Raises:
        UnavailableError: without a C compiler, or when it fails.
        OSError: where it cannot be kept.
    """
    compiler = next((found for found in map(shutil.which, COMPILERS) if found), None)
    files = {*source.parent.glob("*.[ch]"), *HEADERS.glob("*.h")}
    sources = b"".join(path.read_bytes() for path in sorted(files))
    key = hashlib.sha256(repr((sources, FLAGS, compiler, processor())).encode()).hexdigest()[:24]
    target = cache() / f"{source.stem}-{key}.so"
    if not is_whole(target):
        if compiler is None:
            raise UnavailableError(f"there is no C compiler ({', '.join(COMPILERS)})")
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            made = Path(folder) / target.name
            compile_library(compiler, source, made)
            sum_of(made).write_text(sha256(made), encoding="utf-8")
            for file in (sum_of(made), made):
                flush(file)
                file.replace(target.with_name(file.name))
    return target


def sum_of(library: Path) -> Path:
    """The file that holds a library's SHA-256."""
    return library.with_suffix(".sha256")


def is_whole(library: Path) -> bool:
    """Whether a library is there, as it was compiled."""
    try:
        return sum_of(library).read_text(encoding="utf-8") == sha256(library)
    except (OSError, UnicodeDecodeError):
        return False


def compile_library(compiler: str, source: Path, target: Path, tunings: Sequence[Sequence[str]] = TUNINGS) -> None:
    """Compile, with the first options for this very processor that the compiler knows."""
    complaint = ""
    for tuning in tunings:
        command = [compiler, *FLAGS, *tuning, f"-I{HEADERS}", "-o", str(target), str(source), "-lm"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"{compiler} cannot be run: {error}") from None
        if done.returncode == 0:
            return
        complaint = complaint or done.stderr.strip()
    raise UnavailableError(f"{compiler} cannot compile {source.name}: {complaint[:500]}")


def cache() -> Path:
    """A folder that only this user writes to; one for this process alone where the home cannot hold programs."""
    home = os.environ.get("XDG_CACHE_HOME") or (Path(os.environ["HOME"]) / ".cache" if "HOME" in os.environ else None)
    if home:
        folder = Path(home) / "mt-service"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            runs = not os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0)  # which only Linux tells
            if runs and os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
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
