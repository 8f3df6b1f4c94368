"""How many single words are translated with one of those that a dictionary has.

usage: python benchmarks/single_word_accuracy.py [BUNDLE]

The words of single_words.tsv, each as a text of its own, which is how people look words up; capitals do not count, nor
articles and a mark at the end. Without a bundle it is the one that ships, with its dictionary, as a server has it.
Prints JSON: how many are right, and what the others became.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mt_service.registry import Registry
from mt_service.settings import Settings
from mt_service.translation import Options
from mt_service.translator import Translator
from training.manifest import git_state

WORDS = Path(__file__).with_name("single_words.tsv")
OTHER = {"de": "en", "en": "de"}
ARTICLES = ("the ", "a ", "an ", "to ", "der ", "die ", "das ", "ein ", "eine ")


def plain(text: str) -> str:
    """A translation as a dictionary would have it."""
    small = text.casefold().strip().rstrip(".!?")
    return next((small.removeprefix(one) for one in ARTICLES if small.startswith(one)), small)


def measure(translator: Translator, source: str) -> dict[str, object]:
    """Words of one language."""
    rows = [line.split("\t") for line in WORDS.read_text(encoding="utf-8").splitlines()]
    wanted = {
        word: {plain(one) for one in meanings.split("|")} for language, word, meanings in rows if language == source
    }
    found = asyncio.run(translator.translate(list(wanted), Options(source, OTHER[source])))
    wrong = {word: one.text for word, one in zip(wanted, found, strict=True) if plain(one.text) not in wanted[word]}
    return {"words": len(wanted), "right": len(wanted) - len(wrong), "wrong": wrong}


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    registry = Registry(Settings(device="cpu", bundles=tuple(sys.argv[1:])))
    registry.load()
    found = {f"{source}-{other}": measure(registry.find(source, other), source) for source, other in OTHER.items()}
    registry.close()
    print(
        json.dumps(
            {"bundle": Path(sys.argv[1]).name if sys.argv[1:] else "as it ships", **found, "git": git_state()},
            ensure_ascii=False,
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
