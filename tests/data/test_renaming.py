import random
import re
from collections import Counter

import pytest

from data.prepared import Pair
from data.renaming import LONGEST, Names, genitive, glued, misspelled, renamed, shared, with_other_names


def german(source: str, target: str) -> Pair:
    return Pair("de", "en", source, target)


PAIRS = [
    german("Tom wohnt in Boston.", "Tom lives in Boston."),
    german("Toms Hund mag Tom.", "Tom's dog likes Tom."),
    german("Ist das dein Radio?", "Is that your radio?"),
    german("Radio hören", "Radio or television"),
    german("Am 3. August kommt Maria.", "On August 3, Mary comes."),
]


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [
        ("Tom wohnt in Boston.", "Tom lives in Boston.", ["Tom", "Boston"]),
        ("Das ist Toms Hund.", "That's Tom's dog.", ["Tom"]),
        ("Das ist Toms Hund.", "That’s Tom’s dog.", ["Tom"]),
        ("Tom sah Toms Hund.", "Tom saw Tom's dog.", ["Tom"]),
        ("Tom sah seinen Hund.", "Tom saw Tom's dog.", []),
        ("Paris ist schön.", "Paris is beautiful.", ["Paris"]),
        ("Maria schläft.", "Mary is asleep.", []),
        ("Am 3. August", "On August 3", []),
        ("Im August", "In August", ["August"]),
        ("Frag Jürgen-Peter", "Ask Jürgen-Peter", []),
        ("Auf Example.org", "At Example.org", []),
        ("Er ist EU-Bürger", "He is an EU citizen", []),
        ("你好", "Hello Tom", []),
        ("Ich bin da.", "", []),
    ],
)
def test_names_stand_equally_often_on_both_sides(source: str, target: str, names: list[str]) -> None:
    assert shared(german(source, target)) == names


def test_what_stands_in_small_letters_anywhere_is_no_name() -> None:
    assert Names(PAIRS).known == ["Boston", "Tom"]


def test_both_sides_get_the_same_new_names_genitives_too() -> None:
    names = Names(PAIRS)
    for seed in range(200):
        pair = with_other_names(
            german("Toms Hund mag Tom und Boston.", "Tom's dog likes Tom and Boston."), names, random.Random(seed)
        )
        match = re.fullmatch(r"(.+)'s dog likes \1 and (.+)\.", pair.target)
        assert match is not None
        assert pair.source == f"{genitive(match[1])} Hund mag {match[1]} und {match[2]}."


def test_new_names_are_of_all_kinds_and_mostly_made_up() -> None:
    names, rng = Names(PAIRS), random.Random(1)
    drawn = Counter(names.another(rng) for _ in range(3000))
    text = {*names.known, *names.words}
    assert drawn.keys() >= text
    made_up = sum(count for name, count in drawn.items() if name not in text)
    assert 0.5 < made_up / 3000 < 0.8
    assert all(name[0].isupper() and 2 < len(name) <= LONGEST for name in drawn)


def test_parts_and_letters_come_from_other_words() -> None:
    rng = random.Random(1)
    assert "Ber" + "mburg" in {glued("Berlin", "Hamburg", rng) for _ in range(500)}
    other = {misspelled("Berlin", ["Hamburg"], rng) for _ in range(500)}
    assert "Bermin" in other
    assert all(name[0] == "B" and len(name) == len("Berlin") for name in other)


@pytest.mark.parametrize(("name", "written"), [("Tom", "Toms"), ("Hans", "Hans'"), ("Strauß", "Strauß'")])
def test_german_genitives(name: str, written: str) -> None:
    assert genitive(name) == written


def test_names_are_made_of_each_other_where_all_words_are_long() -> None:
    pair = german("Massachusetts!", "Massachusetts!")
    found = {renamed([pair], 1.0, random.Random(seed))[0] for seed in range(50)}
    assert len(found) > 20
    assert all(one.source == one.target for one in found)


