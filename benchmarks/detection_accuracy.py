"""Whether the languages of sentences, and of single words, are told apart.

usage: python benchmarks/detection_accuracy.py BUNDLE LANGUAGE=FILE [LANGUAGE=FILE ...]

Each line is one text; then the longest word of each line, each word once, is one. Prints JSON: how many were tried for
each file, and how many were right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.corpus import all_lines
from data.languages import languages_of
from models.bundle import read_bundle
from mt_service.detection import detect
from mt_service.registry import make_translator
from mt_service.settings import BILLION, Settings
from mt_service.translator import FOREVER, Translator
from training.manifest import git_state

WORD = re.compile(r"[^\W\d_]+")


def words_of(lines: Sequence[str]) -> list[str]:
    """The longest word of each line, each once."""
    longest = (max(WORD.findall(line), key=len, default="") for line in lines)
    return [word for word in dict.fromkeys(longest) if word]


async def right(candidates: Mapping[str, Translator], texts: Sequence[str], language: str) -> int:
    """How many texts are said to be in a language."""
    found = await asyncio.gather(*(detect(candidates, text, FOREVER) for text in texts))
    return sum(guesses[0].language == language for guesses in found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("files", nargs="+", metavar="LANGUAGE=FILE")
    arguments = parser.parse_args()
    translator = make_translator(read_bundle(arguments.bundle), Settings(device="cpu", max_queue=BILLION))
    candidates = {languages_of(name)[1]: translator for name in translator.info.directions}
    rows: list[dict[str, Any]] = []
    for language, _, file in (one.partition("=") for one in arguments.files):
        lines = [line for line in all_lines(Path(file)) if WORD.search(line)]
        for kind, texts in (("lines", lines), ("words", words_of(lines))):
            count = asyncio.run(right(candidates, texts, language))
            rows.append(
                {"file": Path(file).name, "language": language, "of": kind, "tried": len(texts), "right": count}
            )
    translator.worker.close()
    print(json.dumps({"bundle": arguments.bundle.name, "code": git_state(), "files": rows}, indent=1))


if __name__ == "__main__":
    main()
