"""Whether translations hold the terms of a glossary, and what becomes of the words around them.

usage: python benchmarks/term_accuracy.py BUNDLE SOURCE-FILE REFERENCE-FILE SOURCE TARGET --text SOURCE-FILE TARGET-FILE

Of each pair of the first two files one word and the reference's word for it, as far as --text tells which translate
each other, are the glossary of that sentence alone. Each is translated without it and with it. Prints JSON: how many
translations hold the word, BLEU and chrF, and chrF of what is left without these words; for all of them, and for words
with a capital on either side, such as German nouns. The words are known from the reference, so BLEU rises by those that
were wrong, and falls where sentences around them get worse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sacrebleu

from data.corpus import all_lines
from data.glossary import glossary_of
from data.prepared import Pair
from data.terms import Terms
from models.bundle import read_bundle
from mt_service.registry import make_translator
from mt_service.settings import BILLION, Settings
from mt_service.translation import Options
from mt_service.translator import Translator
from training.manifest import git_state

SHORTEST = 4  # letters of a term, as glossaries are not about small words


class Case(NamedTuple):
    """A sentence with its term."""

    pair: Pair
    source: str
    target: str


def cases(pairs: Sequence[Pair], text: Sequence[Pair]) -> list[Case]:
    """One term of each pair that has some."""
    terms, rng, found = Terms(text), random.Random(1), []
    for pair in pairs:
        some = [one for one in terms.of(pair) if min(map(len, one)) >= SHORTEST and one[0] != one[1]]
        if some:
            found.append(Case(pair, *rng.choice(some)))
    return found


def pairs_of(files: Sequence[Path], source: str, target: str) -> list[Pair]:
    """The pairs of two files."""
    return [Pair(source, target, *texts) for texts in zip(*map(all_lines, files), strict=True)]


async def translate(translator: Translator, some: Sequence[Case], with_terms: bool) -> list[str]:
    """All sentences at once, each with its own glossary, or none with any."""

    async def one(case: Case) -> str:
        pair = case.pair
        glossary = glossary_of({case.source: case.target}, pair.source_language) if with_terms else None
        options = Options(pair.source_language, pair.target_language, glossary=glossary)
        return (await translator.translate([pair.source], options))[0].text

    return await asyncio.gather(*map(one, some))


def is_large(case: Case) -> bool:
    """Whether a term has a capital on either side, within its sentence: a German noun, or a name."""
    sides = ((case.source, case.pair.source), (case.target, case.pair.target))
    return any(word[0].isupper() and not text.startswith(word) for word, text in sides)


def without(term: str, text: str) -> str:
    """A text without a term."""
    return re.sub(rf"\b{re.escape(term)}\b", "", text, flags=re.IGNORECASE)


def measured(some: Sequence[Case], found: Sequence[str]) -> dict[str, Any]:
    """How many hold their term, and scores."""
    references = [case.pair.target for case in some]
    held = [re.search(rf"\b{re.escape(c.target)}\b", text, re.IGNORECASE) for c, text in zip(some, found, strict=True)]
    around = [
        [without(case.target, text) for case, text in zip(some, side, strict=True)] for side in (found, references)
    ]
    return {
        "sentences": len(some),
        "held": sum(map(bool, held)),
        "bleu": round(sacrebleu.corpus_bleu(found, [references]).score, 2),
        "chrf": round(sacrebleu.corpus_chrf(found, [references]).score, 2),
        "chrf_around": round(sacrebleu.corpus_chrf(around[0], [around[1]]).score, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("files", type=Path, nargs=2)
    parser.add_argument("languages", nargs=2)
    parser.add_argument("--text", type=Path, nargs=2, required=True)
    parser.add_argument("--examples", type=int, default=0, help="sentences to show")
    arguments = parser.parse_args()
    some = cases(*(pairs_of(files, *arguments.languages) for files in (arguments.files, arguments.text)))
    translator = make_translator(read_bundle(arguments.bundle), Settings(device="cpu", max_queue=BILLION))
    rows: dict[str, Any] = {}
    kinds = {"all": range(len(some)), "capitalised": [i for i, case in enumerate(some) if is_large(case)]}
    for name, with_terms in (("without", False), ("with", True)):
        found = asyncio.run(translate(translator, some, with_terms))
        for kind, chosen in kinds.items():
            rows[f"{kind}, {name}"] = measured([some[i] for i in chosen], [found[i] for i in chosen])
        shown = list(zip(some, found, strict=True))[: arguments.examples]
        rows[f"examples, {name}"] = [f"{c.source} = {c.target}: {c.pair.source} -> {text}" for c, text in shown]
    translator.worker.close()
    facts = {"bundle": arguments.bundle.name, "direction": "-".join(arguments.languages), "code": git_state()}
    print(json.dumps({**facts, **rows}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
