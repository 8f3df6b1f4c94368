"""LSTM and GRU over whole sequences in bfloat16, compiled (gated.c): for training on processors with a matrix unit.

Beside torch's, whose kernels are made anew for every shape of a batch that they have not seen lately, they take about
half the time. The products of all inputs, and those that give the weights' gradients, stay torch's.

Legend: B rows, T positions, I input width, H hidden width, G stacked gates (4H, a GRU's 3H), N rows times positions.
"""

from __future__ import annotations

import ctypes
import functools
import logging
from ctypes import c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.device import cpu_flags
from models.native.compiler import UnavailableError, load
from models.native.threads import Task

log = logging.getLogger(__name__)
SOURCE = Path(__file__).with_name("gated.c")
BLOCK = 32  # units that are computed together
GROUP = 128  # rows that a thread takes at once, at most
COUNTS = ("rows", "positions", "units", "groups", "next", "gates")
POINTERS = (
    *("bias", "weights", "opened", "first_hidden", "first_cell", "hidden", "cell"),
    *("hidden_gradient", "last_hidden_gradient", "last_cell_gradient"),
    *("gate_gradient", "first_hidden_gradient", "first_cell_gradient", "scratch"),
)


class Sequence(ctypes.Structure):
    """gated.c"""

    _fields_ = (*((name, c_int32) for name in COUNTS), *((name, c_void_p) for name in POINTERS), ("bytes", c_int64))


