"""A bundle's network in the layout of the compiled engine; NumPy alone, so that serving needs no torch.

Legend: O outputs, W words that may be produced; of matrices as they are stored, R rows and C columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from models.bundle import MODEL, Bundle
from models.config import ModelConfig
from models.quantization import Matrix
from models.shortlist import Shortlist
from mt_service.engine.native import structures
from mt_service.engine.native.structures import LANES, Array, Kept, aligned, make_product
from mt_service.engine.native.tensors import Tensors

CELLS = {"lstm": (1, 4), "gru": (2, 3)}  # the kind's number in layers.h, and its gates
BRIDGES = {"zero": 0, "mean": 1, "ends": 2}
EPSILON = 1e-5  # torch's, in layer normalisation


def fits(config: ModelConfig) -> bool:
    """Whether the compiled engine knows networks of this kind."""
    encoder, decoder, attention = config.encoder, config.decoder, config.attention
    widths = (config.width, encoder.hidden, decoder.hidden, encoder.feed_forward, decoder.feed_forward)
    return (
        {encoder.cell, decoder.cell} <= CELLS.keys()
        and decoder.arrangement == "blocks"
        and attention.kind == "multi_head"
        and not any(width % LANES for width in (*widths, config.width // attention.heads))
        and not encoder.reverse_source
    )


class Packer:
    """Takes a network's tensors, and keeps the arrays that the structures point to.

    Args:
        config: of a kind that `fits` accepts.
        tensors: the bundle's.
    """

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        self.config, self.tensors = config, tensors
        self.kept: list[Any] = []

    def keep(self, array: Array) -> int:
        """The address of a copy that stays."""
        copy = aligned(array)
        self.kept.append(copy)
        return int(copy.ctypes.data)

    def embedding(self, name: str) -> structures.Embedding:
        """A vector for each id."""
        matrix = self.tensors.matrix(name, self.config.vocabulary_size, self.config.width)
        return structures.Embedding(self.keep(matrix.integer_RC), self.keep(matrix.scale_R))

    def product(self, matrix: Matrix, bias_O: Array | None, factor: float = 1.0) -> structures.Product:
        """factor * (x W^T + b)"""
        scaled_O = None if bias_O is None else bias_O * numpy.float32(factor)
        made = make_product(matrix.integer_RC, matrix.scale_R * numpy.float32(factor), scaled_O)
        self.kept.append(made)
        product: structures.Product = made.structure
        return product

    def linear(
        self, name: str, inputs: int, outputs: int, bias: bool = True, factor: float = 1.0
    ) -> structures.Product:
        """A layer's product."""
        matrix = self.tensors.matrix(f"{name}.weight", outputs, inputs)
        return self.product(matrix, self.tensors.vector(f"{name}.bias", outputs) if bias else None, factor)

    def norm(self, name: str) -> structures.Norm:
        """Layer normalisation."""
        width = self.config.width
        weight, bias = (self.keep(self.tensors.vector(f"{name}.{part}", width)) for part in ("weight", "bias"))
        return structures.Norm(width, EPSILON, weight, bias)

    def cell(self, name: str, kind: str, hidden: int) -> structures.Cell:
        """A recurrent cell."""
        number, gates = CELLS[kind]
        tensors, outputs = self.tensors, gates * hidden
        read = tensors.matrix(f"{name}.weight_ih", outputs, self.config.width), tensors.vector(f"{name}.bias", outputs)
        recurrent_bias = tensors.vector(f"{name}.bias_hh", outputs) if kind == "gru" else None
        recur = tensors.matrix(f"{name}.weight_hh", outputs, hidden), recurrent_bias
        return structures.Cell(number, hidden, self.product(*read), self.product(*recur))

    def projection(self, name: str, inputs: int) -> structures.Product:
        """What brings a cell's output to the network's width; nothing where it has that already."""
        width = self.config.width
        if inputs == width:
            return structures.Product()
        matrix, outliers = self.tensors.projection(f"{name}.weight", width, inputs)
        product = self.product(matrix, self.tensors.vector(f"{name}.bias", width))
        if outliers is not None:
            product.outlier, product.column = self.keep(outliers.value_R), self.keep(outliers.column_R)
        return product

    def feed_forward(self, name: str, inner: int) -> structures.FeedForward:
        """A feed-forward part, or nothing where its inner width is 0."""
        if not inner:
            return structures.FeedForward()
        width = self.config.width
        expand, contract = self.linear(f"{name}.expand", width, inner), self.linear(f"{name}.contract", inner, width)
        return structures.FeedForward(self.norm(f"{name}.norm"), expand, contract)

    def attention(self, index: int) -> structures.Attention:
        """The attention of a decoder block, or nothing where it has none."""
        if index and self.config.decoder.attention_blocks == "first":
            return structures.Attention()
        name, width, heads = f"decoder.attention_list.{index}", self.config.width, self.config.attention.heads
        norm = self.norm(f"decoder.block_list.{index}.attention_norm")
        query = self.linear(f"{name}.query", width, width, factor=1.0 / math.sqrt(width // heads))
        key = self.linear(f"{name}.key", width, width, bias=False)
        value, output = (self.linear(f"{name}.{part}", width, width) for part in ("value", "output"))
        return structures.Attention(norm, heads, query, key, value, output)

    def encoder_block(self, index: int) -> structures.EncoderBlock:
        """A layer of the encoder."""
        name, config = f"encoder.blocks.{index}", self.config.encoder
        forwards = self.cell(f"{name}.recurrence.forwards", config.cell, config.hidden)
        backwards = structures.Cell()
        if config.bidirectional:
            backwards = self.cell(f"{name}.recurrence.backwards", config.cell, config.hidden)
        return structures.EncoderBlock(
            self.norm(f"{name}.norm") if config.normalize else structures.Norm(),
            forwards,
            backwards,
            self.projection(f"{name}.project", (1 + config.bidirectional) * config.hidden),
            self.feed_forward(f"{name}.feed_forward", config.feed_forward),
            config.residual,
        )

    def decoder_block(self, index: int) -> structures.DecoderBlock:
        """A layer of the decoder."""
        name, config = f"decoder.block_list.{index}", self.config.decoder
        return structures.DecoderBlock(
            self.norm(f"{name}.recurrence_norm"),
            self.cell(f"decoder.cell_list.{index}", config.cell, config.hidden),
            self.projection(f"{name}.project", config.hidden),
            self.attention(index),
            self.feed_forward(f"{name}.feed_forward", config.feed_forward),
        )

    def bridge(self) -> structures.Product:
        """What makes the decoder's first state."""
        decoder, width = self.config.decoder, self.config.width
        read = {"zero": 0, "mean": width, "ends": 2 * width}[decoder.bridge]
        return (
            self.linear("decoder.bridge.project", read, decoder.layers * decoder.hidden)
            if read
            else structures.Product()
        )

    def output(self, allowed_W: Array) -> structures.Product:
        """The output layer of the words that may be produced."""
        rows, width = self.config.vocabulary_size, self.config.width
        matrix, bias_W = self.tensors.matrix(self.tied("output_weight"), rows, width), numpy.zeros(len(allowed_W))
        if self.config.output_bias:
            bias_W = self.tensors.vector("output_bias", rows)[allowed_W]
        return self.product(Matrix(matrix.integer_RC[allowed_W], matrix.scale_R[allowed_W]), bias_W)

    def candidates(self, shortlist: Shortlist | None, allowed_W: Array) -> tuple[int | None, int | None, int | None]:
        """Where each source id's candidates start, the candidates, and the place of each id among the words."""
        if shortlist is None:
            return None, None, None
        self.kept.append(shortlist)  # as it is: a copy would be the peak of what a small engine takes
        place_V = numpy.full(self.config.vocabulary_size, -1, numpy.int32)
        place_V[allowed_W] = numpy.arange(len(allowed_W))
        return shortlist.start_V.ctypes.data, shortlist.word_N.ctypes.data, self.keep(place_V)

    def tied(self, name: str) -> str:
        """The name under which an embedding is stored; tied ones are stored once."""
        first = {"three_way": "source_weight", "target": "target_weight", "none": name}[self.config.tie]
        return name if name == "source_weight" else first


def padded(ids: Array) -> Array:
    """Ids with -1 up to where the rows of a product end, since all of these are looked through."""
    return numpy.pad(ids, (0, -len(ids) % LANES), constant_values=-1)


def pack(bundle: Bundle) -> Kept:
    """A bundle's network.

    Args:
        bundle: of a kind that `fits` accepts.
    Raises:
        UserError: when a tensor is missing, superfluous, or of another shape or type than the architecture calls for.
    """
    config, specials = bundle.config.architecture, bundle.specials
    packer = Packer(config, Tensors(bundle.folder / MODEL, bundle.config))
    allowed_W = numpy.array(sorted(set(range(config.vocabulary_size)) - specials.banned), numpy.int32)
    names = [packer.tied(name) for name in ("source_weight", "target_weight")]
    tables = {name: packer.embedding(name) for name in dict.fromkeys(names)}
    output = packer.output(allowed_W)  # the largest first: packing takes memory for copies, which is there again later
    encoder = [packer.encoder_block(index) for index in range(config.encoder.layers)]
    decoder = [packer.decoder_block(index) for index in range(config.decoder.layers)]
    network = structures.Network(
        config.width,
        len(encoder),
        len(decoder),
        BRIDGES[config.decoder.bridge],
        specials.bos,
        *(tables[name] for name in names),
        (structures.EncoderBlock * len(encoder))(*encoder),
        packer.norm("encoder.norm") if config.encoder.normalize else structures.Norm(),
        packer.bridge(),
        (structures.DecoderBlock * len(decoder))(*decoder),
        packer.norm("decoder.norm"),
        structures.Words(output, packer.keep(padded(allowed_W)), int(numpy.searchsorted(allowed_W, specials.eos))),
        *packer.candidates(bundle.shortlist, allowed_W),
    )
    packer.tensors.finish()
    return Kept(network, tuple(packer.kept))
