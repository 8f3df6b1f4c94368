"""A bundle's tensors as NumPy arrays, each verified when it is taken; no torch.

Legend: O outputs, I inputs.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import numpy

from models.bundle import (
    COLUMN,
    CONFIG,
    DTYPES,
    OUTLIER,
    SCALE,
    BundleConfig,
    Entry,
    check_finite,
    check_named,
    check_outliers,
    verify_tensors,
)
from models.quantization import LEVELS, Array, Matrix, Outliers, quantize_rows, round_projection

KINDS: dict[str, numpy.dtype[Any]] = {
    "F32": numpy.dtype("<f4"),
    "I8": numpy.dtype("i1"),
    "BF16": numpy.dtype("<u2"),
    "I32": numpy.dtype("<i4"),
}


def map_file(path: Path) -> mmap.mmap:
    """A file as memory, which is read where it is looked at."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def arrays_of(mapped: mmap.mmap) -> dict[str, Array]:
    """All tensors of a mapped safetensors file; bfloat16 as the upper halves of floats."""
    data = numpy.frombuffer(mapped, numpy.uint8)
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, end = (start + offset for offset in entry["data_offsets"])
            array: Array = data[first:end]  # of an unknown type: as bytes, which are refused when they are taken
            if entry["dtype"] in KINDS:
                array = array.view(KINDS[entry["dtype"]]).reshape(entry["shape"])
            arrays[name] = array
    return arrays


class Tensors:
    """Gives tensors by name, compared with what the architecture calls for before they are used.

    Args:
        path: of a safetensors file.
        config: says how matrices are stored; vectors are always float32.
    Raises:
        UserError: when it cannot be read.
    """

    def __init__(self, path: Path, config: BundleConfig) -> None:
        self.path, self.storage, self.outliers = path, config.storage, config.outliers
        self.expected: dict[str, Entry] = {}
        try:
            self.mapped = map_file(path)
            self.arrays = arrays_of(self.mapped)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            verify_tensors(path, {})  # which tells what is wrong
            raise

    def take(self, name: str, kind: str, *shape: int) -> Array:
        """A tensor as it is stored; UserError when it is missing, or of another shape or type.

        What has been read of the file leaves memory: it would else be there twice when all is packed.
        """
        if hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.madvise(mmap.MADV_DONTNEED)
        self.expected[name] = entry = Entry(kind, shape)
        array = self.arrays.get(name)
        if array is None or array.shape != shape or array.dtype != KINDS[kind]:
            verify_tensors(self.path, {name: entry})
        assert array is not None
        return array

    def vector(self, name: str, size: int) -> Array:
        """Floats."""
        return self.finite(name, self.take(name, "F32", size))

    def table(self, name: str, rows: int, columns: int) -> Array:
        """A matrix in floats."""
        stored = self.take(name, DTYPES[self.storage], rows, columns)
        if self.storage == "int8":
            return numpy.asarray(stored * self.scale(name, rows)[:, None])
        wide = (stored.astype(numpy.uint32) << 16).view(numpy.float32) if self.storage == "bfloat16" else stored
        return self.finite(name, wide)

    def finite(self, name: str, array: Array) -> Array:
        """A tensor without NaN and infinity, or UserError."""
        check_finite(self.path, name, bool(numpy.isfinite(array).all()))
        return array

    def matrix(self, name: str, outputs: int, inputs: int) -> Matrix:
        """A matrix in 8 bits."""
        if self.storage != "int8":
            return quantize_rows(self.table(name, outputs, inputs))
        return Matrix(self.take(name, "I8", outputs, inputs), self.scale(name, outputs))

    def projection(self, name: str, outputs: int, inputs: int) -> tuple[Matrix, Outliers | None]:
        """A block's projection in 8 bits, and its outliers if these are apart."""
        if self.storage != "int8":
            return round_projection(self.table(name, outputs, inputs))
        matrix = self.matrix(name, outputs, inputs)
        if name not in self.outliers:
            return matrix, None
        outliers = Outliers(self.vector(name + OUTLIER, outputs), self.take(name + COLUMN, "I32", outputs))
        check_outliers(self.path, name, matrix, outliers)
        return matrix, outliers

    def scale(self, name: str, rows: int) -> Array:
        """What one step of each row of 8-bit integers is worth."""
        found = self.take(name + SCALE, "F32", rows)
        with numpy.errstate(over="ignore"):
            self.finite(name + SCALE, found * numpy.float32(LEVELS))
        return found

    def finish(self) -> None:
        """UserError when there are tensors, or outliers are listed, that nobody asked for."""
        check_named(self.path.with_name(CONFIG), self.outliers, self.expected)
        verify_tensors(self.path, self.expected)
