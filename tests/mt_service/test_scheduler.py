"""Who runs next, without torch, threads or a clock."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from models.hypotheses import SearchOptions
from mt_service.engine.interface import DeadlineError, Job, Limits, QueueFullError
from mt_service.engine.scheduler import Scheduler

NEVER = 1e9


def job(length: int = 5, beam: int = 1) -> Job:
    return Job(tuple(range(length)), SearchOptions(beam=beam))


def jobs(count: int, length: int = 5, beam: int = 1) -> list[Job]:
    return [job(length, beam)] * count


def eager(rows: int = 8, **limits: float) -> Scheduler:
    """A scheduler that lets sentences join at every step."""
    return Scheduler(Limits(rows=rows, patience=0.0, **limits))  # type: ignore[arg-type]


def end(scheduler: Scheduler, keys: Iterable[int]) -> dict[int, str]:
    return scheduler.finish(dict.fromkeys(keys, "done"))


def test_sentences_join_while_there_are_rows_and_follow_when_others_end() -> None:
    scheduler = eager(rows=4)
    keys = scheduler.submit("a", jobs(6), 0.0, NEVER)
    assert list(scheduler.plan(0.0).admit) == keys[:4]
    assert not scheduler.plan(0.1).admit
    end(scheduler, keys[:1])
    assert list(scheduler.plan(0.2).admit) == [keys[4]]


def test_a_beam_takes_as_many_rows() -> None:
    scheduler = eager(rows=10)
    scheduler.submit("a", jobs(4, beam=4), 0.0, NEVER)
    assert len(scheduler.plan(0.0).admit) == 2
    assert scheduler.running_rows == 8


def test_source_tokens_are_limited_too() -> None:
    scheduler = eager(rows=100, tokens=25)
    scheduler.submit("a", jobs(9, length=10), 0.0, NEVER)
    assert len(scheduler.plan(0.0).admit) == 2


def test_what_is_over_every_limit_runs_alone() -> None:
    scheduler = eager(rows=4, tokens=10)
    keys = scheduler.submit("a", [job(50, beam=9), job()], 0.0, NEVER)
    assert list(scheduler.plan(0.0).admit) == keys[:1]
    assert not scheduler.plan(0.1).admit
    end(scheduler, keys[:1])
    assert list(scheduler.plan(0.2).admit) == keys[1:]


def test_a_thousand_texts_do_not_starve_a_single_one() -> None:
    scheduler = eager(rows=4)
    many = scheduler.submit("many", jobs(1000), 0.0, NEVER)
    scheduler.plan(0.0)
    (single,) = scheduler.submit("single", jobs(1), 0.1, NEVER)
    end(scheduler, many[:2])
    assert single in scheduler.plan(0.2).admit


def test_a_full_queue_takes_those_who_have_less_than_their_share_of_it() -> None:
    scheduler = eager(rows=4, queue=10)
    scheduler.submit("book", jobs(50), 0.0, NEVER, client="greedy")
    with pytest.raises(QueueFullError, match="50 sentences wait already, and at most 10 may"):
        scheduler.submit("page", jobs(1), 0.0, NEVER, client="greedy")
    scheduler.submit("letter", jobs(4), 0.0, NEVER, client="modest")
    scheduler.submit("line", jobs(1), 0.0, NEVER, client="modest")
    with pytest.raises(QueueFullError):
        scheduler.submit("another", jobs(1), 0.0, NEVER, client="modest")  # 5 of 10, and there are two
    scheduler.submit("note", jobs(3), 0.0, NEVER, client="third")
    assert scheduler.waiting == 58


def test_clients_take_turns_however_many_requests_they_send() -> None:
    scheduler = eager(rows=4)
    for number in range(50):
        scheduler.submit(("greedy", number), jobs(1), 0.0, NEVER, client="greedy")
    modest = scheduler.submit("modest", jobs(2), 0.0, NEVER, client="modest")
    assert set(modest) <= set(scheduler.plan(0.0).admit)


def test_requests_of_one_client_take_turns() -> None:
    scheduler = eager(rows=4)
    scheduler.submit("long", jobs(100), 0.0, NEVER, client="one")
    short = scheduler.submit("short", jobs(2), 0.0, NEVER, client="one")
    assert set(short) <= set(scheduler.plan(0.0).admit)


def test_similar_lengths_join_together() -> None:
    scheduler = eager(rows=3)
    keys = scheduler.submit("a", [job(40), job(5), job(41), job(6), job(42)], 0.0, NEVER)
    assert set(scheduler.plan(0.0).admit) == {keys[0], keys[2], keys[4]}


def test_who_waited_for_long_joins_whatever_its_length() -> None:
    scheduler = eager(rows=2, age=0.5)
    (old,) = scheduler.submit("old", [job(90)], 0.0, NEVER)
    scheduler.submit("new", jobs(5, length=5), 0.6, NEVER)
    scheduler.turns.move_to_end(("request", "old"))
    assert old in scheduler.plan(0.6).admit


@pytest.mark.parametrize(("groups", "second"), [(True, "a"), (False, "b")])
def test_lengths_matter_only_to_engines_that_pad(groups: bool, second: str) -> None:
    scheduler = eager(rows=2)
    scheduler.groups = groups
    keys = {
        "a": scheduler.submit("a", [job(40), job(41)], 0.0, NEVER),
        "b": scheduler.submit("b", [job(5)], 0.0, NEVER),
    }
    assert set(scheduler.plan(0.0).admit) == {keys["a"][0], keys[second][-1]}


def test_a_well_filled_batch_is_left_alone_for_a_moment() -> None:
    scheduler = Scheduler(Limits(rows=8, patience=1.0))
    keys = scheduler.submit("a", jobs(20), 0.0, NEVER)
    scheduler.plan(0.0)
    end(scheduler, keys[:1])
    assert not scheduler.plan(0.5).admit
    assert len(scheduler.plan(1.1).admit) == 1
    end(scheduler, keys[1:4])
    assert len(scheduler.plan(1.2).admit) == 3


def test_a_full_queue_takes_all_of_a_request_or_nothing() -> None:
    scheduler = eager(rows=1, queue=3)
    scheduler.submit("a", jobs(2), 0.0, NEVER)
    with pytest.raises(QueueFullError, match="2 sentences wait already, and at most 3 may"):
        scheduler.submit("b", jobs(2), 0.0, NEVER)
    assert scheduler.waiting == 2
    scheduler.submit("c", jobs(1), 0.0, NEVER)
    assert scheduler.waiting == 3


def test_an_empty_queue_takes_any_request() -> None:
    assert len(eager(queue=3).submit("a", jobs(50), 0.0, NEVER)) == 50


def test_a_request_without_sentences_is_done_at_once() -> None:
    scheduler = eager()
    assert scheduler.submit("a", [], 0.0, NEVER) == []
    assert not scheduler.busy


def test_a_deadline_ends_what_waits_and_what_runs() -> None:
    scheduler = eager(rows=2)
    keys = scheduler.submit("a", jobs(3), 0.0, deadline=5.0)
    scheduler.plan(0.0)
    plan = scheduler.plan(5.0)
    assert set(plan.expired) == set(keys)
    assert all(isinstance(error, DeadlineError) for error in plan.expired.values())
    assert set(plan.drop) == set(keys[:2])
    assert not scheduler.busy


def test_cancelling_ends_what_waits_and_drops_what_runs() -> None:
    scheduler = eager(rows=2)
    keys = scheduler.submit("a", jobs(3), 0.0, NEVER)
    others = scheduler.submit("b", jobs(1), 0.0, NEVER, client="b")
    running = set(scheduler.plan(0.0).admit)
    assert set(scheduler.cancel("a")) == set(keys)
    assert scheduler.cancel("a") == []
    assert set(scheduler.plan(0.1).drop) == running & set(keys)
    assert end(scheduler, [*keys, *others]) == dict.fromkeys(others, "done")


def test_after_a_failure_nothing_runs_and_the_rest_follows() -> None:
    scheduler = eager(rows=2)
    keys = scheduler.submit("a", jobs(3), 0.0, NEVER)
    scheduler.plan(0.0)
    assert scheduler.fail_running() == keys[:2]
    assert list(scheduler.plan(0.1).admit) == keys[2:]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_limits_hold_and_all_that_is_wanted_ends(seed: int) -> None:
    rng, now = random.Random(seed), 0.0
    scheduler = Scheduler(Limits(rows=12, tokens=90, queue=40, patience=rng.choice([0.0, 0.3])))
    wanted: set[int] = set()
    names: dict[str, list[int]] = {}
    for step in range(400):
        now += 0.1
        if step < 200 and rng.random() < 0.4:
            asked = [job(rng.randint(1, 60), rng.randint(1, 6)) for _ in range(rng.randint(1, 12))]
            try:
                deadline = now + (1.5 if rng.random() < 0.1 else NEVER)
                keys = scheduler.submit(f"r{step}", asked, now, deadline, client=rng.choice(["x", "y", None]))
                names[f"r{step}"] = keys
                wanted.update(keys)
            except QueueFullError:
                assert scheduler.waiting + len(asked) > 40
        if names and rng.random() < 0.05:
            wanted.difference_update(scheduler.cancel(rng.choice(list(names))))
        if rng.random() < 0.01:
            wanted.difference_update(scheduler.fail_running())
        wanted.difference_update(scheduler.plan(now).expired)
        rows = sum(one.job.search.beam for one in scheduler.running.values())
        tokens = sum(len(one.job.source) for one in scheduler.running.values())
        assert (rows, tokens) == (scheduler.running_rows, scheduler.running_tokens)
        assert len(scheduler.running) == 1 or (rows <= 12 and tokens <= 90)
        done = [key for key in scheduler.running if rng.random() < 0.3]
        assert set(end(scheduler, [*done, 10**6])) == set(done)
        wanted.difference_update(done)
    assert not wanted
    assert not scheduler.busy
    assert not scheduler.turns
    assert (scheduler.waiting, scheduler.running_rows, scheduler.running_tokens) == (0, 0, 0)
