"""`mt export RUN BUNDLE`: arguments here, the work in training/export.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.arguments import add_test


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `mt export`."""
    add = parser.add_argument
    add("run_folder", type=Path, metavar="RUN", help="a run's folder, such as workspace/runs/NAME")
    add("bundle", type=Path, metavar="BUNDLE", help="the folder to write")
    add("--checkpoint", choices=["best", "last", "average"], default="best", help="whose weights; default: best")
    add("--last", type=int, default=5, metavar="N", help="checkpoints that `average` takes; default: 5")
    told = "mix in a share of the weights of a run or bundle that it started from, such as first=0.3"
    add("--blend", metavar="PLACE=SHARE", help=f"{told}; what the run has changed counts less then")
    storages = ["float32", "bfloat16", "int8"]
    add("--storage", choices=storages, help="of matrices; default: int8, or float32 after ridge regression")
    add("--name", help="of the bundle; default: the run's")
    add("--beam", type=int, default=5, help="default of requests, and for scores; default: 5")
    add("--length-penalty", type=float, default=None, metavar="ALPHA", help="default: tuned on the dev sets")
    add("--card", type=Path, metavar="TOML", help="licence, attribution and notes for the model card")
    add_test(parser)
    add("--force", action="store_true", help="replace a bundle that is there")


def run(arguments: argparse.Namespace) -> int:
    """Export, with heavy imports only now."""
    from training.export import export

    return export(arguments)
