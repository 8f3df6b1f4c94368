"""Flags that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_bundle(parser: Any, use: str = "", many: bool = False) -> None:
    """`--bundle`, on a parser or a group of one; `many` makes a list of it.

    Args:
        parser: where to.
        use: what the bundle is for, if that needs saying.
        many: whether the flag may be repeated.
    """
    words = [use, "may be repeated" if many else "", "default: the one that ships"]
    action, name = ("append", "bundles") if many else ("store", "bundle")
    text = "; ".join(filter(None, words))
    parser.add_argument("--bundle", action=action, dest=name, type=Path, metavar="DIR", help=text)


def add_languages(parser: argparse.ArgumentParser, target: str) -> None:
    """`--source-language` and `--target-language`; the suffixes of the source file and the `target` file tell them."""
    for side, file in (("source", "source"), ("target", target)):
        parser.add_argument(f"--{side}-language", metavar="LANGUAGE", help=f"default: the suffix of the {file} file")


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`."""
    choices = ["auto", "cpu", "cuda"]
    parser.add_argument("--device", choices=choices, default="auto", help="default: a GPU when there is one")
