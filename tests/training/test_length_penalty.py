"""The length penalty of a bundle, and the length that its searches reward."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from models.bundle import read_bundle
from models.hypotheses import SearchOptions
from training.examples import Example
from training.export import searched
from training.length_penalty import GRID, candidates, largest_near_best, length_ratio, tune

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
WORDS = ["ba", "dei", "lo", "ka", "mo", "fa", "do", "go", "lei", "da"]


def sentences(count: int) -> list[str]:
    rng = random.Random(1)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(count)]


@pytest.mark.parametrize(("beam", "ratio"), [(1, 0.0), (3, 0.0), (5, 1.1)])
def test_a_penalty_chooses_among_candidates_what_a_search_with_it_finds(beam: int, ratio: float) -> None:
    bundle, texts = read_bundle(GOLDEN), sentences(40)
    network, example = bundle.network(), Example("toy dev", "aa-bb", texts, texts)
    with torch.no_grad():
        network.output_weight *= 0.5  # so that it is less sure, and its hypotheses differ in length
    found = candidates(network, bundle.tokenizer, example, SearchOptions(beam, length_ratio=ratio))
    chosen = {alpha: [one.best(alpha) for one in found] for alpha in GRID}
    for alpha in GRID:
        options = SearchOptions(beam, length_penalty=alpha, length_ratio=ratio)
        told = searched(network, bundle.tokenizer, example, options)
        assert [one.tokens for one in chosen[alpha]] == [one.tokens for one in told]
    differ = [one.tokens for one in chosen[min(GRID)]] != [one.tokens for one in chosen[max(GRID)]]
    assert differ is (beam > 1)


def test_without_dev_sets_the_penalty_is_one() -> None:
    bundle = read_bundle(GOLDEN)
    assert tune(bundle.network(), bundle.tokenizer, [], SearchOptions()) == 1.0


def test_among_equals_the_largest_length_penalty_is_taken() -> None:
    assert largest_near_best({0.0: 43.69, 0.6: 43.66, 0.8: 43.54, 1.0: 43.52}) == 0.6
    assert largest_near_best({0.6: 40.0, 1.0: 42.0, 1.4: 41.0}) == 1.0


def test_the_length_that_a_search_rewards_is_what_nine_of_ten_references_keep_to() -> None:
    tokenizer = read_bundle(GOLDEN).tokenizer
    words = len(tokenizer.encode_source("ba", "bb"))
    longer = len(tokenizer.encode("ba lo")) + 1
    usual, long, endless = "ba", "ba lo", " ".join(["ba"] * 50)

    def ratio(*references: str) -> float:
        return length_ratio(tokenizer, [Example("toy dev", "aa-bb", ["ba"] * len(references), list(references))])

    assert ratio(*[usual] * 10, endless) == round((len(tokenizer.encode("ba")) + 1) / words, 2)
    assert ratio(*[usual] * 8, *[long] * 2, endless) == round(longer / words, 2)
    assert length_ratio(tokenizer, []) == 0.0
