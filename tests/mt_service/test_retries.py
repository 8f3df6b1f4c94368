"""Sentences whose numbers get lost are tried again, masked otherwise: with an engine that reads backwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from backwards import Backwards

from models.hypotheses import Hypothesis
from mt_service.alignment import Link
from mt_service.engine.interface import DeadlineError, DrainingError, Job, QueueFullError
from mt_service.translation import Options, Translation
from mt_service.translator import Translator

DATE = "3. dei 45. lo"  # whose numbers are the network's at first
COUNTS = "3 dei 45 lo"  # whose numbers are symbols at first


def bad_at_digits(engine: Backwards) -> None:
    """Let an engine lose a number in digits, and carry symbols over."""

    def texts(job: Job) -> list[str]:
        words = engine.tokenizer.decode(job.source[1:]).split()[::-1]
        engine.read.append((" ".join(words[::-1]), ""))
        return [" ".join(word for word in words if "3" not in word)][: job.search.n_best]

    engine.texts = texts  # type: ignore[method-assign]


def translate(backwards: Translator, text: str, **options: Any) -> Translation:
    return asyncio.run(backwards.translate([text], Options("aa", "bb", **options)))[0]


def test_a_number_that_gets_lost_becomes_a_symbol(backwards: Translator, engine: Backwards) -> None:
    bad_at_digits(engine)
    found = translate(backwards, f"ba ka. {DATE}. ba", alignments=True)
    assert found.text.split() == ["ka.", "ba.", "ba", "lo.", "45.", "dei", "3."]
    assert found.warnings == []
    assert sorted(source for source, _ in engine.read) == ["3. dei 45. lo. ba", "ba ka.", "\ue000. dei \ue001. lo. ba"]
    assert found.alignment is not None
    assert [link for link in found.alignment.links if link.weight == 1] == [Link(4, 4, 1.0), Link(2, 6, 1.0)]


def test_symbols_that_get_lost_become_digits(backwards: Translator, engine: Backwards) -> None:
    found = translate(backwards, COUNTS, beam=1)
    assert found.text == "lo 45 dei 3"
    assert [source for source, _ in engine.read] == ["\ue000 dei \ue001 lo", COUNTS]


def test_what_has_no_faults_is_not_tried_again(backwards: Translator, engine: Backwards) -> None:
    assert translate(backwards, DATE).text == "lo 45. dei 3."
    assert translate(backwards, "ba ka lo").text == "lo ka ba"
    assert translate(backwards, "ba 😀 ka", beam=1).warnings != []  # and so what can be masked in one way only
    assert len(engine.read) == 3


def test_what_is_no_better_is_left(backwards: Translator, engine: Backwards) -> None:
    engine.texts = lambda job: ["lo"][: job.search.n_best]  # type: ignore[method-assign]
    found = translate(backwards, DATE)
    assert (found.text, found.warnings) == ("lo", ["numbers that the translation seems to lack: 3, 45"])


@pytest.mark.parametrize("error", [QueueFullError("full"), DrainingError("stops")])
def test_a_queue_that_takes_no_more_costs_the_second_try_alone(
    backwards: Translator, engine: Backwards, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bad_at_digits(engine)
    submit, calls = backwards.worker.submit, []

    def once(name: object, jobs: Sequence[Job], *more: Any, **named: Any) -> list[Future[Sequence[Hypothesis]]]:
        calls.append(name)
        if len(calls) > 1:
            raise error
        return submit(name, jobs, *more, **named)

    monkeypatch.setattr(backwards.worker, "submit", once)
    assert translate(backwards, DATE).text == "lo 45. dei"
    assert len(calls) == 2


def test_a_second_try_that_takes_too_long_costs_itself_alone(
    backwards: Translator, engine: Backwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_at_digits(engine)
    submit = backwards.worker.submit

    def late(name: object, jobs: Sequence[Job], *more: Any, **named: Any) -> list[Future[Sequence[Hypothesis]]]:
        if engine.read:
            future: Future[Sequence[Hypothesis]] = Future()
            future.set_exception(DeadlineError("late"))
            return [future] * len(jobs)
        return submit(name, jobs, *more, **named)

    monkeypatch.setattr(backwards.worker, "submit", late)
    assert translate(backwards, DATE).text == "lo 45. dei"


def test_who_drains_the_worker_waits_for_second_tries(
    backwards: Translator, engine: Backwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_at_digits(engine)
    submit = backwards.worker.submit

    def then_drain(*arguments: Any, **named: Any) -> list[Future[Sequence[Hypothesis]]]:
        asked = submit(*arguments, **named)
        assert not backwards.worker.drain(0.0)
        return asked

    monkeypatch.setattr(backwards.worker, "submit", then_drain)
    assert translate(backwards, DATE).text == "lo 45. dei 3."
    assert backwards.worker.drain(1.0)


def test_long_texts_are_tried_again_too(backwards: Translator, engine: Backwards) -> None:
    bad_at_digits(engine)
    found = translate(backwards, f"{DATE}\n" + "ba ka\n" * 400)
    assert found.text == "lo 45. dei 3.\n" + "ka ba\n" * 400
    assert found.warnings == []


def test_lines_are_tried_again_too(backwards: Translator, engine: Backwards) -> None:
    bad_at_digits(engine)
    found = list(backwards.translate_lines(["ka", DATE, "", "ba 7."] * 300, Options("aa", "bb")))
    assert [one.text for one in found] == ["ka", "lo 45. dei 3.", "", "7. ba"] * 300
