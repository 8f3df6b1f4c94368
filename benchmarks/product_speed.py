"""How fast the compiled engine multiplies, beside torch: why it has products of its own.

usage: python benchmarks/product_speed.py

For some rows and weight matrices, on one thread: billions of multiplications with addition per second (rounding the
rows included), and the bytes of weights read per second. Prints JSON.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Callable
from typing import Any

import numpy
import torch

from models.quantization import quantize_rows
from mt_service.engine.native.build import library
from mt_service.engine.native.structures import make_product
from training.device import hardware
from training.manifest import git_state, versions

SHAPES = [(1024, 256), (6000, 256)]  # outputs, inputs: a decoder's gates, and its output layer
ROWS = (1, 5, 32, 320)
SECONDS, TRIES = 0.05, 5


def fastest(work: Callable[[], object]) -> float:
    """Seconds of one call, the best of a few stretches."""
    best = float("inf")
    for _ in range(TRIES):
        calls, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < SECONDS:
            work()
            calls += 1
        best = min(best, spent / calls)
    return best


def compare(outputs: int, inputs: int, rows: int) -> dict[str, Any]:
    """One product, by each way to compute it."""
    rng = numpy.random.default_rng(1)
    matrix = quantize_rows(rng.normal(size=(outputs, inputs)).astype(numpy.float32))
    product = make_product(matrix.integer_RC, matrix.scale_R, None)
    row_NI = rng.normal(size=(rows, inputs)).astype(numpy.float32)
    out_NO = numpy.empty((rows, product.structure.outputs), numpy.float32)
    mine, address = library().mt_multiply, ctypes.byref(product.structure)
    weight_OI, tensor_NI = torch.from_numpy(matrix.integer_OI).float(), torch.from_numpy(row_NI)
    low_OI, low_NI, bytes_NI = weight_OI.bfloat16(), tensor_NI.bfloat16(), tensor_NI.to(torch.int8)
    integer_IO = torch.from_numpy(matrix.integer_OI).t()
    ways: dict[str, Callable[[], object]] = {
        "compiled int8": lambda: mine(address, row_NI.ctypes.data, rows, out_NO.ctypes.data),
        "torch int8 (sums alone)": lambda: torch._int_mm(bytes_NI, integer_IO),
        "torch bfloat16": lambda: torch.mm(low_NI, low_OI.t()),
        "torch float32": lambda: torch.mm(tensor_NI, weight_OI.t()),
    }
    done = rows * outputs * inputs / 1e9
    rates = {name: round(done / fastest(work), 1) for name, work in ways.items()}
    read = round(rates["compiled int8"] / rows, 1)
    return {"outputs": outputs, "inputs": inputs, "rows": rows, "billions per second": rates, "GB of weights/s": read}


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    results = [compare(outputs, inputs, rows) for outputs, inputs in SHAPES for rows in ROWS]
    facts = {"instructions": library().mt_instructions().decode(), "hardware": hardware()}
    print(json.dumps({"results": results, **facts, "versions": versions(), "git": git_state()}, indent=2))


if __name__ == "__main__":
    main()
