"""Who runs next: continuous batching in plain Python, without torch, threads or a clock of its own.

Clients take turns, and so do the requests of a client: a list of a thousand texts never starves a single sentence.
At each turn one sentence joins. For engines that pad, sentences of similar length join together; who has waited for
long joins whatever its length. Joining costs a pass of the encoder, which pays for several at once: a well-filled batch
is left alone for a moment.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from mt_service.engine.interface import DeadlineError, Job, Limits, QueueFullError

R = TypeVar("R")
FREE_SHARE = 4  # a batch with a quarter of its rows free takes whoever comes
SPREAD = 8  # source lengths in one bucket


def bucket_of(job: Job) -> int:
    """Sentences of one bucket have similar lengths."""
    return len(job.source) // SPREAD


@dataclass
class Request:
    """Sentences that were asked for together."""

    name: Hashable
    client: Hashable
    arrival: float
    deadline: float
    waiting: dict[int, deque[tuple[int, Job]]] = field(default_factory=dict)  # by bucket: key and job
    running: set[int] = field(default_factory=set)

    def choose(self, bucket: int | None, any_length: bool) -> int | None:
        """The bucket that the next sentence comes from: the one asked for, or, if any will do, the longest."""
        if bucket in self.waiting:
            return bucket
        return max(self.waiting) if bucket is None or any_length else None

    def take(self, bucket: int) -> tuple[int, Job]:
        """Take a bucket's first sentence away."""
        first = self.waiting[bucket].popleft()
        if not self.waiting[bucket]:
            del self.waiting[bucket]
        return first


class Running(NamedTuple):
    """A sentence in the engine, or about to be."""

    request: Request
    job: Job


class Plan(NamedTuple):
    """What to do before the next step."""

    admit: dict[int, Job]
    drop: list[int]
    expired: dict[int, Exception]  # sentences that end without a result


