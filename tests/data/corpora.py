"""Small made-up corpora."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from data.config import build
from data.prepare import DataConfig, Pair, Prepared

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


def many_words(count: int, seed: int = 0) -> list[str]:
    """Lines of made-up words, numbers among them: enough to learn any small vocabulary from."""
    rng = random.Random(seed)
    syllables = [
        "lau",
        "fen",
        "häu",
        "ser",
        "ka",
        "tze",
        "bru",
        "der",
        "schwe",
        "ster",
        "wol",
        "ken",
        "mei",
        "straß",
        "e",
    ]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(200)]
    return [f"{' '.join(rng.choices(words, k=6)).capitalize()} {rng.randrange(3000)}." for _ in range(count)]


def write_corpus(folder: Path, name: str, pairs: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for side, language in enumerate(("de", "en")):
        (folder / f"{name}.{language}").write_text("".join(pair[side] + "\n" for pair in pairs), encoding="utf-8")


def corpus(name: str, **more: Any) -> dict[str, Any]:
    return {"format": "text", "languages": ["de", "en"], "source": f"{name}.de", "target": f"{name}.en", **more}


def config_for(
    root: Path, pairs: list[tuple[str, str]], clean: dict[str, Any] | None = None, **train: Any
) -> DataConfig:
    write_corpus(root, "c", pairs)
    plain = {
        "root": str(root), "languages": ["de", "en"], "directions": ["de-en"], "train": [corpus("c", **train)],
        "tokenizer": {"vocabulary_size": 320, "placeholders": 2}, "clean": clean or {},
    }  # fmt: skip
    return build(DataConfig, plain)


def pairs_of(prepared: Prepared) -> list[Pair]:
    return [pair for number in range(prepared.shards) for pair in prepared.shard(number)]
