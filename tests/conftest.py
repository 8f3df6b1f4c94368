"""Shared by all tests: small helpers are importable, torch uses one thread so that results repeat."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("system", "mt_service")]
torch.set_num_threads(1)
