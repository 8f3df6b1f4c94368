"""The tensors of a beam search's sentences: joined, chosen and grown.

Legend: B sentences under way, K beam, N = B * K rows, S source positions, L words so far, V vocabulary, X any numbers
of a hypothesis's step.

A sentence's hypotheses stand side by side, so that its memory is kept once; only the decoder's small states follow
the hypotheses as they are reordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from models.attention import AttentionMemory
from models.decoder import DecoderState, Memory, map_memory, map_state

IMPOSSIBLE = float("-inf")


class Beams(NamedTuple):
    """The tensors of all sentences under way; dimension 0 is the sentence (times beam, in `state`)."""

    memory: Memory
    state: DecoderState
    score_BK: Tensor  # log-probability of each live hypothesis
    tokens_BKL: Tensor  # words so far, bos first; shorter histories are padded on the right
    attention_BKLS: Tensor | None
    forbidden_BV: Tensor | None  # words that are not on a sentence's shortlist


def pad_to(tensor: Tensor, sizes: dict[int, int], value: float) -> Tensor:
    """Grow dimensions to the sizes given, padding at their end."""
    padding = [0] * (2 * tensor.dim())
    for dimension, size in sizes.items():
        padding[2 * (tensor.dim() - 1 - dimension) + 1] = size - tensor.shape[dimension]
    return functional.pad(tensor, padding, value=value) if any(padding) else tensor


def join(tensors: Sequence[Tensor], dimensions: tuple[int, ...] = (), value: float = 0.0) -> Tensor:
    """Concatenate in dimension 0 after growing the named dimensions to the largest."""
    sizes = {dimension: max(tensor.shape[dimension] for tensor in tensors) for dimension in dimensions}
    return torch.cat([pad_to(tensor, sizes, value) for tensor in tensors])


def join_both(first: Tensor | None, second: Tensor | None, dimensions: tuple[int, ...] = ()) -> Tensor | None:
    """As `join`, of what both searches keep or neither does."""
    return None if first is None or second is None else join([first, second], dimensions)


def merge(first: Beams, second: Beams) -> Beams:
    """Both groups of sentences as one."""
    pairs = zip(first.memory, second.memory, strict=True)
    memory = tuple(
        AttentionMemory(
            join([a.key_BSE, b.key_BSE], (1,)),
            join([a.value_BSE, b.value_BSE], (1,)),
            join([a.bias_BS, b.bias_BS], (1,), IMPOSSIBLE),
        )
        for a, b in pairs
    )
    theirs: Iterable[Tensor] = iter(tensors_of(second.state))
    state = map_state(lambda mine: torch.cat([mine, next(iter(theirs))]), first.state)
    attention = join_both(first.attention_BKLS, second.attention_BKLS, (2, 3))
    forbidden = join_both(first.forbidden_BV, second.forbidden_BV)
    tokens = join([first.tokens_BKL, second.tokens_BKL], (2,))
    return Beams(memory, state, torch.cat([first.score_BK, second.score_BK]), tokens, attention, forbidden)


def tensors_of(state: DecoderState) -> list[Tensor]:
    """Every tensor of a state, in the order in which map_state visits them."""
    found: list[Tensor] = []
    map_state(lambda tensor: found.append(tensor) or tensor, state)  # type: ignore[func-returns-value]
    return found


def select(beams: Beams, index_B: Tensor, beam: int) -> Beams:
    """Some of the sentences; source positions and words that none of them has are cut off by the caller."""
    row_N = (index_B[:, None] * beam + torch.arange(beam, device=index_B.device)).reshape(-1)
    memory = map_memory(lambda part: part.index_select(0, index_B), beams.memory)
    attention, forbidden = beams.attention_BKLS, beams.forbidden_BV
    return Beams(
        memory,
        map_state(lambda tensor: tensor.index_select(0, row_N), beams.state),
        beams.score_BK.index_select(0, index_B),
        beams.tokens_BKL.index_select(0, index_B),
        None if attention is None else attention.index_select(0, index_B),
        None if forbidden is None else forbidden.index_select(0, index_B),
    )


def place(history_BKLX: Tensor, now_BK1X: Tensor, position_B: Tensor) -> Tensor:
    """Write one entry per hypothesis at each sentence's own position, growing the history where needed."""
    grown = pad_to(history_BKLX, {2: max(history_BKLX.shape[2], int(position_B.max()) + 1)}, 0)
    index = position_B.view(-1, *[1] * (grown.dim() - 1)).expand_as(now_BK1X)
    return grown.scatter(2, index, now_BK1X.to(grown.dtype))
