"""`mt diagnose RUN`: arguments here, the work in training/diagnosis.py."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `mt diagnose`."""
    add = parser.add_argument
    add("run_folder", type=Path, metavar="RUN", help="a run's folder, such as workspace/runs/NAME")
    add("--checkpoint", choices=["best", "last"], default="best", help="whose averaged weights; default: best")
    add("--direction", metavar="de-en", help="of the sentences that are read; default: the run's first")
    add("--sentence", metavar="TEXT", help="whose attention is drawn; default: the first dev sentence")
    add("--sentences", type=int, default=64, metavar="N", help="dev sentences to measure on; default: 64")


def run(arguments: argparse.Namespace) -> int:
    """Diagnose, with heavy imports only now."""
    from training.diagnosis import diagnose

    return diagnose(arguments)
