"""One thread that owns the engine, and so the device; everybody else submits and waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from mt_service.engine.interface import DrainingError, Engine, EngineError, Job, Limits
from mt_service.engine.scheduler import Plan, Scheduler

log = logging.getLogger(__name__)


@dataclass
class Statistics:
    """Counts since the start, for metrics."""

    steps: int = 0
    sentences: int = 0
    failures: int = 0


class Worker:
    """Runs the scheduler's plans step by step.

    Args:
        make_engine: makes the engine, and makes it anew after a failure.
        limits: how much runs and waits at once.
    """

    def __init__(self, make_engine: Callable[[], Engine], limits: Limits) -> None:
        self.make_engine = make_engine
        self.engine = make_engine()
        self.scheduler = Scheduler(limits)
        self.statistics = Statistics()
        self.futures: dict[int, Future[Any]] = {}
        self.changed = threading.Condition()
        self.draining = self.closed = False
        self.thread = threading.Thread(target=self.run, name="engine", daemon=True)
        self.thread.start()

    def submit(self, name: Hashable, jobs: Sequence[Job], deadline: float) -> list[Future[Any]]:
        """Ask for translations; each future gives an n-best list of hypotheses.

        Args:
            name: of the request, unique while it runs; for `cancel`.
            jobs: its sentences.
            deadline: by time.monotonic().
        Raises:
            DrainingError, QueueFullError: nothing was taken.
        """
        with self.changed:
            if self.draining:
                raise DrainingError("the server is about to stop")
            keys = self.scheduler.submit(name, jobs, time.monotonic(), deadline)
            futures: list[Future[Any]] = [Future() for _ in keys]
            self.futures.update(zip(keys, futures, strict=True))
            self.changed.notify_all()
        return futures

    def cancel(self, name: Hashable) -> None:
        """Stop a request, down to the decoder's next step."""
        with self.changed:
            for key in self.scheduler.cancel(name):
                self.futures.pop(key).cancel()
            self.changed.notify_all()

    def run(self) -> None:
        """The thread: plan, step, deliver, until closed."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.closed or self.scheduler.busy)
                if self.closed:
                    return
                plan = self.scheduler.plan(time.monotonic())
                for key, error in plan.expired.items():
                    self.futures.pop(key).set_exception(error)
            self.step(plan)

    def step(self, plan: Plan) -> None:
        """Carry out a plan and one step; an engine that fails is replaced."""
        try:
            self.engine.drop(plan.drop)
            self.engine.admit(plan.admit)
            results = self.engine.step()
        except Exception:
            log.exception("the engine failed and is started anew")
            self.fail()
            return
        with self.changed:
            self.statistics.steps += 1
            for key, hypotheses in self.scheduler.finish(results).items():
                self.statistics.sentences += 1
                self.futures.pop(key).set_result(hypotheses)
            self.changed.notify_all()

    def fail(self) -> None:
        """Give up the running sentences and begin with a new engine."""
        with self.changed:
            self.statistics.failures += 1
            for key in self.scheduler.fail_running():
                self.futures.pop(key).set_exception(EngineError("the engine failed"))
            self.engine = self.make_engine()
            self.changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Take nothing new and wait for what runs; False when time ran out."""
        with self.changed:
            self.draining = True
            return self.changed.wait_for(lambda: not self.scheduler.busy, seconds)

    def close(self) -> None:
        """Stop the thread; what still waits is told that the server stops."""
        with self.changed:
            self.draining = self.closed = True
            for future in self.futures.values():
                future.set_exception(DrainingError("the server stopped"))
            self.futures.clear()
            self.changed.notify_all()
        self.thread.join()
