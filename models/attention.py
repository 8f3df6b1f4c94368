"""Attention, and what came before it: what a decoder position takes from the source.

Legend: B sentences, Q queries of a sentence (positions times beam), S source positions, D query width,
E encoded width, A attention heads, C channels of a head.

Keys and values are computed once per sentence (`remember`). Queries of one sentence stand side by side in one axis,
so a beam never replicates the memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config import AttentionConfig
from models.dropout import dropout
from models.initialize import linear


class AttentionMemory(NamedTuple):
    """What the queries of one attention layer read; dimension 0 is the sentence, 1 the source position."""

    key_BSE: Tensor
    value_BSE: Tensor
    bias_BS: Tensor  # zero at tokens, minus infinity at padding


class Attention(nn.Module):
    """Base of all kinds: weights over source positions, a context projected to the query's width."""

    def __init__(self, query_size: int, memory_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.output = linear(memory_size, query_size)

    def remember(self, encoded_BSE: Tensor, bias_BS: Tensor) -> AttentionMemory:
        """Keys and values of encoded sentences."""
        raise NotImplementedError

    def scores(self, query_BQD: Tensor, key_BSE: Tensor) -> Tensor:
        """Unnormalised weights [B, Q, S]."""
        raise NotImplementedError

    def forward(self, query_BQD: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        """Contexts [B, Q, D] and weights [B, Q, S], which sum to one over the source."""
        scores_BQS = self.scores(query_BQD, memory.key_BSE) + memory.bias_BS[:, None]
        weights_BQS = torch.softmax(scores_BQS, dim=-1, dtype=torch.float32)
        dropped_BQS = dropout(weights_BQS.to(scores_BQS.dtype), self.dropout, self.training)
        return self.output(torch.bmm(dropped_BQS, memory.value_BSE)), weights_BQS


class Dot(Attention):
    """Luong et al. (2015), score `dot`: the encoding itself is the key, so both widths must agree."""

    def remember(self, encoded_BSE: Tensor, bias_BS: Tensor) -> AttentionMemory:
        """The encoding is key and value."""
        return AttentionMemory(encoded_BSE, encoded_BSE, bias_BS)

    def scores(self, query_BQD: Tensor, key_BSE: Tensor) -> Tensor:
        """Inner products."""
        return torch.bmm(query_BQD, key_BSE.transpose(1, 2))


class General(Dot):
    """Luong et al. (2015), score `general`: a learned bilinear form."""

    def __init__(self, query_size: int, memory_size: int, dropout: float) -> None:
        super().__init__(query_size, memory_size, dropout)
        self.key = linear(memory_size, query_size, bias=False)

    def remember(self, encoded_BSE: Tensor, bias_BS: Tensor) -> AttentionMemory:
        """The key is projected to the query's width."""
        return AttentionMemory(self.key(encoded_BSE), encoded_BSE, bias_BS)


class Additive(General):
    """Bahdanau et al. (2015): a small network scores each pair of query and key."""

    def __init__(self, query_size: int, memory_size: int, dropout: float) -> None:
        super().__init__(query_size, memory_size, dropout)
        self.query = linear(query_size, query_size)
        self.energy = linear(query_size, 1, bias=False)

    def scores(self, query_BQD: Tensor, key_BSE: Tensor) -> Tensor:
        """v' tanh(W q + U k)."""
        mixed_BQSD = torch.tanh(self.query(query_BQD)[:, :, None] + key_BSE[:, None])
        scores_BQS: Tensor = self.energy(mixed_BQSD).squeeze(-1)
        return scores_BQS


class MultiHead(Attention):
    """Scaled inner products in several heads (Vaswani et al. 2017); the reported weights are the heads' mean."""

    def __init__(self, query_size: int, memory_size: int, dropout: float, heads: int) -> None:
        super().__init__(query_size, query_size, dropout)
        self.heads = heads
        self.query = linear(query_size, query_size)
        self.key = linear(memory_size, query_size, bias=False)
        self.value = linear(memory_size, query_size)

    def remember(self, encoded_BSE: Tensor, bias_BS: Tensor) -> AttentionMemory:
        """All heads' keys and values side by side."""
        return AttentionMemory(self.key(encoded_BSE), self.value(encoded_BSE), bias_BS)

    def split(self, input_BND: Tensor) -> Tensor:
        """[B, N, D] to [B, A, N, C]."""
        return input_BND.view(*input_BND.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, query_BQD: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        """Shapes as in Attention.forward."""
        query_BAQC, key_BASC = self.split(self.query(query_BQD)), self.split(memory.key_BSE)
        scale = query_BAQC.shape[-1] ** -0.5
        scores_BAQS = (query_BAQC * scale) @ key_BASC.transpose(-1, -2) + memory.bias_BS[:, None, None]
        weights_BAQS = torch.softmax(scores_BAQS, dim=-1, dtype=torch.float32)
        dropped_BAQS = dropout(weights_BAQS.to(scores_BAQS.dtype), self.dropout, self.training)
        context_BQD = (dropped_BAQS @ self.split(memory.value_BSE)).transpose(1, 2).flatten(2)
        return self.output(context_BQD), weights_BAQS.mean(1)


def ends(encoded_BSE: Tensor, bias_BS: Tensor) -> Tensor:
    """First and last encodings side by side [B, 2E]: at one of them, whichever way it goes, a reader has read all."""
    last_B = (bias_BS == 0).sum(1) - 1
    last_BE = encoded_BSE[torch.arange(len(last_B), device=last_B.device), last_B]
    return torch.cat([encoded_BSE[:, 0], last_BE], -1)


def mean(encoded_BSE: Tensor, bias_BS: Tensor) -> Tensor:
    """The mean encoding [B, E] of each sentence, padding left out."""
    token_BS1 = (bias_BS == 0)[..., None]
    return torch.where(token_BS1, encoded_BSE, 0.0).sum(1) / token_BS1.sum(1)


def no_weights(query_BQD: Tensor, bias_BS: Tensor) -> Tensor:
    """Weights [B, Q, S] of a decoder that looks at no position."""
    return query_BQD.new_zeros(*query_BQD.shape[:2], bias_BS.shape[1], dtype=torch.float32)


class Summary(Attention):
    """Base of those that give every target position the same summary of the source, whatever the query."""

    def summarise(self, encoded_BSE: Tensor, bias_BS: Tensor) -> Tensor:
        """One vector for each sentence."""
        raise NotImplementedError

    def remember(self, encoded_BSE: Tensor, bias_BS: Tensor) -> AttentionMemory:
        """The context alone, as one position."""
        context_B1D = self.output(self.summarise(encoded_BSE, bias_BS))[:, None]
        return AttentionMemory(context_B1D, context_B1D, bias_BS)

    def forward(self, query_BQD: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        """Shapes as in Attention.forward; the weights are zero."""
        context_BQD = memory.value_BSE.expand(-1, query_BQD.shape[1], -1)
        return context_BQD, no_weights(query_BQD, memory.bias_BS)


class Fixed(Summary):
    """Cho et al. (2014): what readers of the source end with."""

    def __init__(self, query_size: int, memory_size: int, dropout: float) -> None:
        super().__init__(query_size, 2 * memory_size, dropout)

    def summarise(self, encoded_BSE: Tensor, bias_BS: Tensor) -> Tensor:
        """First and last encodings [B, 2E]."""
        return ends(encoded_BSE, bias_BS)


class Mean(Summary):
    """After Auli et al. (2013): a language model that sees the whole sentence beside every word.

    With an encoder of no layers, the mean is that of the words' embeddings.
    """

    def summarise(self, encoded_BSE: Tensor, bias_BS: Tensor) -> Tensor:
        """Mean encodings [B, E]."""
        return mean(encoded_BSE, bias_BS)


class NoAttention(Attention):
    """Sutskever et al. (2014): nothing but the decoder's first state tells of the source."""

    def __init__(self, _query_size: int, _memory_size: int, _dropout: float) -> None:
        nn.Module.__init__(self)

    def remember(self, encoded_BSE: Tensor, bias_BS: Tensor) -> AttentionMemory:
        """Nothing; the bias tells how many positions there were."""
        nothing_B1E = encoded_BSE.new_zeros(len(encoded_BSE), 1, 0)
        return AttentionMemory(nothing_B1E, nothing_B1E, bias_BS)

    def forward(self, query_BQD: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        """Zeros, shaped as in Attention.forward."""
        return torch.zeros_like(query_BQD), no_weights(query_BQD, memory.bias_BS)


def make_attention(config: AttentionConfig, query_size: int, memory_size: int, dropout: float) -> Attention:
    """The attention layer that a configuration names."""
    if config.kind == "multi_head":
        return MultiHead(query_size, memory_size, dropout, config.heads)
    kinds: dict[str, type[Attention]] = {
        "dot": Dot,
        "general": General,
        "additive": Additive,
        "fixed": Fixed,
        "mean": Mean,
        "none": NoAttention,
    }
    return kinds[config.kind](query_size, memory_size, dropout)