def test_the_asked_share_of_pairs_gets_other_names() -> None:
    pairs = [PAIRS[0]] * 4000 + [PAIRS[2]] * 1000
    changed = [a != b for a, b in zip(pairs, renamed(pairs, 0.25, random.Random(1)), strict=True)]
    assert 0.2 < sum(changed[:4000]) / 4000 < 0.3
    assert not any(changed[4000:])


@pytest.mark.parametrize(("pairs", "rate"), [(PAIRS, 0.0), ([PAIRS[2]], 1.0), ([], 1.0)])
def test_without_a_rate_or_names_nothing_changes_and_nothing_is_drawn(pairs: list[Pair], rate: float) -> None:
    rng = random.Random(1)
    assert renamed(pairs, rate, rng) == pairs
    assert rng.getstate() == random.Random(1).getstate()


PLACES = [german("München", "Munich"), german("Wien", "Vienna"), german("Boston", "Boston"), german("Rom", "Rome")]


def names_put(source: str, target: str, draws: int = 300) -> set[tuple[str, str]]:
    """Both sides of a pair with all of the names that it may get."""
    names, pair = Names(PAIRS, [PLACES]), german(source, target)
    made = (with_other_names(pair, names, random.Random(seed)) for seed in range(draws))
    return {(one.source, one.target) for one in made}


@pytest.mark.parametrize("place", PLACES)
def test_a_name_of_a_list_becomes_another_of_it_each_side_in_its_language(place: Pair) -> None:
    found = names_put(f"Ich wohne in {place.source}.", f"I live in {place.target}.")
    assert {(f"Ich wohne in {one.source}.", f"I live in {one.target}.") for one in PLACES} <= found
    assert not any("Wien" in target or "Munich" in source for source, target in found)


def test_a_name_of_a_list_now_and_then_becomes_a_made_up_one() -> None:
    names, pair = Names(PAIRS, [PLACES]), german("Ich wohne in München.", "I live in Munich.")
    made = [with_other_names(pair, names, random.Random(seed)) for seed in range(1000)]
    drawn = Counter((one.source.removeprefix("Ich wohne in "), one.target.removeprefix("I live in ")) for one in made)
    listed = {(f"{one.source}.", f"{one.target}.") for one in PLACES}
    assert all(left == right for left, right in drawn.keys() - listed)
    assert 0.7 < sum(count for pair, count in drawn.items() if pair in listed) / 1000 < 0.85


def test_genitives_of_listed_names_and_the_other_way_round() -> None:
    assert ("Wiens Straßen", "Vienna's streets") in names_put("Münchens Straßen", "Munich's streets")
    names = Names(PAIRS, [PLACES])
    pair = Pair("en", "de", "Munich's streets", "Münchens Straßen")
    made = {with_other_names(pair, names, random.Random(seed)) for seed in range(300)}
    assert pair._replace(source="Vienna's streets", target="Wiens Straßen") in made


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Ich wohne in München.", "I live there."),
        ("Münchner Bier", "Munich beer"),
        ("Er isst in Rom.", "He eats in rum."),
    ],
)
def test_a_listed_name_on_one_side_alone_stays(source: str, target: str) -> None:
    assert names_put(source, target) == {(source, target)}


def test_lists_of_other_languages_change_nothing() -> None:
    french = [Pair("fr", "en", "Vienne", "Vienna"), Pair("fr", "en", "Londres", "London")]
    pair = german("Ich bin in Wien.", "I am in Vienna.")
    assert with_other_names(pair, Names(PAIRS, [french]), random.Random(1)) == pair


def test_lists_are_of_use_where_no_pair_shares_a_name() -> None:
    pairs = [german("Ich wohne in München.", "I live in Munich.")] * 20
    found = set(renamed(pairs, 1.0, random.Random(1), [PLACES]))
    assert found <= {german(f"Ich wohne in {one.source}.", f"I live in {one.target}.") for one in PLACES}
    assert len(found) > 2
