"""Who runs next: continuous batching in plain Python, without torch, threads or a clock of its own.

Requests wait in a ring and give up one sentence each in turn, so that a list of a thousand never starves a single
one. Sentences join a running batch when a fair share of it is free, or when one has waited long enough: joining costs
a pass of the encoder, which pays for several at once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mt_service.engine.interface import DeadlineError, Job, Limits, QueueFullError

FREE_SHARE = 4  # join when a quarter of the rows is free


@dataclass
class Request:
    """Sentences that were asked for together."""

    name: Hashable
    waiting: deque[tuple[int, Job, float]]  # key, job, time of arrival
    deadline: float
    running: set[int] = field(default_factory=set)


class Plan(NamedTuple):
    """What to do before the next step."""

    admit: dict[int, Job]
    drop: list[int]
    expired: dict[int, Exception]  # sentences that end without a result


class Scheduler:
    """Decides which sentences run. All times are in seconds, by the caller's clock."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests: OrderedDict[Hashable, Request] = OrderedDict()
        self.owner: dict[int, Hashable] = {}
        self.rows: dict[int, int] = {}  # of each running sentence
        self.dropping: list[int] = []
        self.next_key = 0

    @property
    def waiting(self) -> int:
        """Sentences that have not begun."""
        return sum(len(request.waiting) for request in self.requests.values())

    @property
    def running_rows(self) -> int:
        """Hypotheses under way."""
        return sum(self.rows.values())

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.owner or self.dropping)

    def submit(self, name: Hashable, jobs: Iterable[Job], now: float, deadline: float) -> list[int]:
        """Let a request wait; return a key for each of its sentences.

        Raises:
            QueueFullError: when not all of them may wait; then none does. A queue that is empty takes any request.
        """
        listed = list(jobs)
        if self.waiting and self.waiting + len(listed) > self.limits.queue:
            raise QueueFullError(f"{self.waiting} sentences wait already, and at most {self.limits.queue} may")
        keys = list(range(self.next_key, self.next_key + len(listed)))
        self.next_key += len(listed)
        if listed:
            waiting = deque((key, job, now) for key, job in zip(keys, listed, strict=True))
            self.requests[name] = Request(name, waiting, deadline)
            self.owner.update(dict.fromkeys(keys, name))
        return keys

    def cancel(self, name: Hashable) -> list[int]:
        """Forget a request; its running sentences leave before the next step. Returns the keys that end."""
        request = self.requests.pop(name, None)
        if request is None:
            return []
        ended = [key for key, _, _ in request.waiting] + sorted(request.running)
        self.dropping.extend(request.running)
        for key in ended:
            self.owner.pop(key, None)
            self.rows.pop(key, None)
        return ended

    def plan(self, now: float) -> Plan:
        """What joins, leaves and has expired, at this time."""
        expired: dict[int, Exception] = {}
        for name in [name for name, request in self.requests.items() if request.deadline <= now]:
            error = DeadlineError("the time for this request is over")
            expired.update(dict.fromkeys(self.cancel(name), error))
        drop, self.dropping = self.dropping, []
        return Plan(self.admit(now), drop, expired)

    def admit(self, now: float) -> dict[int, Job]:
        """One sentence of each request in turn while rows are free."""
        free = self.limits.rows - self.running_rows
        if self.rows and free * FREE_SHARE < self.limits.rows and self.longest_wait(now) < self.limits.patience:
            return {}
        joining: dict[int, Job] = {}
        ring = deque(request for request in self.requests.values() if request.waiting)
        while ring:
            request = ring.popleft()
            key, job, _ = request.waiting[0]
            if job.beam > free and (self.rows or joining):
                break
            request.waiting.popleft()
            request.running.add(key)
            joining[key] = job
            free -= job.beam
            if request.waiting:
                ring.append(request)
        self.rows.update({key: job.beam for key, job in joining.items()})
        for name in {self.owner[key] for key in joining}:
            self.requests.move_to_end(name)
        return joining

    def longest_wait(self, now: float) -> float:
        """Seconds that the oldest waiting sentence has waited."""
        return max((now - request.waiting[0][2] for request in self.requests.values() if request.waiting), default=0.0)

    def finish(self, results: Mapping[int, Any]) -> dict[int, Any]:
        """Note sentences that ended; return those that somebody still waits for."""
        wanted = {key: result for key, result in results.items() if key in self.owner}
        for key in wanted:
            self.forget(key)
        return wanted

    def fail_running(self) -> list[int]:
        """Forget every running sentence, after the engine failed; return their keys."""
        failed = list(self.rows)
        for key in failed:
            self.forget(key)
        self.dropping.clear()
        return failed

    def forget(self, key: int) -> None:
        """Take a running sentence off the books, and its request with its last sentence."""
        name = self.owner.pop(key)
        self.rows.pop(key)
        request = self.requests[name]
        request.running.discard(key)
        if not request.running and not request.waiting:
            del self.requests[name]
