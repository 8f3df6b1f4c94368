"""`mt translate`, for other commands: from file to file, and from lines to lines."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.files import write_text
from data.languages import languages_of
from mt_service.arguments import add_translate
from mt_service.lines import run


def translate_file(
    source: Path, target: Path, direction: str, options: Mapping[str, object], words: Sequence[str] = ()
) -> None:
    """Translate a file's lines into as many of another one.

    Args:
        source: UTF-8.
        target: appears when it is whole.
        direction: such as de-en.
        options: flags and their values, None for those that are not given.
        words: flags without a value.
    """
    languages = zip(("source", "target"), languages_of(direction), strict=True)
    flags = {**dict(languages), "input": source, "output": target, **options}
    given = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    parser = argparse.ArgumentParser()
    add_translate(parser.add_subparsers(), run)
    run(parser.parse_args(["translate", *given, *words, *quiet]))


def translate_lines(lines: Sequence[str], direction: str, options: Mapping[str, object]) -> list[str]:
    """Translate lines; `options` are flags and their values, None for those that are not given."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        write_text(source, "".join(line + "\n" for line in lines))
        translate_file(source, target, direction, options)
        return target.read_bytes().decode("utf-8").split("\n")[:-1]
