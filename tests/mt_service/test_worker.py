"""The thread that owns an engine: results, failures, cancelling, draining."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError

import pytest

from models.hypotheses import Hypothesis, SearchOptions
from mt_service.engine.interface import DeadlineError, DrainingError, EngineError, Job, Limits, QueueFullError
from mt_service.engine.worker import Worker

SOON = 10.0  # seconds in which anything must have happened
ENDLESS = 10**9  # steps


class FakeEngine:
    """Takes as many steps as the first source id says, and gives the source back; waits while `gate` is closed."""

    description = "fake"
    pads = True

    def __init__(self) -> None:
        self.left: dict[int, tuple[Job, int]] = {}
        self.dropped: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fail = False

    def admit(self, jobs: Mapping[int, Job]) -> None:
        self.left.update((key, (job, job.source[0])) for key, job in jobs.items())

    def step(self) -> dict[int, list[Hypothesis]]:
        assert self.gate.wait(SOON)
        if self.fail:
            raise RuntimeError("out of memory")
        self.left = {key: (job, steps - 1) for key, (job, steps) in self.left.items()}
        ended = [key for key, (_, steps) in self.left.items() if steps <= 0]
        return {key: [Hypothesis(self.left.pop(key)[0].source, 0.0, 0.0, None)] for key in ended}

    def drop(self, keys: Iterable[int]) -> None:
        for key in keys:
            self.dropped.append(key)
            self.left.pop(key, None)

    def __len__(self) -> int:
        return len(self.left)

    @property
    def rows(self) -> int:
        return len(self.left)


def jobs(*steps: int) -> list[Job]:
    return [Job((count,), SearchOptions(beam=1)) for count in steps]


def later(seconds: float = SOON) -> float:
    return time.monotonic() + seconds


def until(happened: object) -> None:
    """Wait until a function gives true."""
    assert callable(happened)
    end = time.monotonic() + SOON
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)


@pytest.fixture
def engines() -> list[FakeEngine]:
    return []


@pytest.fixture
def worker(engines: list[FakeEngine]) -> Iterator[Worker]:
    def make() -> FakeEngine:
        engines.append(FakeEngine())
        return engines[-1]

    made = Worker(make, Limits(rows=4, queue=6, patience=0.0))
    yield made
    for engine in engines:
        engine.gate.set()
    made.close()


def test_everybody_gets_their_own_result(worker: Worker) -> None:
    futures = worker.submit("a", jobs(3, 1, 9, 2, 7), later())
    assert [future.result(SOON)[0].tokens for future in futures] == [(3,), (1,), (9,), (2,), (7,)]
    assert worker.statistics.sentences == 5
    assert worker.statistics.tokens == 10


def test_cancelling_reaches_the_engine_within_a_step(worker: Worker, engines: list[FakeEngine]) -> None:
    futures = worker.submit("long", jobs(ENDLESS), later())
    until(lambda: engines[0].left)
    worker.cancel("long")
    until(lambda: engines[0].dropped)
    with pytest.raises(CancelledError):
        futures[0].result(SOON)
    assert not engines[0].left
    assert worker.statistics.cancelled == 1


def test_a_deadline_passes_while_the_engine_runs(worker: Worker, engines: list[FakeEngine]) -> None:
    (future,) = worker.submit("long", jobs(ENDLESS), later(0.05))
    with pytest.raises(DeadlineError):
        future.result(SOON)
    until(lambda: engines[0].dropped)
    assert worker.statistics.expired == 1


def test_an_engine_that_fails_is_replaced(
    worker: Worker, engines: list[FakeEngine], caplog: pytest.LogCaptureFixture
) -> None:
    engines[0].fail = True
    (future,) = worker.submit("a", jobs(3), later())
    with pytest.raises(EngineError):
        future.result(SOON)
    assert "out of memory" in caplog.text
    (future,) = worker.submit("b", jobs(3), later())
    assert future.result(SOON)[0].tokens == (3,)
    assert len(engines) == 2
    assert worker.statistics.failures == 1


def test_an_engine_that_cannot_be_made_anew_is_broken_until_it_can(engines: list[FakeEngine]) -> None:
    spoiled = threading.Event()

    def make() -> FakeEngine:
        if spoiled.is_set():
            raise RuntimeError("the device is gone")
        engines.append(FakeEngine())
        return engines[-1]

    made, broken = Worker(make, Limits(rows=4, queue=6, patience=0.0)), []
    engines[0].fail = True
    for there in (True, True, False, False):
        (spoiled.set if there else spoiled.clear)()
        (future,) = made.submit("a", jobs(1), later())
        future.exception(SOON)
        until(lambda: not made.scheduler.busy)
        broken.append(made.broken)
    made.close()
    assert broken == [False, True, False, False]


def test_an_engine_that_cannot_be_made_is_told_at_once() -> None:
    def make() -> FakeEngine:
        raise ValueError("no such device")

    with pytest.raises(ValueError, match="no such device"):
        Worker(make, Limits())


def test_draining_takes_nothing_new_and_finishes_what_runs(worker: Worker, engines: list[FakeEngine]) -> None:
    engines[0].gate.clear()
    (future,) = worker.submit("a", jobs(3), later())
    assert not worker.drain(0.0)
    assert not worker.ready
    with pytest.raises(DrainingError):
        worker.submit("b", jobs(1), later())
    engines[0].gate.set()
    assert worker.drain(SOON)
    assert future.result(0)[0].tokens == (3,)


def test_draining_waits_for_requests_that_come_in_several_steps(worker: Worker) -> None:
    with worker.awaited():
        assert not worker.drain(0.0)
        with pytest.raises(DrainingError):
            worker.submit("other", jobs(1), later())
        (future,) = worker.submit("second step", jobs(2), later(), awaited=True)
        assert future.result(SOON)[0].tokens == (2,)
        assert not worker.drain(0.0)
    assert worker.drain(0.0)
    with pytest.raises(DrainingError), worker.awaited():
        pass


def test_nothing_is_taken_once_closed(worker: Worker) -> None:
    with worker.awaited():
        worker.close()
        with pytest.raises(DrainingError):
            worker.submit("second step", jobs(2), later(), awaited=True)


def test_closing_leaves_nobody_waiting(worker: Worker, engines: list[FakeEngine]) -> None:
    futures = worker.submit("a", jobs(*[ENDLESS] * 6), later())
    until(lambda: engines[0].left)
    worker.close()
    for future in futures:
        with pytest.raises(DrainingError):
            future.result(0)
    assert not worker.thread.is_alive()


def test_a_full_queue_refuses_and_forgets(worker: Worker, engines: list[FakeEngine]) -> None:
    engines[0].gate.clear()
    running = worker.submit("a", jobs(2, 2, 2, 2), later())
    until(lambda: engines[0].left)
    waiting = worker.submit("b", jobs(1, 1, 1, 1, 1), later(), "me")
    with pytest.raises(QueueFullError):
        worker.submit("c", jobs(1, 1), later(), "me")
    engines[0].gate.set()
    assert all(future.result(SOON) for future in running + waiting)
    assert not worker.futures
