"""An LSTM over whole sequences in bfloat16, compiled (lstm.c): what training takes on processors with a matrix unit.

Beside torch's, whose kernels are made anew for every shape of a batch that they have not seen lately, it takes about
half the time. The products of all inputs, and those that give the weights' gradients, stay torch's.

Legend: B rows, T positions, I input width, H hidden width, G stacked gates (4H), N rows times positions.
"""

from __future__ import annotations

import ctypes
import functools
import logging
from collections.abc import Callable
from ctypes import c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.device import cpu_flags
from models.native.compiler import UnavailableError, compiled
from models.native.threads import Task

log = logging.getLogger(__name__)
SOURCE = Path(__file__).with_name("lstm.c")
BLOCK = 32  # units that are computed together
GROUP = 128  # rows that a thread takes at once, at most
COUNTS = ("rows", "positions", "units", "groups", "next")
POINTERS = (
    *("bias", "weights", "gates", "first_hidden", "first_cell", "hidden", "cell"),
    *("hidden_gradient", "last_hidden_gradient", "last_cell_gradient"),
    *("gate_gradient", "first_hidden_gradient", "first_cell_gradient", "scratch"),
)


class Sequence(ctypes.Structure):
    """lstm.c"""

    _fields_ = (*((name, c_int32) for name in COUNTS), *((name, c_void_p) for name in POINTERS), ("bytes", c_int64))


class Library:
    """The compiled functions.

    Raises:
        UnavailableError: without a matrix unit, or where torch's threads are not to be had.
    """

    def __init__(self, path: Path) -> None:
        made = ctypes.CDLL(str(path))
        if not made.mt_available():
            raise UnavailableError("this processor has no matrix unit for bfloat16, or the C compiler does not know it")
        self.read, self.back = Task(made.mt_read), Task(made.mt_return)

    def run(self, task: Task, sizes: tuple[int, int, int], **tensors: Tensor | None) -> None:
        """Run one of the two functions for [B, T, H] on as many threads as torch has."""
        rows, positions, hidden = sizes
        threads = torch.get_num_threads()
        groups = threads * -(-rows // (GROUP * threads))
        scratch_bytes = -(-rows // groups) * (512 + 8 * hidden)
        tensors["scratch"] = torch.empty(groups * scratch_bytes, dtype=torch.uint8)
        pointers = {name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None}
        task.run(Sequence(rows, positions, hidden, groups, **pointers, bytes=scratch_bytes), threads)


@functools.cache
def library() -> Library | None:
    """The library where this machine has what it needs, compiled now if it has not been before, and tried once."""
    if "amx_bf16" not in cpu_flags():
        return None
    try:
        made = Library(compiled(SOURCE))
        if correct(made):
            return made
        log.warning("LSTMs are left to torch, which takes longer: what the C compiler makes computes wrongly")
    except UnavailableError as error:
        log.warning("LSTMs are left to torch, which takes longer: %s", error)
    return None


def correct(made: Library) -> bool:
    """Whether one small sequence comes out as torch's does."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((35, 3, 32), (35, 64), (35, 64), (256, 32), (256, 64), (256,))
    input_BTI, *rest = (torch.randn(shape, generator=generator) / 4 for shape in shapes)
    found_BTH = read_sequence(made, input_BTI, *rest)[0]
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


Kept = tuple[Tensor, ...]


def read_sequence(
    made: Library,
    input_BTI: Tensor,
    hidden_BH: Tensor,
    cell_BH: Tensor,
    weight_GI: Tensor,
    weight_GH: Tensor,
    bias_G: Tensor,
) -> tuple[Tensor, Kept]:
    """Outputs [B, T, H] in bfloat16, and what `return_sequence` needs."""
    rows, positions, width = input_BTI.shape
    hidden = weight_GH.shape[1]
    halves = (part.to(torch.bfloat16).contiguous() for part in (input_BTI, hidden_BH, weight_GI, weight_GH))
    input_BTI, hidden_BH, weight_GI, weight_GH = halves
    cell_BH, bias_G = cell_BH.float().contiguous(), bias_G.float().contiguous()
    input_NI = input_BTI.view(-1, width)
    gates_NG = input_NI @ weight_GI.t()
    output_BTH, cell_BTH = input_NI.new_empty(rows, positions, hidden), cell_BH.new_empty(rows, positions, hidden)
    made.run(
        made.read,
        (rows, positions, hidden),
        bias=bias_G,
        weights=tiles(weight_GH),
        gates=gates_NG,
        first_hidden=hidden_BH,
        first_cell=cell_BH,
        hidden=output_BTH,
        cell=cell_BTH,
    )
    return output_BTH, (input_NI, weight_GI, weight_GH, gates_NG, hidden_BH, cell_BH, output_BTH, cell_BTH)


def return_sequence(
    made: Library, kept: Kept, of_output_BTH: Tensor | None, of_hidden_BH: Tensor | None, of_cell_BH: Tensor | None
) -> Kept:
    """Gradients of all that `read_sequence` takes but the library, in float32."""
    input_NI, weight_GI, weight_GH, gates_NG, hidden_BH, cell_BH, output_BTH, cell_BTH = kept
    rows, positions, hidden = output_BTH.shape
    of_gates_NG = torch.empty_like(gates_NG)
    of_first_hidden_BH, of_first_cell_BH = torch.empty_like(cell_BH), torch.empty_like(cell_BH)
    made.run(
        made.back,
        (rows, positions, hidden),
        weights=tiles_back(weight_GH),
        gates=gates_NG,
        first_cell=cell_BH,
        cell=cell_BTH,
        hidden_gradient=brief(of_output_BTH),
        last_hidden_gradient=brief(of_hidden_BH),
        last_cell_gradient=None if of_cell_BH is None else of_cell_BH.float().contiguous(),
        gate_gradient=of_gates_NG,
        first_hidden_gradient=of_first_hidden_BH,
        first_cell_gradient=of_first_cell_BH,
    )
    before_NH = torch.cat([hidden_BH[:, None], output_BTH[:, :-1]], 1).view(-1, hidden)
    of_input_BTI = (of_gates_NG @ weight_GI).view(rows, positions, -1)
    of_weights = (of_gates_NG.t() @ input_NI).float(), (of_gates_NG.t() @ before_NH).float()
    of_bias_G = (of_gates_NG.new_ones(1, len(of_gates_NG)) @ of_gates_NG)[0].float()  # faster than a sum over rows
    return of_input_BTI, of_first_hidden_BH, of_first_cell_BH, *of_weights, of_bias_G


class LSTMSequence(torch.autograd.Function):
    """What torch.lstm does for one layer and direction, batch first, with one bias."""

    @staticmethod
    def forward(ctx: Any, *arguments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From what `read_sequence` takes to outputs [B, T, H], the last hidden vectors and the last cells [B, H]."""
        made = library()
        assert made is not None
        ctx.set_materialize_grads(False)
        ctx.types = [part.dtype for part in arguments]
        with torch.autocast("cpu", enabled=False):
            output_BTH, kept = read_sequence(made, *arguments)
        ctx.save_for_backward(*kept)
        return output_BTH, output_BTH[:, -1].clone(), kept[-1][:, -1].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, ...]:
        """Gradients of the arguments."""
        made = library()
        assert made is not None
        of_arguments = return_sequence(made, ctx.saved_tensors, *gradients)
        return tuple(part.to(kind) for part, kind in zip(of_arguments, ctx.types, strict=True))


read: Callable[..., tuple[Tensor, Tensor, Tensor]] = LSTMSequence.apply
