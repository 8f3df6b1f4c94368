"""Make the golden bundle: a small bundle that every later version must read, and translate with as it did.

usage: python tests/models/make_golden_bundle.py

Run it only when the bundle format gets a new number, into a folder of that number; the old folders stay, as long as
their format can be read.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent / "system")]

from toy import overrides, write_toy  # noqa: E402

from models.bundle import FORMAT, read_bundle  # noqa: E402
from models.hypotheses import SearchOptions  # noqa: E402
from models.search import translate_ids  # noqa: E402
from mt_service.cli import main  # noqa: E402
from training.run import train_recipe  # noqa: E402

FOLDER = HERE / "golden"
TEXTS = (
    "ba dei",
    "ka lo mei fa",
    "go go da",
    "mo lei ka ba fei do",
    "ba",
    "bo deika ☃ lo",
    "da dei do da dei do fa fei",
)


def describe(folder: Path) -> list[dict[str, object]]:
    """Each text with its two best translations, as ids and scores."""
    bundle = read_bundle(folder)
    sources = [bundle.tokenizer.encode_source(text, "bb") for text in TEXTS]
    found = translate_ids(bundle.network(), sources, SearchOptions(beam=4, n_best=2), bundle.specials)
    return [
        {"text": text, "source": source, "best": [[list(one.tokens), round(one.score, 6)] for one in hypotheses]}
        for text, source, hypotheses in zip(TEXTS, sources, found, strict=True)
    ]


def make() -> None:
    """Train on the toy task, export, and note what it gives."""
    folder = FOLDER / f"format-{FORMAT}"
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        assert train_recipe(write_toy(root), overrides(root), root / "home") == 0
        assert main(["export", str(root / "home" / "runs" / "toy"), str(folder), "--length-penalty", "1"]) == 0
    text = json.dumps(describe(folder), indent=1, ensure_ascii=False)
    (FOLDER / f"format-{FORMAT}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make()
