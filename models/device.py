"""Where to compute."""

from __future__ import annotations

import torch

from data.config import check


def choose_device(wish: str) -> str:
    """`auto` takes a GPU when there is one.

    Args:
        wish: auto, cpu or cuda.
    Raises:
        UserError: when a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    check(
        wish != "cuda" or available, "device is cuda, but torch sees no GPU: install a CUDA build of torch, or use cpu"
    )
    return "cuda" if wish != "cpu" and available else "cpu"
