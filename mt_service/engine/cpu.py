"""The fast engine for CPUs: the search of models/search.py over a packed network, with its books in NumPy.

Legend: B sentences, K beam, N = B * K rows, S source positions, L words so far, W words that may be produced,
C = 2 K candidates, A attention heads; P: W and padding.

A sentence that ends leaves its rows empty; they are cleared away once they are an eighth of the batch, since clearing
copies the memory of those that stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.collate import padded
from models.attention import AttentionMemory
from models.decoder import DecoderState, Memory, map_state
from models.search import Hypothesis, SearchOptions, Specials, join, length_penalty, settled, tensors_of
from models.seq2seq import Seq2Seq
from mt_service.engine.grouped import GroupedEngine
from mt_service.engine.packed import BLOCK, PackedNetwork

Array: TypeAlias = NDArray[Any]
EMPTY_SHARE = 8  # empty rows are cleared away when more than one in so many is empty
ROOM = 32  # words that histories grow by


class Books:
    """What is known of the sentences in a search, one entry (or row of an array) each."""

    def __init__(self, beam: int) -> None:
        self.key = numpy.empty(0, numpy.int64)
        self.length = numpy.empty(0, numpy.int64)  # words read
        self.limit = numpy.empty(0, numpy.int64)
        self.source = numpy.empty(0, numpy.int64)  # length of the source
        self.alive = numpy.empty(0, bool)
        self.tokens = numpy.empty((0, beam, ROOM), numpy.int32)
        self.attention: Array = numpy.empty((0, beam, 0, 0), numpy.float32)
        self.finished: list[list[Hypothesis]] = []

    def add(self, keys: Sequence[int], lengths: Sequence[int], limits: Sequence[int]) -> None:
        """Enter sentences."""
        count = len(keys)
        self.key = numpy.concatenate([self.key, keys])
        self.length = numpy.concatenate([self.length, numpy.zeros(count, numpy.int64)])
        self.limit = numpy.concatenate([self.limit, limits])
        self.source = numpy.concatenate([self.source, lengths])
        self.alive = numpy.concatenate([self.alive, numpy.ones(count, bool)])
        self.tokens = numpy.concatenate([self.tokens, numpy.zeros((count, *self.tokens.shape[1:]), numpy.int32)])
        self.finished += [[] for _ in keys]

    def keep(self, rows: Array) -> None:
        """Strike out all others."""
        for name in ("key", "length", "limit", "source", "alive", "tokens"):
            setattr(self, name, getattr(self, name)[rows])
        if self.attention.size:
            self.attention = self.attention[rows]
        self.finished = [self.finished[row] for row in rows]

    def write(self, parent_BK: Array, token_BK: Array) -> None:
        """Let every hypothesis take over its parent's words and add its own."""
        if self.tokens.shape[2] <= self.length.max():
            self.tokens = numpy.pad(self.tokens, ((0, 0), (0, 0), (0, ROOM)))
        if parent_BK.shape[1] > 1:
            self.tokens = numpy.take_along_axis(self.tokens, parent_BK[:, :, None], 1)
        self.tokens[numpy.arange(len(self.length)), :, self.length] = token_BK

    def look(self, weights_BKS: Array) -> None:
        """Note what each hypothesis looked at before its next word."""
        sentences, beam, source = weights_BKS.shape
        words = max(int(self.length.max()) + 1, self.attention.shape[2])
        grown = numpy.zeros((sentences, beam, words, max(source, self.attention.shape[3])), numpy.float32)
        before = self.attention
        grown[: before.shape[0], :, : before.shape[2], : before.shape[3]] = before
        grown[numpy.arange(sentences), :, self.length, :source] = weights_BKS
        self.attention = grown


def cut(memory: AttentionMemory, rows_B: Tensor, size: int) -> AttentionMemory:
    """Some sentences, and `size` source positions."""
    key, value, bias = (part.index_select(0, rows_B) for part in memory)
    return AttentionMemory(key[..., :size], value[:, :, :size], bias[..., :size])


def merge(first: AttentionMemory, second: AttentionMemory) -> AttentionMemory:
    """Both groups of sentences, padded to the longer source."""
    parts = zip(first, second, (3, 2, 2), (0.0, 0.0, float("-inf")), strict=True)
    return AttentionMemory(*(join([one, other], (axis,), fill) for one, other, axis, fill in parts))


