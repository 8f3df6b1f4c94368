"""A network made ready for the steps of search on a CPU: 8-bit weights, folded tables, no work done twice.

Legend: N rows (sentences times beam), B sentences, K beam, S source positions, D width, H hidden width, G stacked
gates, A attention heads, C channels of a head, O outputs of a product, V vocabulary, W words that may be produced.

Every product with weights is one of 8-bit integers (`torch._int_mm`), whose rows are rounded each by its own largest
magnitude: what a row gives never depends on the rows beside it. What a word alone decides (its embedding,
normalised, times the first cell's input weights) is looked up in a table.
"""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention import AttentionMemory, MultiHead
from models.cells import GRU, LSTM, Cell, HiddenState, LSTMState
from models.decoder import BlockDecoder, DecoderBlock, DecoderState, Memory, map_state
from models.quantization import LEVELS, quantize_rows
from models.recurrent import FeedForward, typed
from models.seq2seq import Seq2Seq

BLOCK = 64  # words


class Rounded(NamedTuple):
    """Rows as 8-bit integers, with what one step of each is worth."""

    integer_ND: Tensor
    scale_N1: Tensor


def round_rows(input_ND: Tensor) -> Rounded:
    """Round each row by its own largest magnitude."""
    scale_N1 = input_ND.abs().amax(1, keepdim=True).clamp_min_(1e-30).div_(LEVELS)
    return Rounded((input_ND / scale_N1).round_().to(torch.int8), scale_N1)


class Product:
    """x W^T + b with 8-bit weights.

    Args:
        weight_OD: any float matrix.
        bias_O: added to the product, or None.
    """

    def __init__(self, weight_OD: Tensor, bias_O: Tensor | None = None) -> None:
        integer_OD, self.scale_O = quantize_rows(weight_OD)
        self.weight_DO, self.bias_O = integer_OD.t(), bias_O

    def __call__(self, rounded: Rounded) -> Tensor:
        """Rows [N, O]."""
        output_NO = torch._int_mm(rounded.integer_ND, self.weight_DO) * self.scale_O
        output_NO.mul_(rounded.scale_N1)
        return output_NO if self.bias_O is None else output_NO.add_(self.bias_O)


