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
from typing import Any


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
