"""The page of the recurrent families: its table is made from results, never typed."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from data.errors import UserError

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "families.md"
sys.path.append(str(ROOT / "benchmarks"))
report, benchmark = (importlib.import_module(name) for name in ("family_report", "families"))


def made() -> str:
    """What stands between the page's comments."""
    return PAGE.read_text(encoding="utf-8").partition(report.BEGIN)[2].partition(report.END)[0]


def test_the_table_is_that_of_the_results_it_names() -> None:
    (name,) = re.findall(r"`benchmarks/results/([^`]+)`", made())
    tree = json.loads((ROOT / "benchmarks" / "results" / name).read_text(encoding="utf-8"))
    assert made().strip("\n") == report.block(tree, name, "families.png")
    assert made().count("\n| ") == len(tree["families"]) + 2


def test_refreshing_changes_nothing_around_the_table(tmp_path: Path) -> None:
    page, text = tmp_path / "page.md", PAGE.read_text(encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    row = {"parameters": 1_500_000, "hidden": [0, 7], "seconds": 9, "updates": 1234, "tokens_per_second": 5678}
    scores = {"bleu, greedy": 1.26, "bleu, beam 5": 2.0, "ms_per_sentence": 3.0}
    tree = json.loads((ROOT / "benchmarks" / "results" / "2026-11-23-families.json").read_text(encoding="utf-8"))
    report.refresh(page, {**tree, "families": {"Mine": {**row, **scores}}}, Path("mine.json"))
    found = page.read_text(encoding="utf-8")
    assert "| Mine | 1.50 | -, 7 | 9 | 1,234 | 5,678 | 1.3 | 2.0 | 3.0 |" in found
    assert "`benchmarks/results/mine.json`" in found
    for part in (0, 2):
        assert (
            found.partition(report.BEGIN)[part].partition(report.END)[part]
            == (text.partition(report.BEGIN)[part].partition(report.END)[part])
        )
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_page_without_a_place_for_the_table_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{report.BEGIN}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"page\.md needs a line '<!-- families: made"):
        report.refresh(page, {"families": {}}, Path("mine.json"))


def test_results_go_on_where_they_are_of_the_same_making_and_not_else(tmp_path: Path) -> None:
    output, facts = tmp_path / "results.json", {"minutes": 2.0, "git": {"commit": "a", "changed": False}}
    assert benchmark.begun(output, facts) == {"families": {}, **facts}
    tree = {"families": {benchmark.FIRST: {"seconds": 120}}, **facts}
    output.write_text(json.dumps(tree), encoding="utf-8")
    assert benchmark.begun(output, facts) == tree
    with pytest.raises(UserError, match=r"results\.json holds another comparison \(minutes differ\)"):
        benchmark.begun(output, {**facts, "minutes": 3.0})
    with pytest.raises(UserError, match="there is no folder"):
        benchmark.begun(tmp_path / "no" / "where.json", facts)


def test_every_family_is_as_large_as_the_first() -> None:
    """Within the step between two widths; a closed-form read-out is only as wide as its recipe says."""
    path = ROOT / "training" / "recipes" / "multi30k-en-de-teacher.toml"
    families, plain = benchmark.FAMILIES.items(), benchmark.PLAIN.split()
    recipes = {name: benchmark.load_recipe(path, [*plain, *words.split()]) for name, words in families}
    whole = benchmark.size_of(dataclasses.replace(recipes[benchmark.FIRST].model, vocabulary_size=5000))
    assert (
        benchmark.fitted(recipes[benchmark.FIRST], 5000, whole).model.decoder == recipes[benchmark.FIRST].model.decoder
    )
    sizes = {
        name: benchmark.size_of(benchmark.fitted(recipe, 5000, whole).model)
        for name, recipe in recipes.items()
        if recipe.training.method != "ridge"
    }
    assert len(sizes) == len(benchmark.FAMILIES) - 1
    assert {name: size for name, size in sizes.items() if abs(size / whole - 1) > 0.06} == {}
