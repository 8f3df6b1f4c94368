"""Compiling for this processor: once, atomically, and with a sentence when it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.native import compiler
from models.native.compiler import COMPILERS, HEADERS, UnavailableError, cache, compiled, load, temporary_cache

SOURCE = HEADERS / "gated.c"
pytestmark = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C compiler on this machine")


def test_the_library_is_compiled_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = compiled(SOURCE)
    assert first.parent == tmp_path / "mt-service"
    made_at = first.stat().st_mtime_ns
    assert compiled(SOURCE) == first
    assert first.stat().st_mtime_ns == made_at
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_damaged_library_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = HEADERS / "dropout.c"
    library = compiled(source)
    library.write_bytes(b"")
    assert load(source).mt_drop
    assert library.stat().st_size > 1000


def test_what_cannot_be_loaded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_nothing(_compiler: str, _source: Path, target: Path) -> None:
        target.write_bytes(b"")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler, "compile_library", write_nothing)
    with pytest.raises(UnavailableError, match=r"what the C compiler made cannot be loaded: .*file too short"):
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
