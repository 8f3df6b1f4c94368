"""A small parallel corpus on disk, and what the data package makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.config import build
from data.prepare import DataConfig, Prepared, prepare
from data.tokenizer import Tokenizer

LEXICON = {
    "der": "the", "hund": "dog", "katze": "cat", "läuft": "runs", "schläft": "sleeps", "über": "over",
    "brücke": "bridge", "straße": "street", "haus": "house", "große": "big", "kleine": "small",
    "morgen": "tomorrow", "heute": "today", "niemals": "never", "und": "and", "oder": "or",
}  # fmt: skip


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Word-by-word translations of random sentences; some hold a number or a name."""
    rng = random.Random(seed)
    pairs = []
    for number in range(count):
        words = rng.choices(list(LEXICON), k=rng.randint(2, 12))
        shared = rng.choice(["", f" {number}", " Berlin"])
        german, english = " ".join(words), " ".join(LEXICON[word] for word in words)
        pairs.append((f"{german.capitalize()}{shared}.", f"{english.capitalize()}{shared}."))
    return pairs


def write_corpus(folder: Path, name: str, pairs: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for side, language in enumerate(("de", "en")):
        (folder / f"{name}.{language}").write_text("".join(pair[side] + "\n" for pair in pairs), encoding="utf-8")


def corpus(name: str, **more: Any) -> dict[str, Any]:
    return {"format": "text", "languages": ["de", "en"], "source": f"{name}.de", "target": f"{name}.en", **more}


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
