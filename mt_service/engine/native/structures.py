"""What the compiled engine's functions take: the structures of its header files, and arrays in its layout.

Legend: O outputs, I inputs.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_void_p
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

LANES = 16  # outputs that stand side by side
Array = NDArray[Any]


class Product(ctypes.Structure):
    """products.h"""

    _fields_ = (
        ("inputs", c_int32),
        ("outputs", c_int32),
        ("packed", c_void_p),
        ("scale", c_void_p),
        ("bias", c_void_p),
        ("total", c_void_p),
        ("outlier", c_void_p),
        ("column", c_void_p),
    )


class Norm(ctypes.Structure):
    """layers.h"""

    _fields_ = (("size", c_int32), ("epsilon", c_float), ("weight", c_void_p), ("bias", c_void_p))


class Cell(ctypes.Structure):
    """layers.h"""

    _fields_ = (("kind", c_int32), ("hidden", c_int32), ("input", Product), ("recurrent", Product))


class FeedForward(ctypes.Structure):
    """layers.h"""

    _fields_ = (("norm", Norm), ("expand", Product), ("contract", Product))


class Attention(ctypes.Structure):
    """layers.h"""

    _fields_ = (
        ("norm", Norm),
        ("heads", c_int32),
        ("query", Product),
        ("key", Product),
        ("value", Product),
        ("output", Product),
    )


class EncoderBlock(ctypes.Structure):
    """network.h"""

    _fields_ = (
        ("norm", Norm),
        ("forwards", Cell),
        ("backwards", Cell),
        ("project", Product),
        ("feed", FeedForward),
        ("residual", c_int32),
    )


class DecoderBlock(ctypes.Structure):
    """network.h"""

    _fields_ = (
        ("norm", Norm),
        ("cell", Cell),
        ("project", Product),
        ("attention", Attention),
        ("feed", FeedForward),
    )


class Embedding(ctypes.Structure):
    """network.h"""

    _fields_ = (("integers", c_void_p), ("scale", c_void_p))


class Words(ctypes.Structure):
    """network.h"""

    _fields_ = (("output", Product), ("ids", c_void_p), ("eos", c_int32))


class Network(ctypes.Structure):
    """network.h"""

    _fields_ = (
        ("width", c_int32),
        ("encoder_blocks", c_int32),
        ("decoder_blocks", c_int32),
        ("bridge_kind", c_int32),
        ("bos", c_int32),
        ("source_embedding", Embedding),
        ("target_embedding", Embedding),
        ("encoder", POINTER(EncoderBlock)),
        ("encoder_norm", Norm),
        ("bridge", Product),
        ("decoder", POINTER(DecoderBlock)),
        ("decoder_norm", Norm),
        ("words", Words),
        ("starts", c_void_p),
        ("candidates", c_void_p),
        ("places", c_void_p),
    )


class Options(ctypes.Structure):
    """native.c"""

    _fields_ = (("beam", c_int32), ("n_best", c_int32), ("alignments", c_int32), ("length_penalty", c_float))


FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "mt_multiply": (c_int, [POINTER(Product), c_void_p, c_int, c_void_p]),
    "mt_instructions": (c_char_p, []),
    "mt_open_engine": (c_void_p, [POINTER(Network), c_int]),
    "mt_close_engine": (None, [c_void_p]),
    "mt_open_search": (c_void_p, [c_void_p, POINTER(Options)]),
    "mt_close_search": (None, [c_void_p]),
    "mt_add": (c_int, [c_void_p, c_int, *[c_void_p] * 7]),
    "mt_drop": (None, [c_void_p, c_int, c_void_p]),
    "mt_step": (c_int, [c_void_p, c_void_p, c_double]),
    "mt_ended": (c_int, [c_void_p, c_int, POINTER(c_int64)]),
    "mt_hypothesis": (c_int, [c_void_p, c_int, c_int, c_void_p, POINTER(c_int32), c_void_p, c_void_p]),
}


def declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Tell ctypes what the functions take and give."""
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Kept(NamedTuple):
    """A structure with the arrays that it points to."""

    structure: Any
    arrays: tuple[Any, ...]


def make_product(integer_OI: Array, scale_O: Array, bias_O: Array | None) -> Kept:
    """A product's weights in the layout of products.h; outputs are filled up to a multiple of 16.

    What is filled up gives minus infinity where there is a bias, and nothing in the sense of zero where there is none.
    """
    outputs, inputs = integer_OI.shape
    padded = -(-outputs // LANES) * LANES
    unsigned_OI = numpy.full((padded, inputs), 128, numpy.uint8)
    unsigned_OI[:outputs] ^= integer_OI.view(numpy.uint8)  # adds 128 without a wider copy
    packed = aligned(unsigned_OI.reshape(padded // LANES, LANES, inputs // 4, 4).transpose(0, 2, 1, 3))
    scale = aligned(numpy.pad(scale_O.astype(numpy.float32), (0, padded - outputs)))
    bias = None
    if bias_O is not None:
        filled = numpy.pad(bias_O.astype(numpy.float32), (0, padded - outputs), constant_values=-numpy.inf)
        bias = aligned(filled)
    total = aligned(numpy.pad(integer_OI.sum(1, dtype=numpy.int32), (0, padded - outputs)))
    arrays = (packed, scale, bias, total)
    addresses = (None if array is None else array.ctypes.data for array in arrays)
    return Kept(Product(inputs, padded, *addresses), arrays)


def aligned(array: Array) -> Array:
    """A copy that starts where a cache line does."""
    room = numpy.empty(array.nbytes + 64, numpy.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
