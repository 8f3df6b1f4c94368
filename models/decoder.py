"""Decoders: time-parallel residual blocks, and Luong's classic input feeding.

Legend: N rows (sentences times beam), B sentences, T target positions, S source positions, D width, H hidden width.

Rows of one sentence follow each other, so row n belongs to sentence n // beam. One `forward` over any number of
positions serves teacher forcing (T = target length) and search (T = 1).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from models.attention import Attention, AttentionMemory, ends, make_attention, mean
from models.cells import Cell, CellState, make_cell
from models.config import ModelConfig
from models.dropout import Dropout
from models.initialize import linear
from models.recurrent import make_feed_forward, typed
from models.truncation import Recurrent

Memory: TypeAlias = tuple[AttentionMemory, ...]


class DecoderState(NamedTuple):
    """All that decoding carries from one position to the next; its size does not grow."""

    cells: tuple[CellState, ...]
    feed_ND: Tensor | None = None  # input feeding: the last attentional vector


class DecoderOutput(NamedTuple):
    """Vectors for the output layer, the state after the last position, and attention for alignments."""

    hidden_NTD: Tensor
    state: DecoderState
    attention_NTS: Tensor


def map_state(function: Callable[[Tensor], Tensor], state: DecoderState) -> DecoderState:
    """Apply a function to every tensor of a state (all have the rows in dimension 0)."""
    cells = tuple(type(cell)(*map(function, cell)) for cell in state.cells)
    return DecoderState(cells, None if state.feed_ND is None else function(state.feed_ND))


def map_memory(function: Callable[[Tensor], Tensor], memory: Memory) -> Memory:
    """Apply a function to every tensor of a memory (all have the sentences in dimension 0)."""
    return tuple(AttentionMemory(*map(function, layer)) for layer in memory)


def attend(attention: Attention, query_NTD: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
    """Attend with all rows and positions of a sentence as its queries; memory has one row per sentence."""
    sentences, rows, positions = memory.bias_BS.shape[0], query_NTD.shape[0], query_NTD.shape[1]
    context_BQD, weights_BQS = attention(query_NTD.reshape(sentences, -1, query_NTD.shape[-1]), memory)
    return context_BQD.reshape(rows, positions, -1), weights_BQS.reshape(rows, positions, -1)


class Bridge(nn.Module):
    """The decoder's first state: a projection of the mean encoding or of the first and the last one, or zeros."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.kind, self.layers, self.hidden = config.decoder.bridge, config.decoder.layers, config.decoder.hidden
        read = {"zero": 0, "mean": config.width, "ends": 2 * config.width}[self.kind]
        self.project = linear(read, self.layers * self.hidden) if read else None

    def forward(self, encoded_BSD: Tensor, bias_BS: Tensor) -> tuple[Tensor, ...]:
        """One hidden vector [B, H] per decoder cell."""
        if self.project is None:
            zero_BH = encoded_BSD.new_zeros(encoded_BSD.shape[0], self.hidden)
            return (zero_BH,) * self.layers
        summary_BE = ends(encoded_BSD, bias_BS) if self.kind == "ends" else mean(encoded_BSD, bias_BS)
        return torch.tanh(self.project(summary_BE)).chunk(self.layers, dim=-1)


class Decoder(nn.Module):
    """What all arrangements share: cells, attention layers, the bridge and the final normalisation."""

    def __init__(self, config: ModelConfig, cells: list[Cell], attentions: int) -> None:
        super().__init__()
        dropout = config.dropout
        self.width = config.width
        self.cell_list = nn.ModuleList(cells)
        self.attention_list = nn.ModuleList(
            make_attention(config.attention, query_size(config), config.width, dropout.attention)
            for _ in range(attentions)
        )
        self.bridge = Bridge(config)
        self.dropout = Dropout(dropout.residual)

    @property
    def cells(self) -> list[Cell]:
        """The recurrences, lowest first."""
        return typed(self.cell_list, Cell)

    @property
    def attentions(self) -> list[Attention]:
        """The attention layers, lowest first."""
        return typed(self.attention_list, Attention)

    def start(self, encoded_BSD: Tensor, bias_BS: Tensor) -> tuple[Memory, DecoderState]:
        """The memory of each attention layer, and the state before the first target position."""
        memory = tuple(attention.remember(encoded_BSD, bias_BS) for attention in self.attentions)
        hidden = self.bridge(encoded_BSD, bias_BS)
        states = tuple(cell.initial(vector_BH) for cell, vector_BH in zip(self.cells, hidden, strict=True))
        return memory, DecoderState(states, self.first_feed(encoded_BSD))

    def first_feed(self, _encoded_BSD: Tensor) -> Tensor | None:
        """What is fed beside the first target word; nothing, unless an arrangement says otherwise."""
        return None

    def forward(self, embedded_NTD: Tensor, memory: Memory, state: DecoderState) -> DecoderOutput:
        """Read T target words (as fed) and return a vector for each word that follows them."""
        raise NotImplementedError


def query_size(config: ModelConfig) -> int:
    """Residual blocks query with the stream, input feeding with the top cell's hidden vector."""
    return config.width if config.decoder.arrangement == "blocks" else config.decoder.hidden


