"""What each ingredient of a recipe is worth: it is trained once whole, and once without each.

usage: python benchmarks/ablation.py RECIPE ROOT [--home HOME] [--updates 1100] [--without NAME ...] [--output FILE]

What RECIPE builds on is trained first if HOME does not hold it yet; ROOT is the folder of its corpora. Every run has as
many updates as asked for, fewer than the recipe's own, over which the learning rate's schedule and R-Drop's beginning
span. Ingredients that the recipe does not have are passed over. Measured is BLEU on the dev set with a beam of 5. It
prints a table and writes JSON after each run; killed and started again it goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.config import check
from data.errors import UserError
from data.files import write_json
from mt_service.cli import home, teach
from training.checkpoint import BEST, STATE, resolve
from training.config import load_recipe
from training.device import hardware
from training.manifest import git_state, versions
from training.run import train_recipe
from training.run_folder import CHECKPOINTS
from training.synthesis import CORPORA
from training.telemetry import say

WHOLE = "nothing"
WITHOUT = {  # overrides of the recipe
    WHOLE: [],
    "teacher's translations": ["teachers=[]"],
    "teacher's weights": ["start_from="],
    "R-Drop": ["training.agreement=0"],
    "blocks after the second": ["model.encoder.layers=2", "model.decoder.layers=2"],
    "attention in all decoder blocks": ["model.decoder.attention_blocks=first"],
    "feed-forward parts": ["model.encoder.feed_forward=0", "model.decoder.feed_forward=0"],
    "label smoothing": ["training.label_smoothing=0"],
    "dropout of residuals": ["model.dropout.residual=0"],
    "dropout of embeddings": ["model.dropout.embedding=0"],
    "dropout of words": ["model.dropout.word=0"],
    "BPE-dropout": ["batching.sampling=0"],
    "moving average": ["training.average=none"],
    "falling rate": ["optimizer.schedule=constant"],
}
RESULTS = Path(__file__).parent / "results"


def overrides_of(name: str, arguments: argparse.Namespace) -> list[str]:
    """What makes the recipe one without an ingredient, with a name of its own."""
    recipe = load_recipe(arguments.recipe)
    letters = "".join(letter if letter.isalnum() else "-" for letter in name)
    return [
        f"data.root={arguments.root}",
        f"name={recipe.name}-without-{letters}",
        f"training.updates={arguments.updates}",
        f"training.evaluate_every={arguments.updates}",
        "training.dev_beam=5",
        *WITHOUT[name],
    ]


def has(name: str, arguments: argparse.Namespace) -> bool:
    """Whether a recipe has an ingredient, so that it is another one without it."""
    without, whole = (load_recipe(arguments.recipe, overrides_of(one, arguments)) for one in (name, WHOLE))
    return dataclasses.replace(without, name=whole.name) != whole


def share_translations(recipe: str, run: str, home: Path) -> None:
    """Let a run find what the teacher translated for the whole recipe; training checks where it comes from."""
    made, mine = home / CORPORA / recipe, home / CORPORA / run
    if made.is_dir() and not mine.exists():
        shutil.copytree(made, mine)


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train without an ingredient; return the dev score."""
    overrides = overrides_of(name, arguments)
    whole, recipe = (load_recipe(arguments.recipe, words) for words in (overrides_of(WHOLE, arguments), overrides))
    share_translations(whole.name, recipe.name, arguments.home)
    code = train_recipe(arguments.recipe, overrides, arguments.home, teach)
    folder = arguments.home / "runs" / recipe.name / CHECKPOINTS
    state = json.loads((resolve(folder, BEST) / STATE).read_text(encoding="utf-8")) if code == 0 else {}
    check(state.get("update") == arguments.updates, f"the run without {name} was stopped: the same command goes on")
    return {"bleu": round(state["score"], 2), "overrides": WITHOUT[name], "seconds": state["seconds"]}


def table(rows: dict[str, Any]) -> str:
    """Scores, and what each ingredient is worth."""
    lines = ["| without | dev BLEU | change |", "|---|---|---|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {row['bleu']:.2f} | {row['bleu'] - rows[WHOLE]['bleu']:+.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Train, measure, write."""
    today = datetime.now(UTC).date().isoformat()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--home", type=Path, default=home(), help="folder of runs and corpora (default: that of mt)")
    parser.add_argument("--updates", type=int, default=1100, help="of each run (default: 1100)")
    parser.add_argument("--without", nargs="+", choices=list(WITHOUT)[1:], metavar="NAME", help="these alone")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{today}-ablation.json")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    facts = {"recipe": arguments.recipe.name, "updates": arguments.updates, "beam": 5}
    try:
        asked = arguments.without or list(WITHOUT)[1:]
        for name in [WHOLE, *(name for name in asked if has(name, arguments))]:
            rows[name] = measure(name, arguments)
            tree = {**facts, "without": rows, "hardware": hardware(), "versions": versions(), "git": git_state()}
            write_json(arguments.output, tree)
    except UserError as error:
        parser.error(str(error))
    print(table(rows))
    say(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
