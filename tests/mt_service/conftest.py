"""The golden bundle, as a translator: it reverses the order of made-up words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from backwards import Backwards, both_ways
from serving import Served, serve

from models.bundle import read_bundle, shipped_bundles
from mt_service.engine.interface import Limits
from mt_service.engine.worker import Worker
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translator import Translator

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN


@pytest.fixture(scope="module")
def shipped() -> Iterator[Served]:
    """A server of the model that ships."""
    with serve(*shipped_bundles()) as served:
        yield served


@pytest.fixture
def translator() -> Iterator[Translator]:
    made = make_translator(read_bundle(GOLDEN), Settings(device="cpu", threads=1))
    yield made
    made.worker.close()


@pytest.fixture
def engine() -> Backwards:
    return Backwards(both_ways(GOLDEN, placeholders=True))


@pytest.fixture
def backwards(engine: Backwards) -> Iterator[Translator]:
    """A translator that has the engine above, and so carries symbols over."""
    made = Translator(engine.bundle, Worker(lambda: engine, Limits(rows=64)))
    yield made
    made.worker.close()
