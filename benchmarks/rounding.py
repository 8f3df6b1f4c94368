"""What rounding to 8 bits changes: a trained network in float32 beside bundles of it, by both engines.

usage: python benchmarks/rounding.py RUN [--sentences 1000]

The dev sets are translated by the network as it was trained, and from bundles whose projections keep their outliers
apart, as an export does, or do not. The reference rounds weights alone, the compiled engine what is multiplied with
them, too. Prints JSON: BLEU, and the share of translations that are other ones than those in float32.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from data.prepare import Prepared
from models import quantization, weights
from models.bundle import TOKENIZER, Bundle
from models.cores import threads_for
from models.hypotheses import SearchOptions
from models.info import BundleInfo
from models.seq2seq import Seq2Seq
from mt_service.engine.interface import Engine, Job
from mt_service.engine.native.engine import NativeEngine
from mt_service.engine.reference import ReferenceEngine
from training.average import choose_weights
from training.device import hardware
from training.examples import Example, bleu, dev_examples, first
from training.export import network_of
from training.manifest import git_state
from training.run_folder import RECIPE, prepared_folder, read_json

BEAMS, TOGETHER = (1, 5), 64
ALPHA = 1.5  # the length penalty of the model that ships


def bundle_of(network: Seq2Seq, prepared: Prepared, recipe: dict[str, Any], folder: Path, apart: bool) -> Bundle:
    """A bundle in 8 bits, with its outliers apart or not."""
    directions = tuple(recipe["data"]["directions"])
    info = BundleInfo(recipe["name"], tuple(recipe["data"]["languages"]), directions)
    with nullcontext() if apart else patch.object(quantization, "has_outliers", return_value=False):
        return weights.write_bundle(folder, network, prepared.folder / TOKENIZER, info, "int8")


def translated(engine: Engine, bundle: Bundle, example: Example, options: SearchOptions) -> list[str]:
    """Translations by an engine."""
    sources = [tuple(bundle.tokenizer.encode_source(text, example.target)) for text in example.sources]
    order, found = sorted(range(len(sources)), key=lambda index: len(sources[index])), dict[int, str]()
    for start in range(0, len(order), TOGETHER):
        engine.admit({index: Job(sources[index], options) for index in order[start : start + TOGETHER]})
        while len(engine):
            found |= {index: bundle.tokenizer.decode(best[0].tokens) for index, best in engine.step().items()}
    return [found[index] for index in range(len(sources))]


def compared(found: Sequence[str], exact: Sequence[str], example: Example) -> dict[str, float]:
    """BLEU, and how many translations differ from those in float32."""
    differ = sum(one != other for one, other in zip(found, exact, strict=True)) / len(found)
    return {"bleu": round(bleu(found, example), 2), "differ": round(differ, 3)}


def rows(network: Seq2Seq, bundles: dict[str, Bundle], dev: Sequence[Example]) -> list[dict[str, Any]]:
    """A row for each dev set and beam."""
    made, bundle = [], next(iter(bundles.values()))
    engines: dict[str, Engine] = {"float32": ReferenceEngine(network, bundle.specials)}
    for name, one in bundles.items():
        engines[f"{name}, reference"] = ReferenceEngine(one.network(), one.specials)
        engines[f"{name}, compiled"] = NativeEngine(one, threads_for(0, 2))
    for beam in BEAMS:
        options = SearchOptions(beam, length_penalty=ALPHA)
        for example in dev:
            found = {name: translated(engine, bundle, example, options) for name, engine in engines.items()}
            row = {"set": example.name, "direction": example.direction, "beam": beam, "sentences": len(example.sources)}
            made.append(row | {name: compared(one, found["float32"], example) for name, one in found.items()})
    return made


def means(table: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The means over the sets for each beam."""
    kinds = [name for name, value in table[0].items() if isinstance(value, dict)]
    return [
        {"beam": beam}
        | {
            kind: {part: round(sum(row[kind][part] for row in mine) / len(mine), 3) for part in ("bleu", "differ")}
            for kind in kinds
        }
        for beam in BEAMS
        for mine in [[row for row in table if row["beam"] == beam]]
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--sentences", type=int, default=1000, help="of each dev set and direction, at most")
    arguments = parser.parse_args()
    recipe, prepared = read_json(arguments.run / RECIPE), Prepared.load(prepared_folder(arguments.run))
    chosen, _ = choose_weights(arguments.run, "best", 1)
    network = network_of(recipe, chosen, len(prepared.tokenizer)).eval()
    dev = [first(example, arguments.sentences) for example in dev_examples(prepared)]
    with tempfile.TemporaryDirectory() as place:
        bundles = {
            name: bundle_of(network, prepared, recipe, Path(place) / name, name == "outliers apart")
            for name in ("outliers within", "outliers apart")
        }
        table = rows(network, bundles, dev)
    told = {"run": recipe["name"], "code": git_state(), "hardware": hardware(), "means": means(table), "sets": table}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
