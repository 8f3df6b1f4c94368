import hashlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from data.files import OTHER_FILES, atomic, atomic_folder, create, may_open, sha256, write_json, write_text


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def write_half(path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_who_may_read_a_file_stays_the_same(tmp_path: Path) -> None:
    (tmp_path / "private").touch(0o600)
    write_text(tmp_path / "private", "mine")
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_beside_a_folder_is_removed(tmp_path: Path) -> None:
    number, strangers = gone(), (".it.1.tmp", ".it.x.tmp", ".it.99.txt", ".item.7.tmp")
    for name in (f".it.{number}.tmp", f".it.{number}.old", "it", *strangers):
        (tmp_path / name).mkdir()
    with atomic_folder(tmp_path / "it") as temporary:
        (temporary / "new").touch()
    assert {path.name for path in tmp_path.iterdir()} == {"it", *strangers}
    assert (tmp_path / "it" / "new").exists()


def test_a_folder_whose_replacement_was_killed_comes_back(tmp_path: Path) -> None:
    old = tmp_path / f".it.{gone()}.old"
    old.mkdir()
    (old / "kept").touch()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "it"):
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["it", "kept"]


def test_json_and_text_are_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"k": "ü"})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"k": "ü"}
    assert "ü".encode() in (tmp_path / "a.json").read_bytes()
    write_text(tmp_path / "a.txt", "a\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == b"a\nb\n"


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00\xff" * 1000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"\x00\xff" * 1000).hexdigest()


def test_a_pipe_and_a_link_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("pipe", "link"):
        with create(tmp_path / name) as stream:
            stream.write(b"text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"text"


def test_a_limit_of_open_files_is_raised_as_far_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(256, 1000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert may_open(256 - OTHER_FILES)
    assert not may_open(1001 - OTHER_FILES)
    assert limits == [(256, 1000)]
    assert may_open(500)
    assert limits[1:] == [(500 + OTHER_FILES, 1000)]
