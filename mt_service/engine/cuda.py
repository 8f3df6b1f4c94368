"""The engine for GPUs: tables of fixed size in half precision, each of whose steps is one CUDA graph.

Legend: B slots, J sentences that join, K beam, S source positions, L words of a hypothesis, F columns of numbers.

A step is some hundred small kernels, and starting them one by one takes longer than they do. The device runs a step
ahead: what has ended is known one step later, when the step after it has been started.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from models.beams import pad_to
from models.hypotheses import Hypothesis, SearchOptions, Specials
from models.seq2seq import Seq2Seq
from mt_service.engine.graphs import Pool, captured, make_pool
from mt_service.engine.grouped import Groups, by_options
from mt_service.engine.interface import Job
from mt_service.engine.reference import ReferenceEngine
from mt_service.engine.report import read_outcomes
from mt_service.engine.table import Request, Size, Table

log = logging.getLogger(__name__)

AHEAD = 1  # steps that are started before it is looked at what has ended
STEP = 16  # sources are padded to multiples of so many ids, at least
KEPT = 24  # tables that are kept, with their graphs, for sentences to come


class Waiting(NamedTuple):
    """A sentence under way, and the step from which on the flag of its slot is its own."""

    key: int
    job: Job
    since: int


class Outcome:
    """What came of a step, on its way to the host."""

    def __init__(self, number: int, outcome_BX: Tensor) -> None:
        self.number = number
        self.host_BX = torch.empty_like(outcome_BX, device="cpu", pin_memory=outcome_BX.is_cuda)
        self.host_BX.copy_(outcome_BX, non_blocking=True)
        self.event = torch.cuda.Event() if outcome_BX.is_cuda else None  # type: ignore[no-untyped-call]
        if self.event is not None:
            self.event.record()

    def wait(self) -> list[int]:
        """Whether each slot is active, when that is known here."""
        if self.event is not None:
            self.event.synchronize()
        found: list[int] = self.host_BX[:, 0].tolist()
        return found


def room_for(count: int) -> int:
    """The smallest power of two that holds so many."""
    return 1 << (count - 1).bit_length()


def source_room(length: int) -> int:
    """How many ids sources of a length are padded to: to few sizes, by less than 16 ids or half of them."""
    step = max(STEP, room_for(length) // 4)
    return -(-length // step) * step


class Graphs:
    """A table with the graphs of what is done to it; those of joining are made when so many join first."""

    def __init__(self, table: Table, pool: Pool | None) -> None:
        self.table, self.pool = table, pool
        self.advance = captured(table.step, table.device, pool)
        self.joins: dict[int, tuple[Tensor, Callable[[], object]]] = {}
        self.lent = False  # to a search

    def join(self, requests: Sequence[Request]) -> None:
        """Let sentences join; the last one fills up what is padded."""
        count = room_for(len(requests))
        packed_JF = self.table.pack([*requests, *[requests[-1]] * (count - len(requests))])
        if count not in self.joins:
            place_JF = packed_JF.to(self.table.device)
            self.joins[count] = place_JF, captured(partial(self.table.join, place_JF), self.table.device, self.pool)
        place_JF, begin = self.joins[count]
        place_JF.copy_(packed_JF)
        begin()


@torch.inference_mode()
def table_kind(network: Seq2Seq, specials: Specials) -> type[Table]:
    """The fused table, where Triton makes its kernels; it comes with torch, but needs a C compiler, too."""
    weight = network.output_weight
    try:
        from mt_service.engine.fused import LARGEST, FusedTable

        if not weight.is_cuda or len(weight) > LARGEST:
            return Table
        FusedTable(network, specials, 1, Size(1, STEP, 1), False).step()
        torch.cuda.synchronize(weight.device)
    except Exception as error:  # of many kinds
        log.warning("sentences are searched for with more and slower steps, since Triton is of no use: %s", error)
        return Table
    return FusedTable


class Tables:
    """Tables with their graphs, kept for sentences to come; they know of no search, so that no circle holds an engine.

    Args:
        network: in evaluation mode, on its device and in the numbers to compute with.
        specials: ids that are treated apart.
    """

    def __init__(self, network: Seq2Seq, specials: Specials) -> None:
        self.network, self.specials = network, specials
        self.kind = table_kind(network, specials)
        self.pool = make_pool(network.output_weight.device)
        self.made: OrderedDict[tuple[SearchOptions, Size], Graphs] = OrderedDict()

    @torch.inference_mode()
    def lend(self, group: SearchOptions, size: Size) -> Graphs:
        """A table that is not in use: a group has one search, and a search one table, or a larger one after it."""
        found = self.made.pop((group, size), None)
        if found is None:
            self.make_way()
            found = Graphs(self.make_table(group, size), self.pool)
        self.made[group, size] = found
        found.lent = True
        return found

    def make_table(self, group: SearchOptions, size: Size) -> Table:
        """One of kernels made for it, where they can be had."""
        kind = Table if group.alignments else self.kind
        return kind(self.network, self.specials, group.beam, size, group.alignments)

    def make_way(self) -> None:
        """Forget the tables that were asked for longest ago and are not in use."""
        for key in [key for key, graphs in self.made.items() if not graphs.lent]:
            if len(self.made) < KEPT:
                break
            del self.made[key]


class TableSearch:
    """Sentences with the same beam, in one table, which is replaced by a larger one when they do not fit.

    Args:
        tables: that it borrows one of.
        options: what all its sentences have in common.
    """

    def __init__(self, tables: Tables, options: SearchOptions) -> None:
        self.tables, self.options = tables, options
        self.graphs: Graphs | None = None
        self.slots: dict[int, Waiting] = {}
        self.outcomes: deque[Outcome] = deque()
        self.steps = 0

    def __len__(self) -> int:
        """Sentences under way."""
        return len(self.slots)

    @torch.inference_mode()
    def add(self, jobs: Mapping[int, Job]) -> None:
        """Let sentences join."""
        table = self.make_room(len(self.slots) + len(jobs), max(len(job.source) for job in jobs.values()))
        free = [slot for slot in range(table.table.size.slots) if slot not in self.slots]
        requests = []
        for (key, job), slot in zip(jobs.items(), free, strict=False):
            self.slots[slot] = Waiting(key, job, self.steps)
            requests.append(Request(job.source, slot, job.search))
        table.join(requests)

    def make_room(self, slots: int, longest: int) -> Graphs:
        """The table, or a larger one that has taken over what is under way."""
        have = Size(0, 0, 0) if self.graphs is None else self.graphs.table.size
        if self.graphs is not None and slots <= have.slots and longest <= have.sources:
            return self.graphs
        sources = max(have.sources, source_room(longest))
        graphs = self.tables.lend(
            self.options, Size(max(have.slots, room_for(slots)), sources, self.options.limit(sources))
        )
        if self.graphs is not None:
            move(self.graphs.table, graphs.table)
            self.graphs.lent = False
            self.outcomes.clear()
            self.slots = {slot: one._replace(since=self.steps) for slot, one in self.slots.items()}
        self.graphs = graphs
        return graphs

    @torch.inference_mode()
    def step(self) -> dict[int, list[Hypothesis]]:
        """Start the next step; return the n-best lists of those that had ended before it."""
        assert self.graphs is not None
        self.graphs.advance()
        self.steps += 1
        self.outcomes.append(Outcome(self.steps, self.graphs.table.outcome_BX))
        if len(self.outcomes) <= AHEAD:
            return {}
        outcome = self.outcomes.popleft()
        active = outcome.wait()
        ended = [slot for slot, one in self.slots.items() if not active[slot] and one.since < outcome.number]
        if not ended:
            return {}
        jobs = {slot: self.slots[slot].job for slot in ended}
        found = read_outcomes(self.graphs.table, outcome.host_BX, jobs)
        results = {self.slots.pop(slot).key: hypotheses for slot, hypotheses in found.items()}
        self.rest()
        return results

    def rest(self) -> None:
        """Give the table back when nothing is under way, so that what comes next gets one of its own size."""
        if not self.slots and self.graphs is not None:
            self.graphs.lent = False
            self.graphs = None
            self.outcomes.clear()

    @torch.inference_mode()
    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences whose result nobody wants any more."""
        unwanted = set(keys)
        slots = [slot for slot, one in self.slots.items() if one.key in unwanted]
        if slots and self.graphs is not None:
            self.graphs.table.stay(slots)
            for slot in slots:
                del self.slots[slot]
            self.rest()


