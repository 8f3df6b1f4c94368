"""How many addresses, numbers and emoji come through a translation, with placeholder symbols and without.

usage: python benchmarks/literals.py BUNDLE FILE SOURCE TARGET

Into each sentence that holds a word once, Tom unless --word says otherwise, goes a literal: in place of that word,
before the last mark, or for that mark. A translation keeps it when it holds it once, as the target language writes it.
Prints JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data.corpus import all_lines
from data.languages import number_marks
from models.bundle import Bundle, read_bundle
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translation import Options
from mt_service.translator import Translator
from training.manifest import git_state

SENTENCES = 200  # of each kind and place, at most
LAST = re.compile(r"[.!?]*$")


def digits(rng: random.Random, count: int) -> str:
    """A number without a zero in front."""
    return str(rng.randrange(10 ** (count - 1), 10**count))


def grouped(text: str, language: str) -> str:
    """A number of seven digits, in groups."""
    marks = number_marks(language)
    assert marks is not None, f"nobody told how {language} writes numbers"
    return marks.group.join((text[0], text[1:4], text[4:]))


KINDS: dict[str, Callable[[random.Random], str]] = {
    "telephone": lambda rng: f"0{digits(rng, 3)} {digits(rng, 7)}",
    "digits": lambda rng: digits(rng, 6),
    "millions": lambda rng: digits(rng, 7),
    "mail": lambda rng: f"{rng.choice(['anna', 'max.lang', 'info'])}{digits(rng, 2)}@example.org",
    "url": lambda rng: f"https://example.org/{digits(rng, 4)}?q={rng.choice(['haus', 'cat'])}",
    "code": lambda rng: f"{rng.choice(['LH', 'A', 'XK'])}{digits(rng, 4)}",
    "emoji": lambda rng: rng.choice("😀👍🎉🚲😂"),
}
PLACES = ("for the word", "before the last mark", "for the last mark")


def put(place: str, text: str, word: str, literal: str) -> str:
    """A sentence with a literal in one of the places."""
    if place == "for the word":
        return text.replace(word, literal)
    body = LAST.sub("", text)
    return f"{body} {literal}" + (text[len(body) :] if place == "before the last mark" else "")


def kept(translator: Translator, texts: Sequence[str], expected: Sequence[str], options: Options) -> int:
    """How many translations hold what they should."""
    found = [one.text for one in translator.translate_lines(texts, options)]
    return sum(text.count(literal) == 1 for text, literal in zip(found, expected, strict=True))


def measure(bundle: Bundle, sentences: Sequence[str], word: str, source: str, target: str) -> list[dict[str, Any]]:
    """Every kind in every place."""
    info = dataclasses.replace(bundle.info, placeholders=False)
    plain = dataclasses.replace(bundle, config=dataclasses.replace(bundle.config, info=info))
    translators = [make_translator(one, Settings(device="cpu")) for one in (bundle, plain)]
    rows = []
    for kind, make in KINDS.items():
        rng = random.Random(kind)
        bare = [make(rng) for _ in sentences]
        literals, expected = bare, bare
        if kind == "millions":
            literals, expected = ([grouped(one, language) for one in bare] for language in (source, target))
        for place in PLACES:
            texts = [put(place, text, word, literal) for text, literal in zip(sentences, literals, strict=True)]
            counts = [kept(one, texts, expected, Options(source, target)) for one in translators]
            rows.append({"kind": kind, "place": place, "with symbols": counts[0], "without": counts[1]})
    for one in translators:
        one.worker.close()
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--word", default="Tom")
    arguments = parser.parse_args()
    bundle = read_bundle(arguments.bundle)
    lines = all_lines(arguments.file)
    word = re.compile(rf"\b{re.escape(arguments.word)}\b")
    sentences = [line for line in lines if len(word.findall(line)) == line.count(arguments.word) == 1][:SENTENCES]
    rows = measure(bundle, sentences, arguments.word, arguments.source, arguments.target)
    facts = {"bundle": bundle.info.name, "direction": f"{arguments.source}-{arguments.target}", "code": git_state()}
    print(json.dumps({**facts, "sentences": len(sentences), "kept": rows}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
