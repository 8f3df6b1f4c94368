"""Bundles that are loaded anew."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest
from serving import until

from data.errors import UserError
from data.glossary import Glossary
from models.bundle import CARD, Bundle, read_bundle, write_sums
from models.hypotheses import SearchOptions
from mt_service import translator
from mt_service.engine.interface import DrainingError, Job
from mt_service.registry import Registry, make_translator
from mt_service.settings import Settings
from mt_service.translator import Translator


class Standin:
    """A translator that only knows whether it was retired."""

    def __init__(self, bundle: Bundle) -> None:
        self.retired, self.info = 0, bundle.info

    def follow(self, _direction: str, glossaries: Sequence[Glossary]) -> None:
        assert not glossaries

    def retire(self, _seconds: float, _stopped: Callable[[], None]) -> None:
        self.retired += 1


def test_of_those_that_load_at_once_each_retires_what_the_one_before_it_loaded(golden: Path) -> None:
    made, at_work, crowd = list[Standin](), 0, list[int]()

    def make(bundle: Bundle, _settings: Settings) -> Translator:
        nonlocal at_work
        at_work += 1
        crowd.append(at_work)
        time.sleep(0.02)
        at_work -= 1
        made.append(Standin(bundle))
        return cast(Translator, made[-1])

    registry = Registry(Settings(bundles=(str(golden),)), make)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(registry.load) for _ in range(8)]:
            done.result()
    assert crowd == [1] * 8
    assert [one.retired for one in made] == [1] * 7 + [0]
    assert registry.translators == [made[-1]]


def test_who_drains_also_waits_for_what_was_replaced_and_stops_it_in_time(golden: Path) -> None:
    registry = Registry(Settings(bundles=(str(golden),), device="cpu", threads=1, drain_seconds=0.01))
    registry.load()
    old = registry.translators[0].worker
    futures = old.submit("long", [Job((5,) * 60, SearchOptions(beam=16))] * 2000, time.monotonic() + 60)
    registry.load()
    assert not registry.drain()
    assert old.closed
    with pytest.raises(DrainingError):
        futures[-1].result(0)


def test_what_was_replaced_is_forgotten_when_it_has_stopped(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translator, "GRACE", 0.0)
    registry = Registry(Settings(bundles=(str(golden),), device="cpu", threads=1))
    registry.load()
    old = registry.translators[0].worker
    registry.load()
    until(lambda: not registry.retiring)
    assert old.closed
    assert registry.drain()


def test_an_engine_is_not_made_anew_of_another_bundle(golden: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(golden, tmp_path / "bundle"))
    made = make_translator(read_bundle(folder), Settings(device="cpu", threads=1))
    made.worker.close()
    assert made.worker.make_engine().description == made.worker.description
    (folder / CARD).write_text("Another one.")
    with pytest.raises(UserError, match="was altered or damaged"):
        made.worker.make_engine()
    write_sums(folder)
    with pytest.raises(UserError, match="holds another bundle than was loaded: reload the bundles"):
        made.worker.make_engine()


def test_two_bundles_of_one_name_are_told(golden: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = shutil.copytree(golden, tmp_path / "bundle")
    registry = Registry(Settings(bundles=(str(golden), str(folder))), lambda one, _: cast(Translator, Standin(one)))
    with caplog.at_level(logging.WARNING):
        registry.load()
    assert f"{golden} and {folder} are both called toy: metrics number them; export one with --name" in caplog.text
