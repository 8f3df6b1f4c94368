"""A toy task: reverse the order of made-up words. What its recipes, corpora and the golden bundle are made of."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

RECIPE = """
name = "toy"
seed = 3
[data]
languages = ["aa", "bb"]
directions = ["aa-bb"]
[[data.train]]
format = "text"
languages = ["aa", "bb"]
source = "train.aa"
target = "train.bb"
[data.dev.toy]
format = "text"
languages = ["aa", "bb"]
source = "dev.aa"
target = "dev.bb"
[data.clean]
identical = 0
[data.tokenizer]
vocabulary_size = 300
placeholders = 2
[batching]
tokens = 1024
max_length = 30
[model]
width = 32
[model.encoder]
layers = 1
hidden = 32
[model.decoder]
layers = 2
hidden = 32
[model.attention]
heads = 1
[model.dropout]
residual = 0.0
embedding = 0.0
[optimizer]
rate = 0.01
warmup = 30
schedule = "linear"
[training]
updates = 400
label_smoothing = 0.0
log_every = 50
evaluate_every = 200
checkpoint_every = 100
checkpoint_minutes = 0
threads = 1
ema_decay = 0.97
"""
WORDS = [first + second for first in "bdfgklm" for second in ("a", "ei", "o")]


def write_corpus(folder: Path, name: str, lines: int, seed: int) -> None:
    """Two files: words, and the same words in reverse order."""
    rng = random.Random(seed)
    words = [[rng.choice(WORDS) for _ in range(rng.randint(3, 8))] for _ in range(lines)]
    (folder / f"{name}.aa").write_text("".join(" ".join(line) + "\n" for line in words), encoding="utf-8")
    (folder / f"{name}.bb").write_text("".join(" ".join(line[::-1]) + "\n" for line in words), encoding="utf-8")


def write_toy(folder: Path) -> Path:
    """Corpora and a recipe; return the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder, "train", 4000, 1)
    write_corpus(folder, "dev", 100, 2)
    path = folder / "toy.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def overrides(folder: Path, **changes: Any) -> list[str]:
    """Overrides for a recipe of `write_toy`; a double underscore stands for a dot."""
    return [f"data.root={folder}", *(f"{key.replace('__', '.')}={value}" for key, value in changes.items())]
