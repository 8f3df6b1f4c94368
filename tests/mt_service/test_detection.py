"""Guesses at the language of a text."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from backwards import both_ways

from models.hypotheses import Hypothesis
from mt_service.detection import Guess, as_guesses, detect, repeat, writers
from mt_service.engine.interface import Job, Limits, QueueFullError
from mt_service.engine.worker import Worker
from mt_service.registry import Registry
from mt_service.rerank import SCORING
from mt_service.translator import Translator


class Scores:
    """An engine that knows how probable each language finds any text; nothing for what it cannot say."""

    description, pads = "scores", True

    def __init__(self, by_tag: dict[int, float]) -> None:
        self.by_tag, self.jobs = by_tag, dict[int, Job]()

    def admit(self, jobs: dict[int, Job]) -> None:
        self.jobs.update(jobs)

    def drop(self, keys: Any) -> None: ...

    def step(self) -> dict[int, list[Hypothesis]]:
        found = {key: self.answer(job) for key, job in self.jobs.items()}
        self.jobs.clear()
        return found

    def answer(self, job: Job) -> list[Hypothesis]:
        score = self.by_tag.get(job.source[0])
        return [] if score is None else [Hypothesis(job.prefix[:-1], score, score, None)]


def guess(golden: Path, text: str, **scores: float) -> list[Guess]:
    bundle = both_ways(golden, placeholders=False)
    engine = Scores({bundle.tokenizer.tag_id(language): score for language, score in scores.items()})
    translator = Translator(bundle, Worker(lambda: cast(Any, engine), Limits(rows=8)))
    found = asyncio.run(detect({"aa": translator, "bb": translator}, text, 5.0))
    translator.worker.close()
    return found


def test_the_language_whose_network_would_say_the_text_comes_first(golden: Path) -> None:
    found = guess(golden, "ba dei", aa=-9.0, bb=-3.0)
    assert [one.language for one in found] == ["bb", "aa"]
    assert found[1].probability == pytest.approx(1 / (1 + 2.718281828**6))


def test_what_no_network_can_say_is_in_any_language(golden: Path) -> None:
    assert guess(golden, "ba dei") == [Guess("aa", 0.5), Guess("bb", 0.5)]
    assert guess(golden, " 12 ?", aa=-9.0, bb=-3.0) == [Guess("aa", 0.5), Guess("bb", 0.5)]
    assert [one.language for one in guess(golden, "ba", bb=-300.0)] == ["bb", "aa"]
    assert as_guesses({"aa": -1e6, "bb": -2e6}) == [Guess("aa", 1.0), Guess("bb", 0.0)]


def test_a_text_is_given_as_its_own_translation_and_no_more_of_it_than_may_be(golden: Path) -> None:
    bundle = both_ways(golden, placeholders=False)
    translator = cast(Translator, SimpleNamespace(bundle=bundle))
    job = repeat(translator, "ba dei " * 500, "bb")
    assert job.source[0] == bundle.tokenizer.tag_id("bb")
    assert job.source[1:] == job.prefix
    assert (len(job.prefix), job.prefix[-1], job.search) == (201, bundle.tokenizer.eos_id, SCORING)


def test_all_languages_that_are_read_must_be_written() -> None:
    def known(*served: str) -> list[str]:
        names = dict.fromkeys(served, cast(Translator, SimpleNamespace()))
        return sorted(writers(cast(Registry, SimpleNamespace(directions=lambda: names))))

    assert known("de-en", "en-de") == ["de", "en"]
    assert known("de-en", "en-de", "en-fr") == ["de", "en", "fr"]
    assert known("de-en") == []
    assert known("de-en", "en-de", "fr-en") == []


def test_when_one_engine_refuses_the_others_stop(golden: Path) -> None:
    bundle, gate = both_ways(golden, placeholders=False), threading.Event()

    class Waiting(Scores):
        """Says nothing before it may."""

        def step(self) -> dict[int, list[Hypothesis]]:
            assert gate.wait(10)
            return super().step()

    def made(queue: int) -> Translator:
        return Translator(bundle, Worker(lambda: cast(Any, Waiting({})), Limits(rows=1, queue=queue)))

    full, free = made(1), made(10)
    full.worker.submit("others", [repeat(full, "ba", "aa")] * 9, time.monotonic() + 10)

    async def ask() -> None:
        with pytest.raises(QueueFullError):
            await detect({"bb": free, "aa": full}, "ba dei", 10.0)
        await asyncio.sleep(0)
        assert free.worker.statistics.cancelled == 1

    asyncio.run(ask())
    gate.set()
    for one in (full, free):
        one.worker.close()