class Scheduler:
    """Decides which sentences run. All times are in seconds, by the caller's clock.

    The counts may be read from any thread; everything else belongs to one at a time.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.groups = True  # whether the engine pads
        self.requests: dict[Hashable, Request] = {}
        self.turns: OrderedDict[Hashable, OrderedDict[Hashable, Request]] = OrderedDict()  # who waits, next one first
        self.running: dict[int, Running] = {}
        self.dropping: list[int] = []
        self.next_key = 0
        self.last_joined = float("-inf")
        self.waiting = 0  # sentences that have not begun
        self.running_rows = 0  # hypotheses under way
        self.running_tokens = 0  # source tokens under way

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.requests or self.dropping)

    def submit(
        self, name: Hashable, jobs: Iterable[Job], now: float, deadline: float, client: Hashable = None
    ) -> list[int]:
        """Let a request wait; return a key for each of its sentences.

        Args:
            name: of the request, unique while it is known.
            jobs: its sentences.
            now, deadline: when it came and when it ends, whatever is done by then.
            client: whose requests share a turn; None makes the request a client of its own.
        Raises:
            QueueFullError: when not all of them may wait; then none does. A queue that is empty takes any request, and
                a full one takes those of clients that have less than their share of it.
        """
        listed, client = list(jobs), ("request", name) if client is None else ("client", client)
        self.check_room(client, len(listed))
        keys = list(range(self.next_key, self.next_key + len(listed)))
        if listed:
            self.next_key += len(listed)
            request = Request(name, client, now, deadline)
            for key, job in zip(keys, listed, strict=True):
                request.waiting.setdefault(bucket_of(job), deque()).append((key, job))
            self.requests[name] = request
            self.turns.setdefault(request.client, OrderedDict())[name] = request
            self.waiting += len(listed)
        return keys

    def check_room(self, client: Hashable, count: int) -> None:
        """Refuse sentences that are too many: of all, and of what the queue has for each client that waits."""
        most = self.limits.queue
        if self.waiting and self.waiting + count > most:
            mine = [request for request in self.requests.values() if request.client == client]
            own = sum(len(queue) for request in mine for queue in request.waiting.values())
            if own + count > most // len({*self.turns, client}):
                raise QueueFullError(f"{self.waiting} sentences wait already, and at most {most} may")

    def cancel(self, name: Hashable) -> list[int]:
        """Forget a request; its running sentences leave before the next step. Returns the keys that end."""
        request = self.requests.pop(name, None)
        if request is None:
            return []
        waiting = [key for queue in request.waiting.values() for key, _ in queue]
        self.waiting -= len(waiting)
        if waiting:
            self.leave_turns(request)
        running = sorted(request.running)
        for key in running:
            self.count(self.running.pop(key).job, -1)
        self.dropping.extend(running)
        return waiting + running

    def plan(self, now: float) -> Plan:
        """What joins, leaves and has expired, at this time."""
        expired: dict[int, Exception] = {}
        for name in [name for name, request in self.requests.items() if request.deadline <= now]:
            expired.update(dict.fromkeys(self.cancel(name), DeadlineError("the time for this request is over")))
        drop, self.dropping = self.dropping, []
        return Plan(self.admit(now), drop, expired)

    def admit(self, now: float) -> dict[int, Job]:
        """What joins now, if it is worth it."""
        free = self.limits.rows - self.running_rows
        if free * FREE_SHARE < self.limits.rows and now - self.last_joined < self.limits.patience:
            return {}
        joining = self.fill(now)
        if joining:
            self.last_joined = now
        return joining

    def fill(self, now: float) -> dict[int, Job]:
        """Round after round, one sentence for each client, of one length after the other, while there is room."""
        joining: dict[int, Job] = {}
        bucket: int | None = None
        while self.waiting:
            before = len(joining)
            for request in [next(iter(line.values())) for line in self.turns.values()]:
                chosen = request.choose(bucket, not self.groups or now - request.arrival >= self.limits.age)
                if chosen is None:
                    continue
                key, job = request.waiting[chosen][0]
                if not self.fits(job):
                    return joining  # nobody overtakes whoever needs more room than there is
                bucket = chosen if bucket is None else bucket
                self.start(request, chosen)
                joining[key] = job
            if len(joining) == before:
                bucket = None  # nobody else has this length: who is next decides anew
        return joining

    def fits(self, job: Job) -> bool:
        """Whether there is room for a sentence; alone, every sentence has room."""
        rows, tokens = self.running_rows + job.search.beam, self.running_tokens + len(job.source)
        return not self.running or (rows <= self.limits.rows and tokens <= self.limits.tokens)

    def start(self, request: Request, bucket: int) -> None:
        """Let a request's next sentence run; client and request go to the end of their lines."""
        key, job = request.take(bucket)
        request.running.add(key)
        self.running[key] = Running(request, job)
        self.waiting -= 1
        self.count(job, 1)
        self.turns[request.client].move_to_end(request.name)
        self.turns.move_to_end(request.client)
        if not request.waiting:
            self.leave_turns(request)

    def leave_turns(self, request: Request) -> None:
        """A request without waiting sentences takes no turns."""
        line = self.turns[request.client]
        del line[request.name]
        if not line:
            del self.turns[request.client]

    def finish(self, results: Mapping[int, R]) -> dict[int, R]:
        """Note sentences that ended; return those that somebody still waits for."""
        wanted = {key: result for key, result in results.items() if key in self.running}
        for key in wanted:
            self.forget(key)
        return wanted

    def fail_running(self) -> list[int]:
        """Forget every running sentence, after the engine failed; return their keys."""
        failed = list(self.running)
        for key in failed:
            self.forget(key)
        self.dropping.clear()
        return failed

    def forget(self, key: int) -> None:
        """Take a running sentence off the books, and its request with its last sentence."""
        request, job = self.running.pop(key)
        self.count(job, -1)
        request.running.discard(key)
        if not request.running and not request.waiting:
            del self.requests[request.name]

    def count(self, job: Job, sign: int) -> None:
        """Keep count of what runs."""
        self.running_rows += sign * job.search.beam
        self.running_tokens += sign * len(job.source)
