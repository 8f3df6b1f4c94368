"""The corpora that come along: every line is a pair, and what is scored is not trained on."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest

from data.clean import candidate
from data.corpus import CorpusConfig, read
from data.monolingual import fingerprint
from data.normalize import normalize
from data.sides import other_language
from training.config import load_recipe

ROOT = Path(__file__).parents[2] / "training"
NAME = ("Bad Homburg v. d. H.", "Bad Homburg vor der Höhe")  # looks like German on both sides
CORPORA = sorted(path.name for path in (ROOT / "corpora").glob("*.tsv"))


@cache
def pairs(name: str) -> list[tuple[str, str]]:
    """German and English."""
    config = CorpusConfig(format="tsv", languages=("de", "en"), source=Path(name))
    found = [(line.source, line.target) for line in read(config, ROOT / "corpora")]
    return [(other, one) for one, other in found] if name.endswith(".en-de.tsv") else found


@pytest.mark.parametrize("name", CORPORA)
def test_every_line_is_a_normal_pair_that_stands_there_once(name: str) -> None:
    found = pairs(name)
    assert len(set(found)) == len(found)
    assert all(side and side == normalize(side) for pair in found for side in pair)


@cache
def fingerprints(name: str) -> set[tuple[int, str]]:
    """Of each side."""
    return {(side, fingerprint(pair[side])) for pair in pairs(name) for side in (0, 1)}


def test_no_side_is_in_the_other_language() -> None:
    found = [candidate(*pair, ("de", "en")) for name in CORPORA for pair in pairs(name)]
    wrong = other_language(random.Random(1).sample(found, 40_000))
    assert {(pair.source, pair.target) for pair in found if wrong(pair)} <= {NAME}


@pytest.mark.parametrize("name", [name for name in CORPORA if name.split(".")[0].endswith(("-dev", "-test"))])
def test_what_is_scored_is_in_no_other_corpus(name: str) -> None:
    assert all(fingerprints(name).isdisjoint(fingerprints(other)) for other in CORPORA if other != name)


def test_each_place_has_one_name_in_each_language() -> None:
    for side in zip(*pairs("places.de-en.tsv"), strict=True):
        assert len(set(side)) == len(side)


@pytest.mark.parametrize(
    "name", ["phrase-book.toml", "phrases-de-en.toml", "phrases-de-en-careless.toml", "phrases-de-en-senses-more.toml"]
)
def test_recipes_find_them_beside_themselves(name: str) -> None:
    data = load_recipe(ROOT / "recipes" / name, ["data.root=elsewhere"]).data
    ours = [corpus for corpus in (*data.train, *data.names, data.dev["requests"]) if corpus.root != Path()]
    assert all(path.is_file() for corpus in ours for path in corpus.files(data.root))
    assert [corpus.source.name for corpus in data.names] == ["places.de-en.tsv"]
