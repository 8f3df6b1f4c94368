"""Which device and number format a run uses, and why."""

from __future__ import annotations

import platform
from typing import Any, NamedTuple

import torch

from data.config import check
from models.device import choose_device, cpu_field, fast_bfloat16
from training.config import TrainingConfig


class Choice(NamedTuple):
    """Where and in what format to compute."""

    device: torch.device
    precision: torch.dtype
    reason: str


def choose(config: TrainingConfig, local_rank: int = 0) -> Choice:
    """Resolve `auto` by what the machine has.

    Raises:
        UserError: when a GPU is asked for and there is none, or a precision that torch lacks here.
    """
    on_gpu = choose_device(config.device) == "cuda"
    device = torch.device("cuda", local_rank) if on_gpu else torch.device("cpu")
    if config.precision != "auto":
        there = on_gpu or config.precision == "float32" or has_bfloat16_lstm()
        check(there, "training.precision is bfloat16, but torch has no LSTM in it for this processor: set it to auto")
        return Choice(device, getattr(torch, config.precision), "as the recipe says")
    if on_gpu:
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return Choice(
            device, torch.bfloat16 if fast else torch.float32, f"the GPU {'has' if fast else 'lacks'} bfloat16"
        )
    feature = fast_bfloat16()
    if feature:
        return Choice(device, torch.bfloat16, f"the processor has {feature}")
    return Choice(device, torch.float32, "the processor has neither amx_bf16 nor avx512_bf16")


def has_bfloat16_lstm() -> bool:
    """Whether torch casts an LSTM to bfloat16 on this processor, as training does; without AVX-512 oneDNN cannot."""
    input_BTI, state_1BH = torch.zeros(1, 2, 8), torch.zeros(1, 1, 8)
    weights = [torch.zeros(shape) for shape in ((32, 8), (32, 8), (32,), (32,))]
    try:
        with torch.autocast("cpu", torch.bfloat16):
            torch.lstm(input_BTI, (state_1BH, state_1BH), weights, True, 1, 0.0, False, False, True)
    except RuntimeError:
        return False
    return True


def reads_ahead(config: TrainingConfig, device: torch.device) -> bool:
    """Whether another process encodes what comes next; where the processors compute, they have no time to spare."""
    return config.read_ahead == "yes" or (config.read_ahead == "auto" and device.type == "cuda")


def hardware() -> dict[str, Any]:
    """What a result depends on: processor, threads, GPU."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": cpu_field("model name") or platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }
