"""The command line: exit codes, messages, lines in and lines out."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from mt_service.cli import main
from mt_service.lines import render
from mt_service.server import listen
from mt_service.settings import Settings
from mt_service.translation import Alternative, Translation

TO_BB = ("--source", "aa", "--target", "bb")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MT_THREADS", "1")


@pytest.fixture
def translate(golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """A function that translates bytes with the golden bundle, through files."""

    def run(text: bytes, *words: str) -> tuple[int, bytes, str]:
        source, target = tmp_path / "in", tmp_path / "out"
        source.write_bytes(text)
        files = ("--input", str(source), "--output", str(target))
        code = main(["translate", "--bundle", str(golden), *TO_BB, *files, *words])
        return code, target.read_bytes() if target.exists() else b"", capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "command",
    ["prepare", "train", "diagnose", "export", "shortlist", "translate", "evaluate", "score", "rescore", "serve"],
)
def test_every_command_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "example" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["translate"],
        ["translate", *TO_BB, "--beam", "many"],
    ],
)
def test_a_wrong_call_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as error:
        code = int(str(error.code))
    assert code == 2
    assert "usage: mt" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mt-service ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["translate", *TO_BB, "--bundle", "nowhere"], "nowhere is no bundle: there is no such folder"),
        (["translate", *TO_BB, "--batch", "0"], "--batch must be at least 1, but is 0"),
        (["translate", *TO_BB, "--n-best", "3"], "--n-best needs --format json or --format moses"),
        (["translate", *TO_BB, "--n-best", "0"], "--n-best must be at least 1, but is 0"),
        (["translate", *TO_BB, "--html", "--n-best", "2"], "--html gives one translation: leave --n-best out"),
        (["translate", *TO_BB, "--bundle", __file__], "is no bundle: it is a file, and a bundle is a folder"),
        (["score", "--source", "x.de", "--target", "x.txt"], "say the language with --target-language"),
        (["translate", *TO_BB, "--html", "--format", "json"], "--html gives HTML: leave --format json out"),
        (["translate", *TO_BB, "--input", "no.txt"], "cannot read no.txt: No such file or directory"),
        (["translate", *TO_BB, "--output", "no/where"], "cannot write no/where: No such file or directory"),
        (["train", "no.toml"], "no.toml"),
        (["prepare", "no.toml"], "no.toml"),
        (["export", "no-run", "bundle"], "no-run is no run, or a damaged one"),
        (["diagnose", "no-run"], "no-run is no run, or a damaged one"),
        (["evaluate", "--reference", "no.en", "--hypothesis", "x"], "cannot read no.en: No such file or directory"),
        (["serve", "--bundle", "nowhere", "--port", "0"], "nowhere is no bundle"),
        (["serve", "--port", "70000"], "'port' (MT_PORT) must be from 0 to 65,535"),
    ],
)
def test_bad_input_is_2_and_one_sentence(
    words: list[str],
    message: str,
    golden: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert (
        main([*words, *(("--bundle", str(golden)) if words[0] == "translate" and "--bundle" not in words else ())]) == 2
    )
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("mt: error: ")
    assert said.count("\n") == 1


def test_as_many_lines_come_out_as_go_in(translate) -> None:  # type: ignore[no-untyped-def]
    lines = [b"ba dei", b"", b"   ", b"ba " * 500, b"ka\rlo\xe2\x80\xa8mo", b"ba dei\r", b"last without an end"]
    code, out, said = translate(b"\n".join(lines))
    assert code == 0
    assert out.endswith(b"\n")
    translated = out.removesuffix(b"\n").split(b"\n")
    assert len(translated) == len(lines)
    assert translated[0] == b"dei ba"
    assert translated[1:3] == [b"", b"   "]
    assert translated[5] == b"dei ba\r"
    assert all(len(line.decode().splitlines()) <= 1 for line in translated)
    assert "mt: line 4: a sentence of 1499 characters was cut into" in said


def test_of_many_broken_lines_the_first_are_named(translate) -> None:  # type: ignore[no-untyped-def]
    code, out, said = translate(b"ba \xff\n" * 9)
    assert (code, out.count(b"\n"), said.count(" is no UTF-8")) == (0, 9, 5)
    assert "mt: in all, 9 lines are no UTF-8; convert the text, for example with iconv" in said


def test_broken_bytes_are_replaced_and_their_line_is_named(translate) -> None:  # type: ignore[no-untyped-def]
    code, out, said = translate(b"ba dei\nka \xff lo\n")
    assert code == 0
    assert out.count(b"\n") == 2
    assert "mt: line 2 is no UTF-8" in said


@pytest.mark.parametrize("layout", [(), ("--html",)])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(translate, layout: tuple[str, ...], encoding: str) -> None:  # type: ignore[no-untyped-def]
    code, out, said = translate("\ufeffba dei\nka".encode(encoding), *layout)
    assert (code, out) == (2, b"")
    assert "the text is UTF-16: convert it, for example with iconv -f UTF-16 -t UTF-8" in said


def test_a_document_comes_out_with_its_tags(translate) -> None:  # type: ignore[no-untyped-def]
    code, out, said = translate(b"<p>ba dei</p>\r\n<!-- ka \xff -->\n<b>ka ba dei</b>\n", "--html")
    assert (code, out) == (0, "<p>dei ba</p>\r\n<!-- ka \ufffd -->\n<b>dei ba ka</b>\n".encode())
    assert "mt: line 2 is no UTF-8" in said
    assert "(2 lines, 2 sentences" in said
    assert translate(b"", "--html")[:2] == (0, b"")


def test_the_last_line_tells_how_fast(translate) -> None:  # type: ignore[no-untyped-def]
    code, out, said = translate(b"ba dei\n", "--beam", "2", "--quiet")
    assert (code, out) == (0, b"dei ba\n")
    (line,) = said.splitlines()
    assert " s, " in line
    assert " sentences/s, " in line
    assert line.endswith("tokens/s (1 lines, 1 sentences, 4 tokens)")


def test_no_lines_are_no_lines(translate) -> None:  # type: ignore[no-untyped-def]
    assert translate(b"")[:2] == (0, b"")


def test_n_best_lists_are_written_as_json_and_for_moses(translate) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = translate(b"ba dei\n\n", "--n-best", "2", "--format", "json")
    first, second = map(json.loads, out.splitlines())
    assert first["translations"][0]["text"] == "dei ba"
    assert len(first["translations"]) == 2
    assert (second["line"], second["translations"][0]["text"]) == (2, "")
    _, out, _ = translate(b"ba dei\n", "--n-best", "2", "--format", "moses")
    best, _ = out.decode().splitlines()
    assert best.split(" ||| ")[:2] == ["0", "dei ba"]


def test_a_translation_never_looks_like_a_column_of_a_list() -> None:
    translation = Translation("", 0.0, [Alternative("a ||| b|||c", -0.5)], None, 5, 1, [])
    assert render(7, translation, "moses") == "7 ||| a | | | b| | |c ||| -0.500000"


def test_an_output_that_fails_does_not_appear(translate) -> None:  # type: ignore[no-untyped-def]
    code, out, said = translate(b"ba\n", "--n-best", "9", "--beam", "2", "--format", "json")
    assert (code, out) == (2, b"")
    assert "'n_best' must be from 1 to 'beam' (2), but is 9" in said


def test_a_program_may_talk_line_by_line(golden: Path) -> None:
    command = [sys.executable, "-m", "mt_service", "translate", "--bundle", str(golden), *TO_BB, "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as talk:
        assert talk.stdin is not None
        assert talk.stdout is not None
        for asked, answer in [(b"ba dei\n", b"dei ba\n"), (b"ka lo mo\n", b"mo lo ka\n")]:
            talk.stdin.write(asked)
            talk.stdin.flush()
            assert talk.stdout.readline() == answer
        talk.stdin.close()
        assert talk.wait(20) == 0


def run_mt(*words: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "mt_service", *words], **streams, check=False)


def test_output_may_be_named_as_what_standard_output_is(golden: Path, tmp_path: Path) -> None:
    words = ["translate", "--bundle", str(golden), *TO_BB, "--quiet", "--output", "/dev/stdout"]
    log = tmp_path / "log"
    log.write_bytes(b"precious\n")
    with log.open("ab") as stream:
        assert run_mt(*words, input=b"ba dei\n", stdout=stream).returncode == 0
    assert log.read_bytes() == b"precious\ndei ba\n"
    assert run_mt(*words, input=b"ba dei\n", stdout=subprocess.PIPE).stdout == b"dei ba\n"


@pytest.mark.parametrize(
    ("closed", "code", "out", "err"),
    [
        ("2>&-", 0, b"dei ba\n", b""),
        ("<&-", 2, b"", b"mt: error: standard input is closed: name a file with --input\n"),
        (">&-", 2, b"", b"mt: error: standard output is closed: name a file with --output\n"),
    ],
)
def test_a_stream_may_be_closed(golden: Path, closed: str, code: int, out: bytes, err: bytes) -> None:
    call = shlex.join([sys.executable, "-m", "mt_service", "translate", "--bundle", str(golden), *TO_BB, "--quiet"])
    done = subprocess.run(f"{call} {closed}", input=b"ba dei\n", capture_output=True, shell=True, check=False)
    assert (done.returncode, done.stdout) == (code, out)
    assert done.stderr == err or (code == 0 and not err)


def test_a_pipe_that_is_empty_for_a_moment_is_not_at_its_end(golden: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = [sys.executable, "-m", "mt_service", "translate", "--bundle", str(golden), *TO_BB, "--quiet"]
    with subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.close(reading)
        assert process.stdout is not None
        for _ in range(2):
            os.write(writing, b"ba dei\n")
            assert process.stdout.readline() == b"dei ba\n"
        os.close(writing)
        assert process.wait(20) == 0


def test_sigterm_leaves_no_half_written_file(golden: Path, tmp_path: Path) -> None:
    words = ["--bundle", str(golden), *TO_BB, "--quiet", "--output", str(tmp_path / "out")]
    command = [sys.executable, "-m", "mt_service", "translate", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 30
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < end, "it never began"
            time.sleep(0.02)
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_is_changed_before_and_after_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("seed = 1", encoding="utf-8")
    assert main(["prepare", str(recipe), "--force", "seeds=1"]) == 2
    assert "unknown key 'seeds'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["prepare", str(recipe), "--force", "seed"])
    assert "unrecognized arguments: seed" in capsys.readouterr().err


def test_json_has_no_line_ends_of_the_input() -> None:
    translation = Translation("", 0.0, [Alternative("a\u2028b\r", -0.5)], None, 5, 1, [])
    assert json.loads(render(7, translation, "json"))["translations"][0]["text"] == "a b"


def test_two_servers_that_start_together_do_not_share_an_address() -> None:
    with listen(Settings(port=0)) as first, pytest.raises(UserError, match="Address already in use; see --host"):
        listen(Settings(port=first.getsockname()[1]))


@pytest.mark.parametrize(("flag", "value"), [("--beam", "-1"), ("--n-best", "0"), ("--batch", "0")])
def test_a_flag_below_one_is_named(translate: Any, flag: str, value: str) -> None:
    code, out, said = translate(b"ba\n", flag, value, "--rerank", "--format", "json")
    assert (code, out) == (2, b"")
    assert f"{flag} must be at least 1, but is {value}" in said


def test_an_address_in_use_is_told_before_models_are_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--bundle", "nowhere", "--port", str(taken.getsockname()[1])]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mt: error: cannot listen on 127.0.0.1, port ")
    assert "Address already in use; see --host and --port" in said
