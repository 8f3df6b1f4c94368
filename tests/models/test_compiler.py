"""Compiling for this processor: once, atomically, and with a sentence when it fails."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.native import compiler
from models.native.compiler import (
    COMPILERS,
    HEADERS,
    UnavailableError,
    cache,
    compiled,
    load,
    sum_of,
    temporary_cache,
)

SOURCE = HEADERS / "gated.c"
pytestmark = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C compiler on this machine")


def test_the_library_is_compiled_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = compiled(SOURCE)
    assert first.parent == tmp_path / "mt-service"
    made_at = first.stat().st_mtime_ns
    assert compiled(SOURCE) == first
    assert first.stat().st_mtime_ns == made_at
    assert {path.name for path in first.parent.iterdir()} == {first.name, sum_of(first).name}


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_library_is_compiled_anew(share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = HEADERS / "dropout.c"
    library = compiled(source)
    whole = library.read_bytes()
    library.write_bytes(whole[: int(share * len(whole))])
    assert load(source).mt_drop
    assert library.read_bytes() == whole


def test_two_may_compile_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(compiled, [HEADERS / "dropout.c"] * 4))
    (library,) = found
    assert {path.name for path in library.parent.iterdir()} == {library.name, sum_of(library).name}


def test_a_library_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler, "flush", full)
    with pytest.raises(UnavailableError, match=r"cannot be kept or loaded: .*No space left on device"):
        load(HEADERS / "dropout.c")
    assert list((tmp_path / "mt-service").iterdir()) == []


def test_what_cannot_be_loaded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_nothing(_compiler: str, _source: Path, target: Path) -> None:
        target.write_bytes(b"")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler, "compile_library", write_nothing)
    with pytest.raises(UnavailableError, match=r"what the C compiler makes cannot be kept or loaded: .*file too short"):
        load(SOURCE)


def test_a_home_that_may_not_hold_programs_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache() == tmp_path / "mt-service"
    monkeypatch.setattr(compiler.os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    assert cache() == temporary_cache()


def test_a_compiler_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler.shutil, "which", lambda _: "/bin/false")
    with pytest.raises(UnavailableError, match=r"/bin/false cannot compile gated\.c"):
        compiled(SOURCE)
    monkeypatch.setattr(compiler.shutil, "which", lambda _: None)
    with pytest.raises(UnavailableError, match="there is no C compiler"):
        compiled(SOURCE)


def test_without_a_home_the_library_goes_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    assert cache() == temporary_cache()
    assert cache().stat().st_mode & 0o077 == 0
