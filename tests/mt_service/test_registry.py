"""Bundles that are loaded anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from data.glossary import Glossary
from models.bundle import Bundle
from mt_service.registry import Registry
from mt_service.settings import Settings
from mt_service.translator import Translator


class Standin:
    """A translator that only knows whether it was retired."""

    def __init__(self, bundle: Bundle) -> None:
        self.retired, self.info = 0, bundle.info

    def follow(self, _direction: str, glossaries: Sequence[Glossary]) -> None:
        assert not glossaries

    def retire(self, _seconds: float) -> None:
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
