"""One thread that owns the engine, and so the device; everybody else submits and waits."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mt_service.engine.interface import DrainingError, Engine, EngineError, Job, Limits
from mt_service.engine.scheduler import Plan, Scheduler

if TYPE_CHECKING:
    from models.hypotheses import Hypothesis

    Found: TypeAlias = Sequence[Hypothesis]

log = logging.getLogger(__name__)
LAST_STEP = 5.0  # seconds that a process which ends waits for an engine


@dataclass
class Statistics:
    """Counts since the start; what waits and runs now, the scheduler counts."""

    steps: int = 0
    sentences: int = 0  # that were translated, or scored
    tokens: int = 0  # of the best translations, ends of sentences counted
    cancelled: int = 0  # sentences that nobody waited for any more
    expired: int = 0  # sentences that took too long
    failures: int = 0  # of the engine


def settle(future: Future[Found], outcome: Found | Exception) -> None:
    """Give a future its result or error, unless whoever waited for it has left this very moment."""
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


async def outcome(future: Future[Found]) -> Found:
    """Wait for an engine's result in asyncio; `asyncio.wrap_future` does the same by way of many more calls."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not there.done():
            there.set_result(None)

    def tell(_: Future[Found]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(note)

    future.add_done_callback(tell)
    await there
    return future.result()


LIVING: weakref.WeakSet[Worker] = weakref.WeakSet()


@functools.cache
def stop_at_exit() -> None:
    """Have all engines stop before the interpreter ends; to ask again changes nothing.

    One that takes longer than `LAST_STEP` goes on meanwhile, so at exit nothing is freed that it computes with.
    """

    def stop() -> None:
        for worker in list(LIVING):
            worker.close(LAST_STEP)

    atexit.register(stop)


class Worker:
    """Runs the scheduler's plans step by step.

    Args:
        make_engine: makes the engine, in the worker's thread, and makes it anew after a failure.
        limits: how much runs and waits at once.
    Raises:
        Exception: whatever `make_engine` raises at first.
    """

    def __init__(self, make_engine: Callable[[], Engine], limits: Limits) -> None:
        self.make_engine = make_engine
        self.engine: Engine | None = None
        self.description = ""  # the engine's
        self.scheduler = Scheduler(limits)
        self.statistics = Statistics()
        self.futures: dict[int, Future[Found]] = {}
        self.changed = threading.Condition()
        self.draining = self.closed = False
        self.broken = False  # an engine failed, and so did making another one
        self.expected = 0  # requests that will submit more
        started: Future[None] = Future()
        self.thread = threading.Thread(target=self.run, args=(started,), name="engine", daemon=True)
        self.thread.start()
        started.result()
        LIVING.add(self)
        stop_at_exit()

    @property
    def ready(self) -> bool:
        """Whether sentences are taken and translated; a thread that ends, for whatever reason, says that it drains."""
        return not self.draining

    def submit(
        self, name: Hashable, jobs: Sequence[Job], deadline: float, client: Hashable = None, awaited: bool = False
    ) -> list[Future[Found]]:
        """Ask for translations; each future gives an n-best list of hypotheses.

        Args:
            name: of the request, unique while it runs; for `cancel`.
            jobs: its sentences.
            deadline: by time.monotonic().
            client: whose requests share a turn; None makes the request a client of its own.
            awaited: whether this is within `awaited`, and so welcome while the worker drains.
        Raises:
            DrainingError, QueueFullError: nothing was taken. A future raises DeadlineError, EngineError, or
            DrainingError when the worker is closed.
        """
        with self.changed:
            if not (self.ready or (awaited and not self.closed)):
                raise DrainingError("the server is about to stop")
            keys = self.scheduler.submit(name, jobs, time.monotonic(), deadline, client)
            futures: list[Future[Found]] = [Future() for _ in keys]
            self.futures.update(zip(keys, futures, strict=True))
            self.changed.notify_all()
        return futures

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """A request that comes in several steps: who drains the worker waits until it has left.

        All of them are counted by one thread, the event loop's, and so without a lock, which the engine's may hold.

        Raises:
            DrainingError: when the worker drains already.
        """
        if not self.ready:
            raise DrainingError("the server is about to stop")
        self.expected += 1
        try:
            yield
        finally:
            self.expected -= 1
            if self.draining:  # else nobody waits for that
                with self.changed:
                    self.changed.notify_all()

    def cancel(self, name: Hashable) -> None:
        """Stop a request, down to the decoder's next step; its futures are cancelled."""
        with self.changed:
            stopped = self.scheduler.cancel(name)
            for key in stopped:
                self.statistics.cancelled += 1
                self.futures.pop(key).cancel()
            if stopped:  # a request that is done wakes nobody: the thread would take Python's lock from its answer
                self.changed.notify_all()

    def run(self, started: Future[None]) -> None:
        """The thread: make the engine; plan, step, deliver, until closed; leave nobody waiting."""
        try:
            self.engine = self.make_engine()
            self.description = self.engine.description
            self.scheduler.groups = self.engine.pads
        except Exception as error:
            started.set_exception(error)
            return
        started.set_result(None)
        try:
            while (plan := self.next_plan()) is not None:
                self.carry_out(plan)
        finally:
            self.abandon()

    def next_plan(self) -> Plan | None:
        """Wait until there is something to do, and say what; None when closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or self.scheduler.busy)
            if self.closed:
                return None
            plan = self.scheduler.plan(time.monotonic())
            self.statistics.expired += len(plan.expired)
            self.settle(plan.expired)
            return plan

    def carry_out(self, plan: Plan) -> None:
        """One step of the engine; one that fails takes its sentences along and is replaced."""
        try:
            if self.engine is None:
                self.broken = True
                self.engine = self.make_engine()
                self.broken = False
            self.engine.drop(plan.drop)
            self.engine.admit(plan.admit)
            results = self.engine.step()
        except Exception:
            log.exception("the engine failed; what it was translating is lost, and it starts anew")
            self.engine = None
            with self.changed:
                self.statistics.failures += 1
                self.settle(dict.fromkeys(self.scheduler.fail_running(), EngineError("the engine failed")))
            return
        with self.changed:
            self.note(results)
            self.settle(self.scheduler.finish(results))

    def note(self, results: Mapping[int, Found]) -> None:
        """Count a step."""
        self.statistics.steps += 1
        self.statistics.sentences += len(results)
        self.statistics.tokens += sum(len(found[0].tokens) + 1 for found in results.values() if found)

    def settle(self, outcomes: Mapping[int, Found | Exception]) -> None:
        """Tell those who wait; the lock is held."""
        for key, outcome in outcomes.items():
            settle(self.futures.pop(key), outcome)
        self.changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Take nothing new and wait for what is under way; False when time ran out."""
        with self.changed:
            self.draining = True
            return self.changed.wait_for(lambda: self.closed or not (self.scheduler.busy or self.expected), seconds)

    def close(self, seconds: float | None = None) -> None:
        """Stop the thread after the step that it is in; who still waits is told that the server stops.

        `seconds` is how long to wait for that step; None waits for as long as it takes.
        """
        with self.changed:
            self.draining = self.closed = True
            self.changed.notify_all()
        self.thread.join(seconds)

    def abandon(self) -> None:
        """The thread's last act, whatever ended it."""
        with self.changed:
            self.draining = self.closed = True
            for name in list(self.scheduler.requests):
                self.settle(dict.fromkeys(self.scheduler.cancel(name), DrainingError("the server stopped")))
            self.engine = None
