"""A small parallel corpus on disk, and what the data package makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data.config import build
from data.prepare import DataConfig, Prepared, prepare
from data.tokenizer import Tokenizer
from tests.data.corpora import corpus, many_words, sentences, write_corpus


@pytest.fixture(scope="session")
def make_config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., DataConfig]:
    """A function that gives the configuration of the small corpus, with changes."""
    root = tmp_path_factory.mktemp("corpora")
    write_corpus(root, "train", sentences(400, seed=1))
    write_corpus(root, "dev", sentences(20, seed=2))

    def make(**changes: Any) -> DataConfig:
        plain = {
            "root": str(root),
            "languages": ["de", "en"],
            "directions": ["de-en", "en-de"],
            "train": [corpus("train")],
            "dev": {"small": corpus("dev")},
            "tokenizer": {"vocabulary_size": 380, "placeholders": 4},
            "shard_pairs": 150,
        }
        return build(DataConfig, plain | changes)

    return make


@pytest.fixture(scope="session")
def prepared(make_config: Callable[..., DataConfig], tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(make_config(), tmp_path_factory.mktemp("prepared") / "small", seed=1)


@pytest.fixture(scope="session")
def tokenizer(prepared: Prepared) -> Tokenizer:
    return prepared.tokenizer


@pytest.fixture(scope="session")
def lines() -> list[str]:
    return many_words(300)
