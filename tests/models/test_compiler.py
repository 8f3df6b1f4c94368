"""Compiling for this processor: once, atomically, and with a sentence when it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.native import compiler
from models.native.compiler import COMPILERS, HEADERS, UnavailableError, cache, compiled, temporary_cache

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