class Library:
    """The compiled functions.

    Args:
        made: the library that has them.
    Raises:
        UnavailableError: without a matrix unit, or where torch's threads are not to be had.
    """

    def __init__(self, made: ctypes.CDLL) -> None:
        if not made.mt_available():
            raise UnavailableError("this processor has no matrix unit for bfloat16, or the C compiler does not know it")
        self.read, self.back = Task(made.mt_read), Task(made.mt_return)

    def run(self, task: Task, kept: Kept, **tensors: Tensor | None) -> None:
        """Run one of the two functions for what is kept on as many threads as torch has."""
        rows, positions, hidden = kept.output_BTH.shape
        threads = torch.get_num_threads()
        groups = threads * -(-rows // (GROUP * threads))
        scratch_bytes = -(-rows // groups) * (512 + 8 * hidden)
        tensors |= {
            "opened": kept.gates_NG,
            "first_hidden": kept.hidden_BH,
            "first_cell": kept.cell_BH,
            "hidden": kept.output_BTH,
            "cell": kept.cell_BTH,
            "scratch": torch.empty(groups * scratch_bytes, dtype=torch.uint8),
        }
        pointers = {name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None}
        gates = len(kept.weight_GH) // hidden
        task.run(Sequence(rows, positions, hidden, groups, 0, gates, **pointers, bytes=scratch_bytes), threads)


@functools.cache
def library() -> Library | None:
    """The library where this machine has what it needs, compiled now if it has not been before, and tried once."""
    if "amx_bf16" not in cpu_flags():
        return None
    try:
        made = Library(load(SOURCE))
        if correct(made):
            return made
        log.warning("LSTM and GRU are left to torch, which takes longer: what the C compiler makes computes wrongly")
    except UnavailableError as error:
        log.warning("LSTM and GRU are left to torch, which takes longer: %s", error)
    return None


def correct(made: Library) -> bool:
    """Whether one small sequence comes out as torch's does."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((35, 3, 32), (35, 64), (35, 64), (256, 32), (256, 64), (256,))
    input_BTI, *rest = (torch.randn(shape, generator=generator) / 4 for shape in shapes)
    found_BTH = read_sequence(made, Given(input_BTI, *rest)).output_BTH
    hidden_BH, cell_BH, *weights = rest
    initial = (hidden_BH[None], cell_BH[None])
    with torch.autocast("cpu", enabled=False):
        expected_BTH = torch.lstm(input_BTI, initial, [*weights, torch.zeros(256)], True, 1, 0.0, False, False, True)[0]
    return bool(torch.allclose(found_BTH.float(), expected_BTH, atol=0.02))


def fits(input_BTI: Tensor, hidden_size: int) -> bool:
    """Whether the library can and should read a sequence: in bfloat16, on a CPU, of a width that tiles divide."""
    wanted = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    whole = input_BTI.device.type == "cpu" and hidden_size % BLOCK == 0 and input_BTI.numel() > 0
    return wanted and whole and library() is not None


def tiles(weight_OI: Tensor) -> Tensor:
    """Weights [O, I] as the unit multiplies rows [I] with them: [O / 16, I / 32] tiles of 16 pairs of inputs."""
    outputs, inputs = weight_OI.shape
    pairs = weight_OI.contiguous().view(torch.int32).view(outputs // 16, 16, inputs // 32, 16)
    return pairs.permute(0, 2, 3, 1).contiguous()


def tiles_back(weight_OI: Tensor) -> Tensor:
    """Weights [O, I] as the unit multiplies rows [O] with them."""
    outputs, inputs = weight_OI.shape
    return weight_OI.reshape(outputs // 32, 16, 2, inputs // 16, 16).permute(3, 0, 1, 4, 2).contiguous()


def brief(tensor: Tensor | None) -> Tensor | None:
    """In bfloat16, or nothing."""
    return None if tensor is None else tensor.to(torch.bfloat16).contiguous()


Tensors = tuple[Tensor | None, ...]


class Given(NamedTuple):
    """A sequence, a first state and weights.

    A GRU has no cell. Its biases are those of both sums of a gate, and for the candidate, whose second sum is reset on
    its own, those of each: [reset, update, candidate, candidate's second].
    """

    input_BTI: Tensor
    hidden_BH: Tensor
    cell_BH: Tensor | None
    weight_GI: Tensor
    weight_GH: Tensor
    bias_4H: Tensor


class Kept(NamedTuple):
    """What the way back needs."""

    input_NI: Tensor
    weight_GI: Tensor
    weight_GH: Tensor
    gates_NG: Tensor
    hidden_BH: Tensor
    cell_BH: Tensor | None
    output_BTH: Tensor
    cell_BTH: Tensor


def read_sequence(made: Library, given: Given) -> Kept:
    """Outputs [B, T, H] in bfloat16, among what the way back needs."""
    rows, positions, width = given.input_BTI.shape
    hidden = given.weight_GH.shape[1]
    halves = given.input_BTI, given.hidden_BH, given.weight_GI, given.weight_GH
    input_BTI, hidden_BH, weight_GI, weight_GH = (part.to(torch.bfloat16).contiguous() for part in halves)
    cell_BH = None if given.cell_BH is None else given.cell_BH.float().contiguous()
    input_NI = input_BTI.view(-1, width)
    gates_NG = input_NI @ weight_GI.t()
    output_BTH = input_NI.new_empty(rows, positions, hidden)
    cell_BTH = torch.empty_like(output_BTH, dtype=torch.float32)
    kept = Kept(input_NI, weight_GI, weight_GH, gates_NG, hidden_BH, cell_BH, output_BTH, cell_BTH)
    made.run(made.read, kept, bias=given.bias_4H.float().contiguous(), weights=tiles(weight_GH))
    return kept


def return_sequence(
    made: Library, kept: Kept, of_output_BTH: Tensor | None, of_hidden_BH: Tensor | None, of_cell_BH: Tensor | None
) -> Tensors:
    """Gradients of all that `read_sequence` takes but the library."""
    input_NI, weight_GI, weight_GH, gates_NG, hidden_BH, cell_BH, output_BTH, cell_BTH = kept
    rows, positions, hidden = output_BTH.shape
    gates = len(weight_GH) // hidden
    of_sums_N4H = gates_NG.new_empty(len(gates_NG), 4 * hidden)
    of_first_hidden_BH, of_first_cell_BH = cell_BTH.new_empty(2, rows, hidden)
    made.run(
        made.back,
        kept,
        weights=tiles_back(weight_GH),
        hidden_gradient=brief(of_output_BTH),
        last_hidden_gradient=brief(of_hidden_BH),
        last_cell_gradient=None if of_cell_BH is None else of_cell_BH.float().contiguous(),
        gate_gradient=of_sums_N4H,
        first_hidden_gradient=of_first_hidden_BH,
        first_cell_gradient=of_first_cell_BH,
    )
    before_NH = torch.cat([hidden_BH[:, None], output_BTH[:, :-1]], 1).view(-1, hidden)
    of_sums_NG = of_sums_N4H[:, : gates * hidden]
    of_input_BTI = (of_sums_NG @ weight_GI).view(rows, positions, -1)
    of_weight_GH = of_sums_NG.t() @ before_NH
    if cell_BH is None:
        of_first_hidden_BH += of_first_cell_BH
        of_weight_GH[2 * hidden :] = of_sums_N4H[:, 3 * hidden :].t() @ before_NH
    of_bias_4H = (of_sums_N4H.new_ones(1, len(of_sums_N4H)) @ of_sums_N4H)[0]  # faster than a sum over rows
    of_cell = None if cell_BH is None else of_first_cell_BH
    return of_input_BTI, of_first_hidden_BH, of_cell, of_sums_NG.t() @ input_NI, of_weight_GH, of_bias_4H


class GatedSequence(torch.autograd.Function):
    """One layer and direction, batch first."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensors:
        """From what is given to outputs [B, T, H], the last hidden vectors and, of an LSTM, the last cells [B, H]."""
        made = library()
        assert made is not None
        ctx.set_materialize_grads(False)
        ctx.types = [None if part is None else part.dtype for part in arguments]
        with torch.autocast("cpu", enabled=False):
            kept = read_sequence(made, Given(*arguments))
        ctx.save_for_backward(*kept)
        last_BH, last_cell_BH = kept.output_BTH[:, -1].clone(), kept.cell_BTH[:, -1].clone()
        return kept.output_BTH, last_BH, None if kept.cell_BH is None else last_cell_BH

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Tensors:
        """Gradients of the arguments."""
        made = library()
        assert made is not None
        of_arguments = return_sequence(made, Kept(*ctx.saved_tensors), *gradients)
        return tuple(
            part if part is None else part.to(kind) for part, kind in zip(of_arguments, ctx.types, strict=True)
        )


def read_lstm(
    input_BTI: Tensor, hidden_BH: Tensor, cell_BH: Tensor, weight_GI: Tensor, weight_GH: Tensor, bias_G: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What torch.lstm does, with one bias: outputs [B, T, H], the last hidden vectors and the last cells [B, H]."""
    arguments = input_BTI, hidden_BH, cell_BH, weight_GI, weight_GH, bias_G
    output_BTH, last_BH, last_cell_BH = GatedSequence.apply(*arguments)  # type: ignore[no-untyped-call]
    return output_BTH, last_BH, last_cell_BH


def read_gru(
    input_BTI: Tensor, hidden_BH: Tensor, weight_GI: Tensor, weight_GH: Tensor, bias_G: Tensor, second_bias_G: Tensor
) -> tuple[Tensor, Tensor]:
    """What torch.gru does: outputs [B, T, H] and the last hidden vectors [B, H]."""
    first, second = bias_G.chunk(3), second_bias_G.chunk(3)
    bias_4H = torch.cat([first[0] + second[0], first[1] + second[1], first[2], second[2]])
    output_BTH, last_BH, _ = GatedSequence.apply(input_BTI, hidden_BH, None, weight_GI, weight_GH, bias_4H)  # type: ignore[no-untyped-call]
    return output_BTH, last_BH
