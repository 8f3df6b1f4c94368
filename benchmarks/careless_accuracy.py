"""What carelessly typed text costs, beside the same text written with care.

usage: python benchmarks/careless_accuracy.py BUNDLE NAME=SOURCE-FILE,REFERENCE-FILE,SOURCE-TARGET [...]

Each file is translated as it is, with all of it in small letters, in capitals (beside references in capitals), and with
the mixture of small letters, typing errors and missing marks that `batching.careless_rate` trains on, which loses last
marks on both sides. Prints JSON: BLEU and chrF, with signatures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

from data.careless import dashed_off
from data.corpus import all_lines
from data.languages import languages_of
from models.bundle import read_bundle
from mt_service.registry import make_translator
from mt_service.settings import BILLION, Settings
from mt_service.translation import Options
from mt_service.translator import Translator
from training.manifest import git_state

METRICS = {"bleu": BLEU(), "chrf": CHRF()}


def versions(
    sources: Sequence[str], references: Sequence[str], direction: str
) -> dict[str, tuple[list[str], list[str]]]:
    """Sources and references, written in several ways."""
    source, target = languages_of(direction)
    pairs = list(zip(sources, references, strict=True))
    read, written = dashed_off(pairs, [(source, target)] * len(pairs), 1.0, random.Random(1))
    return {
        "as it is": (list(sources), list(references)),
        "small letters": ([text.lower() for text in sources], list(references)),
        "capitals": ([text.upper() for text in sources], [text.upper() for text in references]),
        "careless": ([one for one, _ in read], [other for _, other in written]),
    }


def scores(
    translator: Translator, sources: Sequence[str], references: Sequence[str], direction: str
) -> dict[str, float]:
    """BLEU and chrF of translations."""
    options = Options(*languages_of(direction))
    found = [one.text for one in asyncio.run(translator.translate(sources, options))]
    return {name: round(metric.corpus_score(found, [references]).score, 2) for name, metric in METRICS.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("files", nargs="+", metavar="NAME=SOURCE,REFERENCE,DIRECTION")
    arguments = parser.parse_args()
    translator = make_translator(read_bundle(arguments.bundle), Settings(device="cpu", max_queue=BILLION))
    rows: list[dict[str, Any]] = []
    for name, _, files in (one.partition("=") for one in arguments.files):
        source, reference, direction = files.split(",")
        lines = [list(all_lines(Path(file))) for file in (source, reference)]
        for kind, pair in versions(*lines, direction).items():
            rows.append({"set": name, "direction": direction, "typed": kind, **scores(translator, *pair, direction)})
    translator.worker.close()
    signatures = {name: str(metric.get_signature()) for name, metric in METRICS.items()}
    print(json.dumps({"bundle": arguments.bundle.name, "code": git_state(), **signatures, "scores": rows}, indent=1))


if __name__ == "__main__":
    main()
