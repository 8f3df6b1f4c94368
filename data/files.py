"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

OTHER_FILES = 100  # that a process may have open beside those that it counts


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it into place.

    Who may read a file that it replaces stays the same.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; on success rename it into place, over an older one.

    What is written there must be flushed by whoever writes it. What killed processes left is removed first.
    """
    folder = folder.resolve()
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = temporary.with_suffix(".old")
    folder.parent.mkdir(parents=True, exist_ok=True)
    tidy(folder)
    try:
        temporary.mkdir()
        yield temporary
        if folder.exists():
            folder.replace(old)
        temporary.replace(folder)
        flush(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Remove what processes that are gone left beside a folder; one that was just being replaced comes back."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*"):
        owner, _, kind = left.name.removeprefix(f".{folder.name}.").partition(".")
        if kind not in ("tmp", "old") or not owner.isdecimal() or (int(owner) != os.getpid() and runs(int(owner))):
            continue
        if kind == "old" and not folder.exists():
            left.replace(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


def runs(process: int) -> bool:
    """Whether there may be a process of this number."""
    if os.name == "nt":
        return True  # there, looking for one would end it
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def flush(path: Path) -> None:
    """Make a file or a folder's entries durable (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(file: Path, place: Path) -> None:
    """Copy a file's content, so that it is on disk afterwards."""
    shutil.copyfile(file, place)
    flush(place)


@contextlib.contextmanager
def create(path: Path) -> Iterator[BinaryIO]:
    """A file to write, whole or not at all; a pipe, or where standard output goes, is written on at once."""
    if path.exists() and (not path.is_file() or is_standard(path)):
        with path.open("ab") as stream:
            yield stream
        return
    path = path.resolve()
    with atomic(path) as temporary, temporary.open("wb") as stream:
        yield stream


def is_standard(path: Path) -> bool:
    """Whether a path, such as /dev/stdout, is of the file that standard output or standard error goes to."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # closed
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return True
    return False


def may_open(files: int) -> bool:
    """Whether so many files may be open at once, beside some others; a limit that may be raised is."""
    if resource is None:
        return True
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = files + OTHER_FILES
    if limit == resource.RLIM_INFINITY or needed <= limit:
        return True
    if most != resource.RLIM_INFINITY and needed > most:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented UTF-8 JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
