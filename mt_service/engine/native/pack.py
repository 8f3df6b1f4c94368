"""A bundle's tensors in the layout of the compiled engine; NumPy alone, so that serving needs no torch.

Legend: O outputs, I inputs, V vocabulary, D width, W words that may be produced.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from models.config import ModelConfig
from mt_service.engine.native import structures
from mt_service.engine.native.structures import LANES, Array, Kept, aligned, make_product

KINDS = {"lstm": 1, "gru": 2}
BRIDGES = {"zero": 0, "mean": 1, "ends": 2}
EPSILON = 1e-5  # torch's, in layer normalisation
LEVELS = 127


class Matrix(NamedTuple):
    """8-bit integers and what one step of each row is worth."""

    integer_OI: Array
    scale_O: Array


def quantize(weight_OI: Array) -> Matrix:
    """Round rows as models.quantization.quantize_rows does."""
    scale_O = numpy.maximum(numpy.abs(weight_OI).max(1), numpy.finfo(numpy.float32).tiny) / numpy.float32(LEVELS)
    integer_OI = numpy.clip(numpy.rint(weight_OI / scale_O[:, None]), -LEVELS, LEVELS).astype(numpy.int8)
    return Matrix(integer_OI, scale_O)


def fits(config: ModelConfig) -> bool:
    """Whether the compiled engine knows networks of this kind."""
    encoder, decoder, attention = config.encoder, config.decoder, config.attention
    widths = (config.width, encoder.hidden, decoder.hidden, encoder.feed_forward, decoder.feed_forward)
    return (
        {encoder.cell, decoder.cell} <= KINDS.keys()
        and decoder.arrangement == "blocks"
        and attention.kind == "multi_head"
        and not any(width % LANES for width in (*widths, config.width // attention.heads))
        and not encoder.reverse_source
        and encoder.layers >= 1
    )


class Packer:
    """Takes a network's tensors one by one, and keeps the arrays that the structures point to.

    Args:
        config: of a kind that `fits` accepts.
        tensors: a bundle's, 8-bit ones beside their scales under `NAME.scale`, or floats.
    """

    def __init__(self, config: ModelConfig, tensors: Mapping[str, Array]) -> None:
        self.config, self.tensors = config, tensors
        self.kept: list[Any] = []

    def keep(self, array: Array) -> int:
        """The address of a copy that stays."""
        copy = aligned(array)
        self.kept.append(copy)
        return int(copy.ctypes.data)

    def matrix(self, name: str) -> Matrix:
        """A weight matrix in 8 bits."""
        tensor = self.tensors[name]
        return Matrix(tensor, self.tensors[f"{name}.scale"]) if tensor.dtype == numpy.int8 else quantize(tensor)

    def table(self, name: str) -> Array:
        """A weight matrix in floats."""
        tensor = self.tensors[name]
        scaled = tensor.dtype == numpy.int8
        return tensor * self.tensors[f"{name}.scale"][:, None] if scaled else tensor.astype(numpy.float32)

    def product(self, matrix: Matrix, bias_O: Array | None, factor: float = 1.0) -> structures.Product:
        """factor * (x W^T + b)"""
        bias_O = None if bias_O is None else bias_O * numpy.float32(factor)
        made: Kept = make_product(matrix.integer_OI, matrix.scale_O * numpy.float32(factor), bias_O)
        self.kept.append(made)
        return made.structure  # type: ignore[no-any-return]

    def linear(self, name: str, factor: float = 1.0) -> structures.Product:
        """A layer's product, or none where there is no such layer."""
        if f"{name}.weight" not in self.tensors:
            return structures.Product()
        return self.product(self.matrix(f"{name}.weight"), self.tensors.get(f"{name}.bias"), factor)

    def norm(self, name: str) -> structures.Norm:
        """Layer normalisation, or none."""
        weight_D = self.tensors.get(f"{name}.weight")
        if weight_D is None:
            return structures.Norm()
        return structures.Norm(len(weight_D), EPSILON, self.keep(weight_D), self.keep(self.tensors[f"{name}.bias"]))

    def cell(self, name: str, kind: str, hidden: int) -> structures.Cell:
        """A recurrent cell, or none."""
        if f"{name}.weight_ih" not in self.tensors:
            return structures.Cell()
        read = self.product(self.matrix(f"{name}.weight_ih"), self.tensors[f"{name}.bias"])
        recur = self.product(self.matrix(f"{name}.weight_hh"), self.tensors.get(f"{name}.bias_hh"))
        return structures.Cell(KINDS[kind], hidden, read, recur)

    def feed_forward(self, name: str) -> structures.FeedForward:
        """A feed-forward part, or none."""
        parts = (self.linear(f"{name}.{part}") for part in ("expand", "contract"))
        return structures.FeedForward(self.norm(f"{name}.norm"), *parts)

    def attention(self, index: int) -> structures.Attention:
        """The attention of a decoder block, or none."""
        name, heads = f"decoder.attention_list.{index}", self.config.attention.heads
        if f"{name}.query.weight" not in self.tensors:
            return structures.Attention()
        query = self.linear(f"{name}.query", 1.0 / math.sqrt(self.config.width // heads))
        others = (self.linear(f"{name}.{part}") for part in ("key", "value", "output"))
        return structures.Attention(self.norm(f"decoder.block_list.{index}.attention_norm"), heads, query, *others)

    def encoder_block(self, index: int) -> structures.EncoderBlock:
        """A layer of the encoder."""
        name, config = f"encoder.blocks.{index}", self.config.encoder
        directions = (
            self.cell(f"{name}.recurrence.{one}", config.cell, config.hidden) for one in ("forwards", "backwards")
        )
        return structures.EncoderBlock(
            self.norm(f"{name}.norm"),
            *directions,
            self.linear(f"{name}.project"),
            self.feed_forward(f"{name}.feed_forward"),
            config.residual,
        )

    def decoder_block(self, index: int) -> structures.DecoderBlock:
        """A layer of the decoder."""
        name, config = f"decoder.block_list.{index}", self.config.decoder
        return structures.DecoderBlock(
            self.norm(f"{name}.recurrence_norm"),
            self.cell(f"decoder.cell_list.{index}", config.cell, config.hidden),
            self.linear(f"{name}.project"),
            self.attention(index),
            self.feed_forward(f"{name}.feed_forward"),
        )

    def output(self, allowed: Sequence[int]) -> structures.Product:
        """The output layer of the words that may be produced."""
        ids_W = numpy.asarray(allowed)
        matrix = self.matrix(self.tied("output_weight"))
        bias_V = self.tensors.get("output_bias")
        bias_W = numpy.zeros(len(ids_W), numpy.float32) if bias_V is None else bias_V[ids_W]
        return self.product(Matrix(matrix.integer_OI[ids_W], matrix.scale_O[ids_W]), bias_W)

    def tied(self, name: str) -> str:
        """The name under which tied embeddings are stored."""
        stands_for = {"three_way": "source_weight", "target": "target_weight", "none": name}[self.config.tie]
        return name if name == "source_weight" else stands_for


def pack(config: ModelConfig, tensors: Mapping[str, Array], allowed: Sequence[int], bos: int, eos: int) -> Kept:
    """A whole network.

    Args:
        config: of a kind that `fits` accepts.
        tensors: a bundle's, verified.
        allowed: ids of the words that may be produced.
        bos, eos: ids; eos is one of those allowed.
    """
    packer = Packer(config, tensors)
    encoder = (structures.EncoderBlock * config.encoder.layers)(*map(packer.encoder_block, range(config.encoder.layers)))
    decoder = (structures.DecoderBlock * config.decoder.layers)(*map(packer.decoder_block, range(config.decoder.layers)))
    tables = [packer.tied(name) for name in ("source_weight", "target_weight")]
    places = {name: packer.keep(packer.table(name)) for name in dict.fromkeys(tables)}
    network = structures.Network(
        config.width,
        config.encoder.layers,
        config.decoder.layers,
        BRIDGES[config.decoder.bridge],
        bos,
        list(allowed).index(eos),
        *(places[name] for name in tables),
        encoder,
        packer.norm("encoder.norm"),
        packer.linear("decoder.bridge.project"),
        decoder,
        packer.norm("decoder.norm"),
        packer.output(allowed),
        packer.keep(numpy.asarray(allowed, numpy.int32)),
    )
    return Kept(network, (packer.kept, encoder, decoder))