class DecoderBlock(nn.Module):
    """What stands around one decoder cell: normalisation, projection, dropout, an optional feed-forward part."""

    def __init__(self, config: ModelConfig, attends: bool) -> None:
        super().__init__()
        width, dropout, decoder = config.width, config.dropout.residual, config.decoder
        self.recurrence_norm = nn.LayerNorm(width)
        self.attention_norm = nn.LayerNorm(width) if attends else nn.Identity()
        self.project = linear(decoder.hidden, width) if decoder.hidden != width else nn.Identity()
        self.dropout = Dropout(dropout)
        self.feed_forward = make_feed_forward(width, decoder.feed_forward, dropout)

    def recur(self, stream_NTD: Tensor, cell: Cell, state: CellState) -> tuple[Tensor, CellState]:
        """x + dropout(rnn(norm x)), and the cell's new state."""
        output_NTH, new_state = cell.read(self.recurrence_norm(stream_NTD), state)
        return stream_NTD + self.dropout(self.project(output_NTH)), new_state

    def look(self, stream_NTD: Tensor, attention: Attention, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        """x + dropout(attention(norm x)), and the weights."""
        context_NTD, weights_NTS = attend(attention, self.attention_norm(stream_NTD), memory)
        return stream_NTD + self.dropout(context_NTD), weights_NTS


class BlockDecoder(Decoder):
    """Residual blocks whose every part but the recurrence is parallel over time.

    x += drop(rnn(norm x)); x += drop(attention(norm x)); x += drop(ffn(norm x)), after RNMT+ (Chen et al. 2018) and
    Domhan (2018). Attention is queried by a lower block's output and its context flows to the blocks above.
    """

    def __init__(self, config: ModelConfig) -> None:
        decoder = config.decoder
        attending = decoder.layers if decoder.attention_blocks == "all" else 1
        cells = [make_cell(decoder.cell, config.width, decoder.hidden, config.cells) for _ in range(decoder.layers)]
        super().__init__(config, cells, attending)
        looking = 0 if config.attention.kind in ("fixed", "mean", "none") else attending  # the others heed no query
        self.block_list = nn.ModuleList(DecoderBlock(config, index < looking) for index in range(decoder.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, embedded_NTD: Tensor, memory: Memory, state: DecoderState) -> DecoderOutput:
        """Shapes as in Decoder.forward; the attention reported is the last layer's, which knows the next word best."""
        stream_NTD, states, weights = embedded_NTD, list[CellState](), list[Tensor]()
        attentions = self.attentions
        layers = zip(typed(self.block_list, DecoderBlock), self.cells, state.cells, strict=True)
        for index, (block, cell, cell_state) in enumerate(layers):
            stream_NTD, new_state = block.recur(stream_NTD, cell, cell_state)
            states.append(new_state)
            if index < len(attentions):
                stream_NTD, weights_NTS = block.look(stream_NTD, attentions[index], memory[index])
                weights.append(weights_NTS)
            stream_NTD = block.feed_forward(stream_NTD)
        return DecoderOutput(self.norm(stream_NTD), DecoderState(tuple(states)), weights[-1])


class InputFeedingDecoder(Decoder, Recurrent):
    """A plain stack of cells whose attentional vector is fed back beside the next word (Luong et al. 2015)."""

    def __init__(self, config: ModelConfig) -> None:
        decoder, width = config.decoder, config.width
        sizes = [2 * width] + [decoder.hidden] * (decoder.layers - 1)
        cells = [make_cell(decoder.cell, size, decoder.hidden, config.cells) for size in sizes]
        super().__init__(config, cells, 1)
        self.combine = linear(2 * decoder.hidden, width)

    def first_feed(self, encoded_BSD: Tensor) -> Tensor:
        """Zeros."""
        return encoded_BSD.new_zeros(encoded_BSD.shape[0], self.width)

    def forward(self, embedded_NTD: Tensor, memory: Memory, state: DecoderState) -> DecoderOutput:
        """Shapes as in Decoder.forward; the loop over time is inherent in input feeding."""
        outputs, weights = list[Tensor](), list[Tensor]()
        with contextlib.ExitStack() as drawn:
            for cell in self.cells:
                drawn.enter_context(cell.same_weights())
            for position, embedded_ND in enumerate(embedded_NTD.unbind(1)):
                state = map_state(Tensor.detach, state) if self.cut_before(position) else state
                state, weights_N1S = self.position(embedded_ND, memory, state)
                assert state.feed_ND is not None
                outputs.append(state.feed_ND)
                weights.append(weights_N1S)
        return DecoderOutput(torch.stack(outputs, 1), state, torch.cat(weights, 1))

    def position(self, embedded_ND: Tensor, memory: Memory, state: DecoderState) -> tuple[DecoderState, Tensor]:
        """Read one word; the new state's feed is also the output."""
        assert state.feed_ND is not None
        below_N1H, states = torch.cat([embedded_ND, state.feed_ND], -1)[:, None], list[CellState]()
        for index, (cell, cell_state) in enumerate(zip(self.cells, state.cells, strict=True)):
            below_N1H, new_state = cell(self.dropout(below_N1H) if index else below_N1H, cell_state)
            states.append(new_state)
        context_N1H, weights_N1S = attend(self.attentions[0], below_N1H, memory[0])
        feed_N1D = torch.tanh(self.combine(self.dropout(torch.cat([below_N1H, context_N1H], -1))))
        return DecoderState(tuple(states), feed_N1D[:, 0]), weights_N1S


def make_decoder(config: ModelConfig) -> Decoder:
    """The decoder that a configuration names."""
    return BlockDecoder(config) if config.decoder.arrangement == "blocks" else InputFeedingDecoder(config)
