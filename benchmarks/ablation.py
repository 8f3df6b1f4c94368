"""What each ingredient of a recipe is worth: it is trained once whole, and once without each.

usage: python benchmarks/ablation.py RECIPE ROOT [--home HOME] [--updates 1100] [--without NAME ...] [--output FILE]

RECIPE names a teacher, which is trained first if HOME does not hold it yet, and starts from its weights; ROOT is the
folder of its corpora. Every run has as many updates as asked for, fewer than the recipe's own, over which the learning
rate's schedule spans. Measured is BLEU on the dev set with a beam of 5. Prints a table and writes JSON after each run;
killed and started again it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.config import check, plain
from data.errors import UserError
from data.files import write_json
from mt_service.cli import home, translate_file
from training.checkpoint import BEST, STATE, resolve
from training.config import load_recipe
from training.device import hardware
from training.manifest import git_state, versions
from training.run import train_recipe
from training.run_folder import CHECKPOINTS
from training.synthesis import CORPORA
from training.teachers import Lesson, Plan, load_plan
from training.telemetry import say

WHOLE = "nothing"
WITHOUT = {  # overrides of the recipe
    WHOLE: [],
    "teacher's translations": ["teachers=[]"],
    "translations forwards": ["teachers=BACKWARDS"],
    "translations backwards": ["teachers=FORWARDS"],
    "teacher's weights": ["start_from="],
    "label smoothing": ["training.label_smoothing=0"],
    "dropout of residuals": ["model.dropout.residual=0"],
    "dropout of embeddings": ["model.dropout.embedding=0"],
    "dropout of words": ["model.dropout.word=0"],
    "BPE-dropout": ["batching.sampling=0"],
    "moving average": ["training.average=none"],
    "falling rate": ["optimizer.schedule=constant"],
}
RESULTS = Path(__file__).parent / "results"


def entries(plan: Plan, kept: Callable[[Lesson], bool]) -> str:
    """Some of a recipe's teachers, as TOML has them in one line."""
    tables = [plain(lesson.config) for lesson in plan.lessons if kept(lesson)]
    said = [{key: value for key, value in table.items() if value is not None} for table in tables]  # TOML has no null
    lines = [", ".join(f"{key}={json.dumps(value)}" for key, value in table.items()) for table in said]
    return "[" + ", ".join(f"{{{line}}}" for line in lines) + "]"


def overrides_of(name: str, arguments: argparse.Namespace) -> list[str]:
    """What makes the recipe one without an ingredient, with a name of its own."""
    plan = load_plan(arguments.recipe)
    recipe = plan.recipe
    (forwards,) = recipe.data.directions
    words = {
        "FORWARDS": entries(plan, lambda lesson: lesson.directions == (forwards,)),
        "BACKWARDS": entries(plan, lambda lesson: lesson.directions != (forwards,)),
    }
    changes = WITHOUT[name]
    for word, meaning in words.items():
        changes = [change.replace(word, meaning) for change in changes]
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    return [
        f"data.root={arguments.root}",
        f"name={recipe.name}-without-{plain}",
        f"training.updates={arguments.updates}",
        f"training.evaluate_every={arguments.updates}",
        "training.dev_beam=5",
        *changes,
    ]


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
    code = train_recipe(arguments.recipe, overrides, arguments.home, translate_file)
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
        for name in [WHOLE, *(arguments.without or list(WITHOUT)[1:])]:
            rows[name] = measure(name, arguments)
            tree = {**facts, "without": rows, "hardware": hardware(), "versions": versions(), "git": git_state()}
            write_json(arguments.output, tree)
    except UserError as error:
        parser.error(str(error))
    print(table(rows))
    say(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
