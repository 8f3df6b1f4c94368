"""A student of the toy task and its teacher: their recipes and corpora."""

from __future__ import annotations

import json
from pathlib import Path

from toy import RECIPE, write_corpus

TEACHER = RECIPE.replace('name = "toy"', 'name = "teacher"').replace('["aa-bb"]', '["aa-bb", "bb-aa"]')
FEW = ["training.updates=4", "training.evaluate_every=4", "training.dev_sentences=4", "optimizer.warmup=0"]
QUICK = [*FEW, "data.dev={}"]  # nothing to tune an export on, which takes most of its time
LINES = 150
MONOLINGUAL = '[[data.monolingual]]\nlanguage = "bb"\npath = "more.bb"\nheld_out = ["held.bb"]\n[data.dev'


def write_recipes(folder: Path, *teachers: str) -> Path:
    """Corpora, a recipe of a teacher, and that of a student, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder, "train", LINES, 1)
    write_corpus(folder, "dev", 3, 2)
    (folder / "teacher.toml").write_text(TEACHER, encoding="utf-8")
    entries = teachers or ('recipe = "teacher.toml"\n' + overrides_line(*QUICK),)
    path = folder / "student.toml"
    tables = "".join(f"[[teachers]]\n{entry}\n" for entry in entries)
    path.write_text(RECIPE.replace('"toy"', '"student"', 1) + tables, encoding="utf-8")
    return path


def overrides_line(*overrides: str) -> str:
    return f"overrides = {json.dumps(overrides)}\n"
