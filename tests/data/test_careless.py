"""Texts as people type them carelessly."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from data.careless import STYLES, dashed_off, mistyped, small, with_other_marks, without_accents, without_end

PAIR = ("Müller weiß nicht, ob's Straßen gibt.", "Müller doesn't know, whether there're any streets.")
GERMAN = ("de", "en")


def typed(count: int, rate: float = 1.0, pair: tuple[str, str] = PAIR) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """A pair, often, as it is read and written."""
    return list(zip(*dashed_off([pair] * count, [GERMAN] * count, rate, random.Random(1)), strict=True))


def test_what_is_read_is_careless_and_what_is_written_is_not() -> None:
    found = typed(2000)
    for read, written in found:
        assert written in (PAIR, tuple(side.removesuffix(".") for side in PAIR))
        for one, other in zip(read, written, strict=True):
            assert one.endswith(".") == other.endswith(".")
    left, right = (Counter(read[i] for read, _ in found) for i in (0, 1))
    assert min(len(left), len(right)) > 500
    texts = " ".join([*left, *right])
    for sign in ("mueller", "Mueller", "muller", "weiss", "Strassen", "doesnt", "obs", "nicht ob", "Müller"):
        assert sign in texts
    assert "Müler" not in texts  # both sides have this name, so it is to be copied


def test_so_many_pairs_are_careless_as_was_said_and_others_stay() -> None:
    for rate in (0.0, 0.3, 1.0):
        found = typed(3000, rate)
        plain = sum(read == PAIR for read, _ in found)
        assert plain >= 3000 * (1 - rate) - 150
        assert sum(written == PAIR for _, written in found) <= 3000 - 0.3 * rate * 3000
        assert plain < 3000 or not rate


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("Ja.", "Yes."), ("Ja", "Yes")),
        (("Ja?!", "Yes?!"), ("Ja", "Yes")),
        (("Ja!", "Yes."), ("Ja!", "Yes.")),
        (("Ja", "Yes."), ("Ja", "Yes.")),
        (("...", "..."), ("...", "...")),
    ],
)
def test_a_last_mark_goes_on_both_sides_or_on_none(pair: tuple[str, str], expected: tuple[str, str]) -> None:
    assert without_end(pair) == expected


def test_a_typing_error_is_one_letter_left_out_doubled_swapped_or_beside_its_key() -> None:
    found = Counter(mistyped("sagte", random.Random(seed)) for seed in range(2000))
    assert {"sgte", "saagte", "sgate", "ssgte", "sahte", "sagre", "satge"} <= found.keys()
    assert all(word[0] == "s" and word[-1] in "egt" for word in found)


def test_german_has_its_own_ways_without_umlauts() -> None:
    assert without_accents("Über Größe, Café", "de", dotless=False) == "Ueber Groesse, Cafe"
    assert without_accents("Über Größe, Café", "de", dotless=True) == "Uber Grosse, Cafe"
    assert without_accents("Über à ça", "fr", dotless=False) == "Uber a ca"
    for code in ("de_AT", "de-CH"):
        assert without_accents("Größe", code, dotless=False) == "Groesse"


def test_kana_stay_what_they_are() -> None:
    assert without_accents("ガードはパンを食べる, Café", "ja", dotless=False) == "ガードはパンを食べる, Cafe"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("İSTANBUL IŞIK", "tr", "istanbul ışık"),
        ("İSTANBUL IS", "en", "istanbul is"),
        ("Die ÄPFEL", "de", "die äpfel"),
    ],
)
def test_small_letters_are_as_many_as_large_ones(text: str, language: str, expected: str) -> None:
    assert small(text, language) == expected
    read = [one for one, _ in dashed_off([(text, "x")] * 300, [(language, "en")] * 300, 1.0, random.Random(1))[0]]
    assert expected in read
    assert not [one for one in read if "\u0307" in one]


def test_chosen_pairs_stay() -> None:
    read, written = dashed_off([PAIR] * 50, [GERMAN] * 50, 1.0, random.Random(1), range(0, 50, 2))
    assert read[::2] == written[::2] == [PAIR] * 25
    assert PAIR not in read[1::2] or read.count(PAIR) < 35


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Er sagt: "Ja", und „Nein“ - so.', "Er sagt: {}Ja{}, und {}Nein{} {dash} so."),
        ("It's 5\" long", 'It’s 5" long'),
        ("A-Z", "A-Z"),
    ],
)
def test_quotations_have_marks_of_any_kind(text: str, expected: str) -> None:
    found = {with_other_marks(text, random.Random(seed)) for seed in range(300)}
    assert found == {expected.format(*style * 2, dash=dash) for style in STYLES for dash in "-–—"}


def test_symbols_addresses_and_numbers_stay() -> None:
    kept = ("\ue001", "https://Example.com/Ü", "Max.Müller@Firma.de", "XK-2041-B", "MAX_VALUE", "3,50")
    pair = (f"Siehe {' '.join(kept)} Euro.", f"See {' '.join(kept)} euros.")
    for read, _ in typed(500, pair=pair):
        assert all(one in side for side in read for one in kept)


def test_an_empty_text_stays() -> None:
    assert dashed_off([("", "")], [GERMAN], 1.0, random.Random(1)) == ([("", "")], [("", "")])
