"""What sentences with slots come to: each is filled and translated several times, and counted when it is right."""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models.bundle import read_bundle
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translation import Options
from training.manifest import git_state

DRAWS = 20
SLOT = re.compile(r"\{(\w+)\}")


def filled(sentence: str, draw: Callable[[str], str]) -> str:
    """A sentence with something in each slot; `draw` takes the slot's name."""
    return SLOT.sub(lambda slot: draw(slot[1]), sentence)


def run(
    description: str,
    sentences: Mapping[str, Sequence[str]],
    draw: Callable[[str, str, random.Random], str],
    is_right: Callable[[str, str], bool],
) -> None:
    """Translate each of a language's sentences `DRAWS` times, and print as JSON how many are right.

    Args:
        description: of the command.
        sentences: by language.
        draw: of slot, language and a random generator, what to put there.
        is_right: of source and translation.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("source", choices=sentences)
    parser.add_argument("target", choices=sentences)
    arguments = parser.parse_args()
    source, rng = arguments.source, random.Random(1)
    texts = [filled(one, lambda slot: draw(slot, source, rng)) for one in sentences[source] for _ in range(DRAWS)]
    translator = make_translator(read_bundle(arguments.bundle), Settings(device="cpu"))
    found = [one.text for one in translator.translate_lines(texts, Options(source, arguments.target))]
    translator.worker.close()
    right = [is_right(*pair) for pair in zip(texts, found, strict=True)]
    rows = []
    for i, sentence in enumerate(sentences[source]):
        places = range(i * DRAWS, (i + 1) * DRAWS)
        wrong = [f"{texts[j]} -> {found[j]}" for j in places if not right[j]]
        rows.append({"sentence": sentence, "right": DRAWS - len(wrong), "wrong": wrong[:2]})
    facts = {"bundle": arguments.bundle.name, "direction": f"{source}-{arguments.target}", "code": git_state()}
    summary = {"translations": len(texts), "right": sum(right)}
    print(json.dumps({**facts, **summary, "sentences": rows}, indent=1, ensure_ascii=False))
