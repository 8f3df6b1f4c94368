"""A search of fixed size: sentences join slots, step and are reported by tensors of constant shape and place.

Legend: B slots, J sentences that join, K beam, N = B * K rows, S source positions, L words of a hypothesis, C = 2 K
candidates, F columns of numbers.

Nothing here asks the device for a value, and nothing is allocated between steps that a later step reads: a CUDA graph
can hold a whole step. What `models.search.BeamSearch` does for each sentence in Python is done here for all slots at
once; it is the oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.beams import IMPOSSIBLE, tensors_of
from models.decoder import DecoderState, Memory, map_memory, map_state
from models.hypotheses import SearchOptions, Specials
from models.search import best_continuations
from models.seq2seq import Seq2Seq

COLUMNS = ("source_length", "slot", "limit", "rewarded", "n_best")  # of a joining sentence, after its ids
HEAD = 4  # of an outcome: active, words, complete, and the log-probability as the bits of a float32; words follow
ALPHA = len(COLUMNS)  # the column after them: the length penalty, as the bits of a float32


class Size(NamedTuple):
    """What a table has room for."""

    slots: int
    sources: int  # ids of a source
    words: int  # of a hypothesis


class Request(NamedTuple):
    """A sentence about to join."""

    source: Sequence[int]
    slot: int
    options: SearchOptions


class Ended(NamedTuple):
    """One list of ways to end, for each slot; all [B, E]."""

    score: Tensor  # log-probability over the length penalty; minus infinity where there is none
    log_probability: Tensor
    length: Tensor  # words, eos not counted
    parent: Tensor  # the hypothesis, as the beam stood before that step

    def better(self, other: Ended, keep: int) -> Ended:
        """The best of both lists."""
        score, index = torch.cat([self.score, other.score], 1).topk(keep, dim=1)
        rest = (torch.cat(pair, 1).gather(1, index) for pair in zip(self[1:], other[1:], strict=True))
        return Ended(score, *rest)


def no_end(slots: int, most: int, device: torch.device) -> Ended:
    """Empty lists."""
    score = torch.full((slots, most), IMPOSSIBLE, device=device)
    length = torch.zeros(slots, most, dtype=torch.long, device=device)
    return Ended(score, score.clone(), length, length.clone())


def divisor(length_B: Tensor, rewarded_B: Tensor, alpha_B: Tensor) -> Tensor:
    """The length penalty of models.hypotheses.length_penalty."""
    return ((5.0 + torch.minimum(length_B, rewarded_B)) / 6.0) ** alpha_B


def write(targets: Sequence[Tensor], values: Sequence[Tensor], row_J: Tensor | None = None) -> None:
    """Put values where targets lie, in some rows or in all."""
    for target, value in zip(targets, values, strict=True):
        if row_J is None:
            target.copy_(value)
        else:
            target.index_copy_(0, row_J, value.to(target.dtype))


def tensors_in(memory: Memory) -> list[Tensor]:
    """Every tensor of a memory."""
    return [part for layer in memory for part in layer]


class Table:
    """The tensors of a search, and what is done with them.

    Args:
        network: in evaluation mode, on its device.
        specials: ids that are treated apart.
        beam: hypotheses of each sentence.
        size: what there is room for.
        alignments: whether attention is kept.
    """

    def __init__(self, network: Seq2Seq, specials: Specials, beam: int, size: Size, alignments: bool) -> None:
        self.network, self.specials, self.beam, self.size = network, specials, beam, size
        device = self.device = network.output_weight.device
        self.banned = torch.tensor(sorted(specials.banned), device=device)
        self.memory, self.state = self.room()
        slots, words = size.slots, size.words + 1
        self.first_B1 = torch.arange(slots, device=device)[:, None] * beam
        self.active_B = torch.zeros(slots, dtype=torch.bool, device=device)
        self.length_B, self.limit_B, self.rewarded_B, self.n_best_B, self.count_B = (
            torch.ones(slots, dtype=torch.long, device=device) for _ in range(5)
        )
        self.alpha_B = torch.ones(slots, device=device)
        self.score_BK = torch.full((slots, beam), IMPOSSIBLE, device=device)
        self.word_BK = torch.full((slots, beam), specials.bos, device=device)
        self.words_BLK, self.parents_BLK = (
            torch.zeros(slots, words, beam, dtype=torch.long, device=device) for _ in range(2)
        )
        self.attention_BLKS = torch.zeros(slots, words, beam, size.sources, device=device) if alignments else None
        self.outcome_BX = torch.zeros(slots, 1, dtype=torch.int32, device=device)
        self.ended, self.stop = no_end(slots, beam, device), no_end(slots, 1, device)

    @torch.inference_mode()
    def room(self) -> tuple[Memory, DecoderState]:
        """Memory and state for all slots, as a sentence of one id would have them."""
        source_1S = torch.full((1, self.size.sources), self.specials.eos, device=self.device)
        memory, state = self.network.encode(source_1S, torch.ones(1, dtype=torch.long, device=self.device))
        slots = self.size.slots
        return (
            map_memory(lambda part: part.repeat_interleave(slots, 0), memory),
            map_state(lambda part: part.repeat_interleave(slots * self.beam, 0), state),
        )

    def pack(self, requests: Sequence[Request]) -> Tensor:
        """Joining sentences as one tensor of int32 [J, S + F], for `join`."""
        sources = self.size.sources
        rows = []
        for source, slot, options in requests:
            length = len(source)
            numbers = [length, slot, options.limit(length), options.rewarded(length), options.n_best]
            rows.append([*source, *[self.specials.pad] * (sources - length), *numbers])
        alphas = torch.tensor([[request.options.length_penalty] for request in requests], dtype=torch.float32)
        return torch.cat([torch.tensor(rows, dtype=torch.int32), alphas.view(torch.int32)], 1)

    def join(self, packed_JF: Tensor) -> None:
        """Encode sentences, and begin them in their slots; the same sentence may be there twice."""
        source_JS, numbers_JF = packed_JF[:, : self.size.sources].long(), packed_JF[:, self.size.sources :]
        length_J, slot_J, limit_J, rewarded_J, n_best_J = numbers_JF[:, :ALPHA].long().unbind(1)
        alpha_J = numbers_JF[:, ALPHA].contiguous().view(torch.float32)
        memory, state = self.network.encode(source_JS, length_J)
        row_M = (slot_J[:, None] * self.beam + torch.arange(self.beam, device=self.device)).view(-1)
        wide = map_state(lambda part: part.repeat_interleave(self.beam, 0), state)
        write(tensors_in(self.memory), tensors_in(memory), slot_J)
        write(tensors_of(self.state), tensors_of(wide), row_M)
        numbers = [self.limit_B, self.rewarded_B, self.n_best_B, self.alpha_B]
        write(numbers, [limit_J, rewarded_J, n_best_J, alpha_J], slot_J)
        self.length_B.index_fill_(0, slot_J, 0)
        self.count_B.index_fill_(0, slot_J, 0)
        self.score_BK.index_fill_(0, slot_J, IMPOSSIBLE)
        self.score_BK[:, 0].index_fill_(0, slot_J, 0.0)
        self.word_BK.index_fill_(0, slot_J, self.specials.bos)
        self.ended.score.index_fill_(0, slot_J, IMPOSSIBLE)
        self.stop.score.index_fill_(0, slot_J, IMPOSSIBLE)
        self.active_B.index_fill_(0, slot_J, True)

    def step(self) -> None:
        """Advance every active slot by one word; those that end become inactive and stay as they are.

        The first column of `outcome_BX` then tells which are active.
        """
        output = self.network.decode(self.word_BK.view(-1, 1), self.memory, self.state)
        logits_NV = self.network.logits(output.hidden_NTD[:, 0]).float()
        score_BC, parent_BC, word_BC, end_BK = best_continuations(logits_NV, self.score_BK, self.banned, self.specials)
        length_B = self.length_B  # before the word that is added now
        after_B = length_B + 1
        divisor_B1 = divisor(after_B, self.rewarded_B, self.alpha_B)[:, None]
        ends_BK = (word_BC == self.specials.eos)[:, : self.beam] & (score_BC[:, : self.beam] > IMPOSSIBLE)
        ended, count_B = self.with_ends(score_BC, parent_BC, ends_BK & self.active_B[:, None], divisor_B1)
        stop = self.with_stop(end_BK, count_B, divisor_B1)
        going_BC = torch.where(word_BC == self.specials.eos, IMPOSSIBLE, score_BC)
        score_BK, column_BK = going_BC.topk(self.beam, dim=1)
        parent_BK, word_BK = parent_BC.gather(1, column_BK), word_BC.gather(1, column_BK)
        settled_B = self.settled(ended, count_B, score_BK[:, 0], after_B)
        active_B = self.active_B & ~settled_B & (after_B < self.limit_B)
        self.note(parent_BK, word_BK, output.attention_NTS)
        row_N = (parent_BK + self.first_B1).view(-1)
        write(tensors_of(self.state), [part.index_select(0, row_N) for part in tensors_of(output.state)])
        write([*self.ended, *self.stop, self.count_B], [*ended, *stop, count_B])
        running_B1 = self.active_B[:, None]
        self.score_BK.copy_(torch.where(running_B1, score_BK, self.score_BK))
        self.word_BK.copy_(word_BK)
        self.length_B.add_(self.active_B)
        self.active_B.copy_(active_B)
        self.outcome_BX[:, 0].copy_(active_B)

    def with_ends(
        self, score_BC: Tensor, parent_BC: Tensor, ends_BK: Tensor, divisor_B1: Tensor
    ) -> tuple[Ended, Tensor]:
        """The best that have ended, with those that end now; and how many have in all."""
        log_BK = torch.where(ends_BK, score_BC[:, : self.beam], IMPOSSIBLE)
        length_BK = self.length_B[:, None].expand_as(log_BK)
        now = Ended(log_BK / divisor_B1, log_BK, length_BK, parent_BC[:, : self.beam])
        return self.ended.better(now, self.beam), self.count_B + ends_BK.sum(1)

    def with_stop(self, end_BK: Tensor, count_B: Tensor, divisor_B1: Tensor) -> Ended:
        """Where it is least bad to stop what has not ended, beyond the length that is rewarded."""
        log_B1, parent_B1 = end_BK.max(1, keepdim=True)
        may_B1 = ((count_B == 0) & (self.length_B >= self.rewarded_B) & self.active_B)[:, None]
        score_B1 = torch.where(may_B1, log_B1 / divisor_B1, IMPOSSIBLE)
        now = Ended(score_B1, log_B1, self.length_B[:, None], parent_B1)
        better_B1 = score_B1 > self.stop.score
        return Ended(*(torch.where(better_B1, new, old) for new, old in zip(now, self.stop, strict=True)))

    def settled(self, ended: Ended, count_B: Tensor, live_B: Tensor, length_B: Tensor) -> Tensor:
        """models.hypotheses.settled of every slot."""
        worst_B = ended.score.gather(1, self.n_best_B[:, None] - 1)[:, 0]
        now_B = live_B / divisor(length_B + 1, self.rewarded_B, self.alpha_B)
        lenient_B = torch.where(self.alpha_B > 0, self.rewarded_B, length_B + 1)
        most_B = live_B / divisor(lenient_B, self.rewarded_B, self.alpha_B)
        enough_B = (count_B >= self.beam) & (worst_B >= now_B)
        return (count_B >= self.n_best_B) & (enough_B | (worst_B >= most_B) | (self.beam == 1))

    def note(self, parent_BK: Tensor, word_BK: Tensor, attention_NTS: Tensor) -> None:
        """Write a step's words behind each slot's own; an inactive slot writes where nobody reads."""
        index_B1K = self.length_B[:, None, None].expand(-1, 1, self.beam)
        self.words_BLK.scatter_(1, index_B1K, word_BK[:, None])
        self.parents_BLK.scatter_(1, index_B1K, parent_BK[:, None])
        if self.attention_BLKS is not None:
            now_B1KS = attention_NTS.view(-1, 1, self.beam, self.size.sources)
            self.attention_BLKS.scatter_(1, index_B1K[..., None].expand_as(now_B1KS), now_B1KS)

    def tensors(self) -> list[tuple[Tensor, float]]:
        """All that a sentence under way consists of, each with what it is padded with, as in another table."""
        numbers = [self.length_B, self.limit_B, self.rewarded_B, self.n_best_B, self.count_B, self.alpha_B]
        beams = [self.score_BK, self.word_BK, self.words_BLK, self.parents_BLK, *self.ended, *self.stop]
        attention = [] if self.attention_BLKS is None else [self.attention_BLKS]
        plain = [self.active_B, self.outcome_BX, *numbers, *beams, *attention, *tensors_of(self.state)]
        memory = [(part, IMPOSSIBLE if part is layer.bias_BS else 0.0) for layer in self.memory for part in layer]
        return [*((part, 0.0) for part in plain), *memory]

    def stay(self, slots: Sequence[int]) -> None:
        """Stop sentences where they are."""
        self.active_B.index_fill_(0, torch.tensor(slots, device=self.device), False)
