import random
from collections import Counter

import pytest

from data.placeholders import shared, substitute

SYMBOLS = ("\ue000", "\ue001", "\ue002")


@pytest.mark.parametrize(
    ("source", "target", "spans"),
    [
        ("Im Jahr 2013 war es so.", "It was so in 2013.", ["2013"]),
        ("Es kostet 3,5 Euro um 10:30.", "It costs 3,5 euros at 10:30.", ["3,5", "10:30"]),
        ("Es kostet 3,5 Euro.", "It costs 3.5 euros.", []),
        ("Siehe https://example.org/a?b=1.", "See https://example.org/a?b=1.", ["https://example.org/a?b=1"]),
        ("请看https://example.org/a/。好", "See https://example.org/a/.", ["https://example.org/a/"]),
        ("写信给max@example.org吧", "Write to max@example.org", ["max@example.org"]),
        ("An max@example.org schreiben", "Write to max@example.org", ["max@example.org"]),
        ("Tom mag Boston.", "Tom likes Boston.", ["Tom", "Boston"]),
        ("Tom sah Tom.", "Tom saw Tom.", []),
        ("Tom sah ihn.", "Tom saw Tom.", []),
        ("In der Tat", "In fact", []),
        ("Gut 👍🏽", "Good 👍🏽", ["👍🏽"]),
        ("Wir haben 10 Katzen.", "We have 100 cats.", []),
        ("Der 10te", "The 10th", []),
        ("2013年，Tom是", "In 2013 Tom was", ["2013", "Tom"]),
    ],
)
def test_spans_that_stand_once_on_both_sides_are_shared(source: str, target: str, spans: list[str]) -> None:
    assert shared(source, target) == spans


@pytest.fixture
def one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither two symbols in a row nor another one at an end."""
    monkeypatch.setattr("data.placeholders.DOUBLED", 0.0)
    monkeypatch.setattr("data.placeholders.ADDED", 0.0)


@pytest.mark.usefixtures("one_each")
def test_both_sides_get_the_same_symbol_and_each_span_its_own() -> None:
    seen = set()
    for seed in range(50):
        source, target = substitute("Tom hat 5 Hunde.", "Tom has 5 dogs.", SYMBOLS, random.Random(seed), 1.0)
        name, number = source[0], source[6]
        assert source == f"{name} hat {number} Hunde."
        assert target == f"{name} has {number} dogs."
        assert name != number
        assert {name, number} <= set(SYMBOLS)
        seen.add((name, number))
    assert len(seen) == 6


def test_some_spans_become_two_symbols_in_a_row_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.placeholders.ADDED", 0.0)
    rows = 0
    for seed in range(400):
        source, target = substitute("Er hat 5 Hunde.", "He has 5 dogs.", SYMBOLS, random.Random(seed), 1.0)
        put = source.removeprefix("Er hat ").removesuffix(" Hunde.")
        assert target == f"He has {put} dogs."
        symbols = put.split(" ")
        assert len(set(symbols)) == len(symbols)
        rows += len(symbols) == 2
    assert 50 < rows < 110  # a fifth


def test_half_of_the_pairs_get_a_symbol_at_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.placeholders.DOUBLED", 0.0)
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(800):
        pair = substitute("Er geht!“", "He goes.", SYMBOLS[:1], random.Random(seed), 1.0)
        seen[pair] += 1
    s = SYMBOLS[0]
    ends = [
        (f"{s} Er geht!“", f"{s} He goes."),
        (f"Er geht {s}!“", f"He goes {s}."),
        (f"Er geht!“ {s}", f"He goes. {s}"),
        (f"Er geht {s}", f"He goes {s}"),
    ]
    assert seen.keys() == {("Er geht!“", "He goes."), *ends}
    assert 330 < seen["Er geht!“", "He goes."] < 470
    assert all(60 < seen[pair] < 140 for pair in ends)


def test_the_rate_is_that_of_pairs() -> None:
    rng = random.Random(1)
    changed = sum(substitute("Tom", "Tom", SYMBOLS, rng, 0.25) != ("Tom", "Tom") for _ in range(4000))
    assert 900 < changed < 1100
    assert substitute("Tom", "Tom", SYMBOLS, rng, 0.0) == ("Tom", "Tom")


@pytest.mark.usefixtures("one_each")
def test_too_few_symbols_leave_the_rest_as_it_is() -> None:
    source, target = substitute("1 2 3 4", "1 2 3 4", SYMBOLS, random.Random(1), 1.0)
    assert source == target
    assert sum(symbol in source for symbol in SYMBOLS) == 3
    assert sum(digit in source for digit in "1234") == 1
    assert substitute("1", "1", (), random.Random(1), 1.0) == ("1", "1")


def test_a_replaced_number_leaves_longer_numbers_alone() -> None:
    source, target = substitute("1 und 10", "1 and 100", SYMBOLS[:1], random.Random(1), 1.0)
    assert (source, target) == ("\ue000 und 10", "\ue000 and 100")
