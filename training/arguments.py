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


def add_test(parser: argparse.ArgumentParser) -> None:
    """`--test`, sets whose scores a bundle tells."""
    metavar = "NAME=SOURCE,TARGET,de-en"
    parser.add_argument("--test", action="append", default=[], metavar=metavar, help="score a test set once")


def add_remake(parser: argparse.ArgumentParser) -> None:
    """A bundle, the place of what is made of it, and parallel text that says how."""
    add = parser.add_argument
    add("bundle", type=Path, metavar="BUNDLE")
    add("output", type=Path, metavar="NEW", help="with --force it may be BUNDLE itself")
    text = "translations of each other, line by line, whose suffixes are their languages; may be repeated"
    add("--text", type=Path, nargs=2, action="append", required=True, metavar="FILE", help=text)
    add("--force", action="store_true", help="replace NEW if it exists")
