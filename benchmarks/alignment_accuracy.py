"""Whether words of a translation are linked to the words that they translate.

usage: python benchmarks/alignment_accuracy.py BUNDLE FILE SOURCE TARGET --text SOURCE-FILE TARGET-FILE

The lines of a file are translated. Words of a line and of its translation that stand there once and, as far as --text
tells, translate each other, should be linked. Prints JSON: of how many such pairs the word of the translation is linked
to its word of the source most, and of how many the word of the source to its word of the translation.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from term_accuracy import pairs_of

from data.corpus import all_lines
from data.prepared import Pair
from data.terms import Terms
from models.bundle import read_bundle
from mt_service.alignment import Alignment, Span
from mt_service.registry import make_translator
from mt_service.settings import BILLION, Settings
from mt_service.translation import Options
from training.manifest import git_state


def strongest(links: dict[int, float]) -> int:
    """The word with most weight, or none."""
    return max(links, key=lambda word: links[word], default=-1)


def word_at(spans: list[Span], place: int) -> int:
    """Which word a character belongs to."""
    return next((index for index, span in enumerate(spans) if span.start <= place < span.end), -2)


def right(pair: Pair, word: str, other: str, alignment: Alignment) -> tuple[bool, bool]:
    """Whether the word of a translation is linked to its source's most, and the other way around."""
    source = word_at(alignment.source_words, pair.source.find(word))
    target = word_at(alignment.target_words, pair.target.find(other))
    back, forth = defaultdict[int, float](float), defaultdict[int, float](float)
    for link in alignment.links:
        if link.target == target:
            back[link.source] += link.weight
        if link.source == source:
            forth[link.target] += link.weight
    return strongest(back) == source, strongest(forth) == target


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("languages", nargs=2)
    parser.add_argument("--text", type=Path, nargs=2, required=True)
    arguments = parser.parse_args()
    source, target = arguments.languages
    lines, terms = list(all_lines(arguments.file)), Terms(pairs_of(arguments.text, source, target))
    translator = make_translator(read_bundle(arguments.bundle), Settings(device="cpu", max_queue=BILLION))
    found = translator.translate_lines(lines, Options(source, target, alignments=True))
    words, hits = 0, [0, 0]
    for line, one in zip(lines, found, strict=True):
        pair = Pair(source, target, line, one.text)
        for word, other in terms.of(pair):
            assert one.alignment is not None
            words += 1
            hits = [hit + fine for hit, fine in zip(hits, right(pair, word, other, one.alignment), strict=True)]
    translator.worker.close()
    facts = {"bundle": arguments.bundle.name, "direction": f"{source}-{target}", "code": git_state()}
    from_translation, from_source = (round(hit / max(1, words), 4) for hit in hits)
    shares = {"from_translation": from_translation, "from_source": from_source}
    print(json.dumps({**facts, "lines": len(lines), "words": words, **shares}, indent=1))


if __name__ == "__main__":
    main()
