"""How strongly the recurrent matrices of a network stretch what passes through them.

Legend: H hidden width.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from models.cells import CELLS, Cell
from models.encoder import EncoderBlock
from models.recurrent import typed
from models.seq2seq import Seq2Seq


class Spectrum(NamedTuple):
    """Two sizes of a square matrix."""

    radius: float  # the largest magnitude of an eigenvalue: what many steps multiply a vector by, each
    norm: float  # the largest singular value: what one step multiplies a vector by, at most


def recurrences(network: Seq2Seq) -> dict[str, Cell]:
    """Every cell of a network, by names such as `encoder 1 backwards` and `decoder 2`."""
    found: dict[str, Cell] = {}
    for number, block in enumerate(typed(network.encoder.blocks, EncoderBlock), 1):
        recurrence = block.recurrence
        found[f"encoder {number} forwards"] = recurrence.forwards
        if recurrence.backwards is not None:
            found[f"encoder {number} backwards"] = recurrence.backwards
    return found | {f"decoder {number}": cell for number, cell in enumerate(network.decoder.cells, 1)}


def family(cell: Cell) -> str:
    """The name under which a cell is registered."""
    return next(name for name, kind in CELLS.items() if type(cell) is kind)


def spectrum(matrix_HH: Tensor) -> Spectrum:
    """Both sizes, in float64; infinite where the matrix is not finite."""
    matrix_HH = matrix_HH.double()
    if not bool(matrix_HH.isfinite().all()):
        return Spectrum(math.inf, math.inf)
    radius = float(torch.linalg.eigvals(matrix_HH).abs().max())
    return Spectrum(radius, float(torch.linalg.matrix_norm(matrix_HH, 2)))


def spectra(network: Seq2Seq) -> dict[str, Spectrum]:
    """Of each recurrent matrix, by names such as `decoder 2 forget`."""
    return {
        f"{name} {matrix}": spectrum(matrix_HH)
        for name, cell in recurrences(network).items()
        for matrix, matrix_HH in cell.matrices().items()
    }