def move(old: Table, new: Table) -> None:
    """Take over all that is under way, slot by slot, into a table that has at least as much room."""
    for (source, value), (target, _) in zip(old.tensors(), new.tensors(), strict=True):
        grown = pad_to(source, dict(enumerate(target.shape[1:], 1)), value)
        target[: len(grown)] = grown
    old.active_B.fill_(False)


def group_of(options: SearchOptions) -> SearchOptions:
    """What sentences must have in common to share a table."""
    return dataclasses.replace(options, n_best=1, length_penalty=1.0, length_ratio=0.0)


class CudaEngine(Groups[TableSearch]):
    """Beam search by graphs.

    Args:
        network: in evaluation mode, on its device and in the numbers to compute with.
        specials: ids that are treated apart.
    """

    def __init__(self, network: Seq2Seq, specials: Specials) -> None:
        self.plain = ReferenceEngine(network, specials)
        super().__init__(f"{self.plain.description}, a graph for each step")
        self.tables = Tables(network, specials)

    def make_search(self, options: SearchOptions) -> TableSearch:
        """An empty search for a group."""
        return TableSearch(self.tables, options)

    def admit(self, jobs: Mapping[int, Job]) -> None:
        """Let sentences join at the next step; those that are told how to begin are searched for without graphs."""
        self.plain.admit({key: job for key, job in jobs.items() if job.prefix})
        free = {key: job for key, job in jobs.items() if not job.prefix}
        for group, members in by_options(free, group_of).items():
            self.search_for(group).add(members)

    def step(self) -> dict[int, list[Hypothesis]]:
        """Advance every search by one word."""
        return {**super().step(), **self.plain.step()}

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences in whichever search they are."""
        unwanted = list(keys)
        super().drop(unwanted)
        self.plain.drop(unwanted)

    def __len__(self) -> int:
        """Sentences under way."""
        return super().__len__() + len(self.plain)

    @property
    def rows(self) -> int:
        """Hypotheses under way: a beam for each sentence."""
        return super().rows + self.plain.rows
