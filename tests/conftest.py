"""Shared by all tests: small helpers are importable, torch uses one thread so that results repeat."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("system", "mt_service", "models")]
torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports Triton, which reads it only then