class OutputLayer:
    """Log-probabilities of the words that may be produced, in buffers that are used again at every step.

    Fresh memory of this size costs more than what is computed in it. Rows are as long as a multiple of `BLOCK`, so
    that the best words can be looked for block by block; what is beyond the words is minus infinity.
    """

    def __init__(self, weight_WD: Tensor, bias_W: Tensor | None) -> None:
        self.product = Product(weight_WD, bias_W)
        self.words = len(weight_WD)
        self.padded = -(-self.words // BLOCK) * BLOCK
        self.buffers = self.make_buffers(0)

    def make_buffers(self, rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """For sums, logits and log-probabilities."""
        logits_NP = torch.full((rows, self.padded), float("-inf"))
        return torch.empty(rows, self.words, dtype=torch.int32), logits_NP, torch.empty_like(logits_NP)

    def __call__(self, rounded: Rounded) -> Tensor:
        """Rows [N, P]; good until the next call."""
        rows, product = len(rounded.integer_ND), self.product
        if rows > len(self.buffers[0]):
            self.buffers = self.make_buffers(rows)
        sums_NW, logits_NP, result_NP = (buffer[:rows] for buffer in self.buffers)
        torch._int_mm(rounded.integer_ND, product.weight_DO, out=sums_NW)
        logits_NW = logits_NP[:, : self.words]
        torch.mul(sums_NW, product.scale_O, out=logits_NW)
        logits_NW.mul_(rounded.scale_N1)
        if product.bias_O is not None:
            logits_NW.add_(product.bias_O)
        return torch.log_softmax(logits_NP, 1, out=result_NP)


def normalise(norm: nn.Module, input_ND: Tensor) -> Tensor:
    """Layer normalisation, or nothing where there is none."""
    if isinstance(norm, nn.LayerNorm):
        return functional.layer_norm(input_ND, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return input_ND


class PackedLSTM:
    """One step of an LSTM whose product with the input is given."""

    def __init__(self, cell: LSTM) -> None:
        self.hidden_size = cell.hidden_size
        order = torch.cat([torch.arange(cell.hidden_size) + index * cell.hidden_size for index in (0, 1, 3, 2)])
        self.input = (cell.weight_ih[order], cell.bias[order])  # input, forget, output gates, then the candidate
        self.hidden = Product(cell.weight_hh[order])

    def __call__(self, gates_NG: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """The hidden vectors [N, H] and the new state; `gates_NG` is used up."""
        gates_NG = self.hidden(round_rows(state.hidden_BH)).add_(gates_NG)
        split = 3 * self.hidden_size
        input_NH, forget_NH, output_NH = gates_NG[:, :split].sigmoid_().chunk(3, 1)
        cell_NH = torch.addcmul(forget_NH * state.cell_BH, input_NH, gates_NG[:, split:].tanh_())
        hidden_NH = output_NH * cell_NH.tanh()
        return hidden_NH, LSTMState(hidden_NH, cell_NH)


class PackedGRU:
    """One step of a GRU whose product with the input is given."""

    def __init__(self, cell: GRU) -> None:
        self.hidden_size = cell.hidden_size
        self.input = (cell.weight_ih, cell.bias)
        self.hidden = Product(cell.weight_hh, cell.bias_hh)

    def __call__(self, gates_NG: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """The hidden vectors [N, H] and the new state."""
        split = 2 * self.hidden_size
        from_hidden_NG = self.hidden(round_rows(state.hidden_BH))
        reset_NH, update_NH = (gates_NG[:, :split] + from_hidden_NG[:, :split]).sigmoid_().chunk(2, 1)
        new_NH = torch.addcmul(gates_NG[:, split:], reset_NH, from_hidden_NG[:, split:]).tanh_()
        hidden_NH = torch.lerp(new_NH, state.hidden_BH, update_NH)
        return hidden_NH, HiddenState(hidden_NH)


def pack_cell(cell: Cell) -> PackedLSTM | PackedGRU:
    """A cell's step."""
    assert isinstance(cell, LSTM | GRU)
    return PackedLSTM(cell) if isinstance(cell, LSTM) else PackedGRU(cell)


class PackedAttention:
    """Multi-head attention for a beam of single queries."""

    def __init__(self, attention: MultiHead) -> None:
        self.heads = attention.heads
        scale = (attention.query.out_features // attention.heads) ** -0.5
        self.query = Product(attention.query.weight * scale, attention.query.bias * scale)
        self.output = Product(attention.output.weight, attention.output.bias)

    def remember(self, memory: AttentionMemory) -> AttentionMemory:
        """Keys as [B, A, C, S] and values as [B, A, S, C], as the products read them."""
        key, value = (part.view(*part.shape[:2], self.heads, -1) for part in memory[:2])
        bias_BAS = memory.bias_BS[:, None].expand(-1, self.heads, -1)
        return AttentionMemory(key.permute(0, 2, 3, 1).contiguous(), value.transpose(1, 2).contiguous(), bias_BAS)

    def __call__(self, query_ND: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        """Contexts [N, D] and the heads' weights [B * A, K, S]."""
        key_BACS, value_BASC, bias_BAS = memory
        sentences, heads, channels, _ = key_BACS.shape
        rows_ND = self.query(round_rows(query_ND))
        query_BAKC = rows_ND.view(sentences, -1, heads, channels).transpose(1, 2)
        query_XKC = query_BAKC.reshape(sentences * heads, -1, channels)
        scores_XKS = torch.baddbmm(bias_BAS.reshape(sentences * heads, 1, -1), query_XKC, key_BACS.flatten(0, 1))
        weights_XKS = scores_XKS.softmax(-1)
        context_XKC = torch.bmm(weights_XKS, value_BASC.flatten(0, 1))
        context_ND = context_XKC.view(sentences, heads, -1, channels).transpose(1, 2).reshape(query_ND.shape[0], -1)
        return self.output(round_rows(context_ND)), weights_XKS


class PackedFeedForward:
    """x + W relu(V norm x)."""

    def __init__(self, feed: FeedForward) -> None:
        self.norm = feed.norm
        self.expand = Product(feed.expand.weight, feed.expand.bias)
        self.contract = Product(feed.contract.weight, feed.contract.bias)

    def __call__(self, stream_ND: Tensor) -> Tensor:
        """[N, D] to [N, D]."""
        inner_NF = self.expand(round_rows(normalise(self.norm, stream_ND))).relu_()
        return self.contract(round_rows(inner_NF)).add_(stream_ND)


class PackedBlock:
    """A decoder block's step."""

    def __init__(self, block: DecoderBlock, cell: Cell, attention: MultiHead | None) -> None:
        self.block, self.cell = block, pack_cell(cell)
        self.attention = None if attention is None else PackedAttention(attention)
        project = block.project
        self.project = Product(project.weight, project.bias) if isinstance(project, nn.Linear) else None
        self.input = Product(*self.cell.input)
        feed = block.feed_forward
        self.feed = PackedFeedForward(feed) if isinstance(feed, FeedForward) else None

    def gates(self, stream_ND: Tensor) -> Tensor:
        """The cell's product [N, G] with its input."""
        return self.input(round_rows(normalise(self.block.recurrence_norm, stream_ND)))

    def __call__(
        self, stream_ND: Tensor, gates_NG: Tensor, state: LSTMState | HiddenState, memory: AttentionMemory | None
    ) -> tuple[Tensor, LSTMState | HiddenState, Tensor | None]:
        """The stream after this block, the new state, and attention weights if it attends."""
        hidden_NH, new_state = self.cell(gates_NG, state)  # type: ignore[arg-type]
        stream_ND = stream_ND + (hidden_NH if self.project is None else self.project(round_rows(hidden_NH)))
        weights = None
        if self.attention is not None and memory is not None:
            context_ND, weights = self.attention(normalise(self.block.attention_norm, stream_ND), memory)
            stream_ND = context_ND.add_(stream_ND)
        if self.feed is not None:
            stream_ND = self.feed(stream_ND)
        return stream_ND, new_state, weights


class PackedNetwork:
    """Encodes with the network itself, steps with 8-bit weights.

    Args:
        network: of a kind that `packable` accepts, on the CPU.
        allowed: ids of the words that may be produced; the output layer knows no others.
        low_precision: whether to encode in bfloat16.
    """

    def __init__(self, network: Seq2Seq, allowed: Sequence[int], low_precision: bool) -> None:
        assert isinstance(network.decoder, BlockDecoder)
        decoder = network.decoder
        self.allowed_W = torch.tensor(list(allowed))
        attentions = [*typed(decoder.attention_list, MultiHead), *([None] * len(decoder.cells))]
        blocks = typed(decoder.block_list, DecoderBlock)
        self.norm = decoder.norm
        self.blocks = [PackedBlock(*parts) for parts in zip(blocks, decoder.cells, attentions, strict=False)]
        self.embedding_VD = network.target_weight
        weight_GD, bias_G = self.blocks[0].cell.input
        normed_VD = normalise(blocks[0].recurrence_norm, self.embedding_VD)
        self.table_VG = functional.linear(normed_VD, weight_GD, bias_G)
        bias_V = network.output_bias
        bias_W = None if bias_V is None else bias_V[self.allowed_W]
        self.output = OutputLayer(network.output_weight[self.allowed_W], bias_W)
        self.encoder = copy.deepcopy(network).bfloat16() if low_precision else network

    def encode(self, source_BS: Tensor, length_B: Tensor) -> tuple[Memory, DecoderState]:
        """As Seq2Seq.encode, with keys and values in the layout of PackedAttention.remember."""
        memory, state = self.encoder.encode(source_BS, length_B)
        attentions = [block.attention for block in self.blocks if block.attention is not None]
        remembered = (one.remember(part) for one, part in zip(attentions, memory, strict=True))
        in_float = tuple(AttentionMemory(*(part.float() for part in one)) for one in remembered)
        return in_float, map_state(lambda tensor: tensor.float(), state)

    def step(self, word_N: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor]:
        """Read a word per row; give log-probabilities [N, P], the new state, and attention [B * A, K, S]."""
        stream_ND, gates_NG = self.embedding_VD[word_N], self.table_VG[word_N]
        states, seen = [], None
        for index, (block, cell_state) in enumerate(zip(self.blocks, state.cells, strict=True)):
            gates_NG = block.gates(stream_ND) if index else gates_NG
            looked_at = memory[index] if index < len(memory) else None
            stream_ND, new_state, weights = block(stream_ND, gates_NG, cell_state, looked_at)
            states.append(new_state)
            seen = weights if seen is None else seen
        assert seen is not None
        normed_ND = normalise(self.norm, stream_ND)
        return self.output(round_rows(normed_ND)), DecoderState(tuple(states)), seen


def packable(network: Seq2Seq) -> bool:
    """Whether a network is of the kind that PackedNetwork knows."""
    decoder = network.decoder
    known = all(isinstance(cell, LSTM | GRU) for cell in decoder.cells)
    attends = all(isinstance(attention, MultiHead) for attention in decoder.attentions)
    return isinstance(decoder, BlockDecoder) and known and attends and network.output_weight.device.type == "cpu"


@functools.cache
def products_exact() -> bool:
    """Whether torch multiplies 8-bit integers, and exactly: without VNNI, sums of two products are cut at 16 bits."""
    extreme_NK = torch.full((16, 64), -LEVELS, dtype=torch.int8)
    extreme_NK[::2] = LEVELS
    try:
        found_NO = torch._int_mm(extreme_NK, extreme_NK.t())
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(found_NO.long(), extreme_NK.long() @ extreme_NK.long().t())


def products_pay() -> bool:
    """Whether products of 8-bit integers are exact on this processor, and faster than those of floats."""
    if not products_exact():
        return False
    weight_OD = torch.randn(2048, 256)
    rounded, input_ND, product = round_rows(torch.randn(16, 256)), torch.randn(16, 256), Product(weight_OD)
    return seconds(lambda: product(rounded)) < seconds(lambda: functional.linear(input_ND, weight_OD))


def seconds(work: Callable[[], object]) -> float:
    """The shortest of a few tries."""
    tries = []
    for _ in range(8):
        start = time.perf_counter()
        work()
        tries.append(time.perf_counter() - start)
    return min(tries)