class CpuSearch:
    """Beam search for sentences that share their options; what models.search.BeamSearch does, faster."""

    def __init__(self, packed: PackedNetwork, options: SearchOptions, specials: Specials) -> None:
        self.packed, self.options, self.specials = packed, options, specials
        self.id_of_W: Array = packed.allowed_W.numpy()
        self.eos = int(numpy.flatnonzero(self.id_of_W == specials.eos)[0])
        self.books = Books(options.beam)
        self.memory: Memory = ()
        self.state = DecoderState(())
        self.score_BK = torch.empty(0, options.beam)
        self.word_N = torch.empty(0, dtype=torch.long)

    def __len__(self) -> int:
        """Sentences under way."""
        return int(self.books.alive.sum())

    def add(self, keys: Sequence[int], sources: Sequence[Sequence[int]]) -> None:
        """Let sentences join; see BeamSearch.add."""
        lengths = [len(source) for source in sources]
        memory, state = self.packed.encode(padded(sources, self.specials.pad), torch.tensor(lengths))
        beam = self.options.beam
        if beam > 1:
            state = map_state(lambda tensor: tensor.repeat_interleave(beam, 0), state)
        score_BK = torch.full((len(keys), beam), float("-inf"))
        score_BK[:, 0] = 0.0
        word_N = torch.full((len(keys) * beam,), self.specials.bos)
        self.clear()
        if len(self.books.key):
            memory = tuple(merge(mine, new) for mine, new in zip(self.memory, memory, strict=True))
            theirs = iter(tensors_of(state))
            state = map_state(lambda mine: torch.cat([mine, next(theirs)]), self.state)
            score_BK, word_N = torch.cat([self.score_BK, score_BK]), torch.cat([self.word_N, word_N])
        self.memory, self.state, self.score_BK, self.word_N = memory, state, score_BK, word_N
        self.books.add(keys, lengths, [self.options.limit(length) for length in lengths])

    def clear(self) -> None:
        """Give up the rows of sentences that ended, and source positions that nobody left has."""
        alive = numpy.flatnonzero(self.books.alive)
        if len(alive) == len(self.books.alive):
            return
        self.books.keep(alive)
        rows_B, beam = torch.from_numpy(alive), self.options.beam
        row_N = (rows_B[:, None] * beam + torch.arange(beam)).view(-1)
        size = int(self.books.source.max(initial=0))
        self.memory = tuple(cut(memory, rows_B, size) for memory in self.memory)
        self.state = map_state(lambda tensor: tensor.index_select(0, row_N), self.state)
        self.score_BK, self.word_N = self.score_BK.index_select(0, rows_B), self.word_N.index_select(0, row_N)

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences whose result nobody wants any more."""
        self.books.alive &= ~numpy.isin(self.books.key, list(keys))
        self.clear()

    def step(self) -> dict[int, list[Hypothesis]]:
        """Advance every sentence by one word; return the n-best lists of those that end, best first."""
        gain_NP, self.state, seen = self.packed.step(self.word_N, self.memory, self.state)
        if self.options.alignments:
            sentences, heads, source = self.memory[0].bias_BS.shape
            self.books.look(seen.view(sentences, heads, -1, source).mean(1).numpy())
        greedy = self.options.beam == 1
        score_BC, parent_BC, index_BC = self.best_word(gain_NP) if greedy else self.candidates(gain_NP)
        self.collect(score_BC, parent_BC, index_BC)
        self.advance(score_BC, parent_BC, index_BC)
        return self.leave()

    def best_word(self, gain_NP: Tensor) -> tuple[Array, Array, Array]:
        """Greedy search: the best word of each row."""
        index_N1 = gain_NP.numpy().argmax(1)[:, None]  # NumPy's is several times faster than torch's
        score_N1 = self.score_BK.numpy() + numpy.take_along_axis(gain_NP.numpy(), index_N1, 1)
        return score_N1, numpy.zeros(score_N1.shape, numpy.int64), index_N1

    def candidates(self, gain_NP: Tensor) -> tuple[Array, Array, Array]:
        """The 2 K best continuations of each sentence, best first; see BeamSearch.candidates.

        They stand in the 2 K blocks of words with the highest best word: only those are looked at closely.
        """
        beam, count = self.options.beam, 2 * self.options.beam
        sentences, blocks = len(self.score_BK), gain_NP.shape[1] // BLOCK
        best_BX = (gain_NP.view(sentences, beam, blocks, BLOCK).amax(3) + self.score_BK[..., None]).flatten(1)
        chosen_BY = best_BX.topk(min(count, best_BX.shape[1]), dim=1).indices
        near_BYZ = gain_NP.view(sentences, -1, BLOCK).gather(1, chosen_BY[..., None].expand(-1, -1, BLOCK))
        parent_BY = chosen_BY // blocks
        total_BZ = (near_BYZ + self.score_BK.gather(1, parent_BY)[..., None]).flatten(1)
        score_BC, place_BC = total_BZ.topk(count, dim=1)
        which_BC = place_BC // BLOCK
        index_BC = chosen_BY.gather(1, which_BC) % blocks * BLOCK + place_BC % BLOCK
        return score_BC.numpy(), parent_BY.gather(1, which_BC).numpy(), index_BC.numpy()

    def collect(self, score_BC: Array, parent_BC: Array, index_BC: Array) -> None:
        """Note the hypotheses that end here: eos among the best K candidates, or the length limit."""
        beam, books = self.options.beam, self.books
        possible_BK = (score_BC[:, :beam] > -numpy.inf) & books.alive[:, None]
        ends_BK = index_BC[:, :beam] == self.eos
        for row, column in zip(*(ends_BK & possible_BK).nonzero(), strict=True):
            self.finish(int(row), parent_BC[row, column], score_BC[row, column], None)
        for row in numpy.flatnonzero(books.alive & (books.length + 1 >= books.limit)):
            if not books.finished[row]:
                for column in numpy.flatnonzero(possible_BK[row] & ~ends_BK[row]):
                    word = int(self.id_of_W[index_BC[row, column]])
                    self.finish(int(row), parent_BC[row, column], score_BC[row, column], word)

    def finish(self, row: int, parent: int, log_probability: float, extra: int | None) -> None:
        """Keep a hypothesis: its parent's words, and one more when it was cut at the limit."""
        books, length = self.books, int(self.books.length[row])
        words = books.tokens[row, parent, :length].tolist()
        alignment = None
        if self.options.alignments:
            weights = books.attention[row, parent, : length + 1, : books.source[row]]
            alignment = tuple(map(tuple, weights.tolist()))
        total = float(log_probability)
        score = total / length_penalty(length + 1, self.options.length_penalty)
        tokens = tuple(words if extra is None else [*words, extra])
        books.finished[row].append(Hypothesis(tokens, score, total, alignment, extra is None))

    def advance(self, score_BC: Array, parent_BC: Array, index_BC: Array) -> None:
        """The best K candidates that go on become the hypotheses of the next step."""
        beam, books = self.options.beam, self.books
        if beam > 1:
            going_BC = numpy.where(index_BC == self.eos, -numpy.inf, score_BC)
            column_BK = numpy.argsort(-going_BC, axis=1, kind="stable")[:, :beam]
            score_BC = numpy.take_along_axis(going_BC, column_BK, 1)
            parent_BC, index_BC = (numpy.take_along_axis(one, column_BK, 1) for one in (parent_BC, index_BC))
            row_N = torch.from_numpy((parent_BC + numpy.arange(len(parent_BC))[:, None] * beam).reshape(-1))
            self.state = map_state(lambda tensor: tensor.index_select(0, row_N), self.state)
            if self.options.alignments:
                books.attention = numpy.take_along_axis(books.attention, parent_BC[:, :, None, None], 1)
        token_BK = self.id_of_W[index_BC]
        books.write(parent_BC, token_BK)
        self.score_BK = torch.from_numpy(numpy.ascontiguousarray(score_BC))
        self.word_N = torch.from_numpy(token_BK.reshape(-1))

    def leave(self) -> dict[int, list[Hypothesis]]:
        """Let ended sentences go, and return their n-best lists."""
        books, results = self.books, dict[int, list[Hypothesis]]()
        books.length += 1
        over, live = books.length >= books.limit, self.score_BK[:, 0].tolist()
        for row in numpy.flatnonzero(books.alive):
            found, length, limit = books.finished[row], int(books.length[row]), int(books.limit[row])
            if not over[row] and not settled(found, live[row], length, limit, self.options):
                continue
            ranked = sorted(found, key=lambda hypothesis: -hypothesis.score)
            results[int(books.key[row])] = ranked[: self.options.n_best]
            books.alive[row] = False
        empty = len(books.alive) - len(self)
        if empty * EMPTY_SHARE > len(books.alive):
            self.clear()
        return results


class CpuEngine(GroupedEngine):
    """8-bit products, folded tables, and books in NumPy.

    Args:
        network: of a kind that `packable` accepts.
        specials: ids that are treated apart.
        low_precision: whether to encode in bfloat16, which pays where the processor has it.
    """

    def __init__(self, network: Seq2Seq, specials: Specials, low_precision: bool = False) -> None:
        allowed = sorted(set(range(len(network.output_weight))) - specials.banned)
        packed = PackedNetwork(network, allowed, low_precision)
        numbers = f"8-bit integers on cpu, encoding in {'bfloat16' if low_precision else 'float32'}"
        super().__init__(lambda options: CpuSearch(packed, options, specials), numbers)
