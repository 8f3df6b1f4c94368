"""What ended in a table, read from the device in one piece and put together.

Legend: B slots, D slots that ended, K beam, E ways to end, L words of a hypothesis, S source positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.hypotheses import Hypothesis, length_penalty
from mt_service.engine.interface import Job
from mt_service.engine.table import HEAD, Table


class Way(NamedTuple):
    """How a hypothesis came to its end."""

    log_probability: float
    length: int  # words
    row: int  # of the beam, after so many words
    complete: bool = True


def on_host(parts: Sequence[Tensor]) -> list[Any]:
    """Tensors [D, ...] of numbers, each as nested lists; one transfer for all."""
    flat = [part.flatten(1) for part in parts]
    whole = torch.cat([part.view(torch.int32) if part.is_floating_point() else part.int() for part in flat], 1).cpu()
    columns = torch.split(whole, [part.shape[1] for part in flat], 1)
    return [
        (column.contiguous().view(torch.float32) if part.is_floating_point() else column).reshape(part.shape).tolist()
        for column, part in zip(columns, parts, strict=True)
    ]


def scored(job: Job, tokens: tuple[int, ...], log_probability: float, complete: bool) -> Hypothesis:
    """A hypothesis with its score; what was cut at the limit has a word where others have eos."""
    length = min(len(tokens) + 1, job.search.limit(len(job.source)))
    divisor = length_penalty(length, job.search.rewarded(len(job.source)), job.search.length_penalty)
    return Hypothesis(tokens, log_probability / divisor, log_probability, None, complete)


def read_outcomes(table: Table, host_BX: Tensor, jobs: Mapping[int, Job]) -> dict[int, list[Hypothesis]]:
    """The n-best lists of slots that ended: as the step's outcome has them, or asked for where it does not.

    Args:
        table: where they are.
        host_BX: the outcome of the step in which they ended.
        jobs: by slot.
    """
    told = {slot: job for slot, job in jobs.items() if host_BX.shape[1] > 1 and job.search.n_best == 1}
    found = {slot: [best_of(host_BX[slot], job)] for slot, job in told.items()}
    asked = [slot for slot in jobs if slot not in told]
    if asked:
        report = Report(table, asked)
        found.update((slot, report.hypotheses(row, jobs[slot])) for row, slot in enumerate(asked))
    return found


def best_of(host_X: Tensor, job: Job) -> Hypothesis:
    """The hypothesis that an outcome holds."""
    _, length, complete, *words = host_X.tolist()
    log_probability = float(host_X[HEAD - 1 : HEAD].view(torch.float32))
    return scored(job, tuple(words[1 : length + 1]), log_probability, bool(complete))


class Report:
    """The slots of a table that ended.

    Args:
        table: where they are.
        slots: which; a row of everything here is one of them.
    """

    def __init__(self, table: Table, slots: Sequence[int]) -> None:
        index_D = torch.tensor(slots, device=table.device)
        ended, stop = table.ended, table.stop
        parts = [*ended, *stop, table.count_B[:, None], table.score_BK, table.words_BLK, table.parents_BLK]
        host = on_host([part.index_select(0, index_D) for part in parts])
        self.scores, self.logs, self.lengths, self.rows, self.stop_score, *self.stop = host[:8]
        self.count, self.live, self.words, self.parents = host[8:]
        self.attention_BLKS, self.slots = table.attention_BLKS, slots

    def ways(self, row: int, job: Job) -> list[Way]:
        """The ends of a sentence, best first: its own, or where it is stopped, or what there is at its limit."""
        count = min(self.count[row][0], job.search.n_best)
        if count:
            found = sorted(zip(self.scores[row], self.logs[row], self.lengths[row], self.rows[row], strict=True))
            return [Way(*one[1:]) for one in found[: -count - 1 : -1]]
        if self.stop_score[row][0] > -math.inf:
            log, length, beam = (part[row][0] for part in self.stop)
            return [Way(log, length, beam, complete=False)]
        limit = job.search.limit(len(job.source))
        live = [Way(log, limit, beam, complete=False) for beam, log in enumerate(self.live[row]) if log > -math.inf]
        return live[: job.search.n_best]

    def hypotheses(self, row: int, job: Job) -> list[Hypothesis]:
        """The n-best list of a sentence."""
        return [self.hypothesis(row, job, way) for way in self.ways(row, job)]

    def hypothesis(self, row: int, job: Job, way: Way) -> Hypothesis:
        """One end, with the words that led there."""
        words, beams, beam = list[int](), [way.row], way.row
        for position in range(way.length - 1, -1, -1):
            words.append(self.words[row][position][beam])
            beam = self.parents[row][position][beam]
            beams.append(beam)
        steps = way.length + way.complete
        alignment = self.alignment(row, beams[::-1][:steps], len(job.source))
        return scored(job, tuple(reversed(words)), way.log_probability, way.complete)._replace(alignment=alignment)

    def alignment(self, row: int, beams: Sequence[int], length: int) -> tuple[tuple[float, ...], ...] | None:
        """The attention of each step, at the beam's row that was read then."""
        if self.attention_BLKS is None:
            return None
        steps = torch.arange(len(beams), device=self.attention_BLKS.device)
        index = torch.tensor(beams, device=steps.device)
        weights = self.attention_BLKS[self.slots[row], steps, index, :length].tolist()
        return tuple(map(tuple, weights))
