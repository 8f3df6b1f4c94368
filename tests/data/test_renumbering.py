import random
import re
from collections import Counter

import pytest

from data.prepared import Pair
from data.renumbering import JOINED, joined, numbers_of, other, renumbered, suffix, with_others


def german(source: str, target: str) -> Pair:
    return Pair("de", "en", source, target)


@pytest.mark.parametrize(
    ("source", "target", "shared"),
    [
        ("Ich habe 15 Hunde.", "I have 15 dogs.", {("15",): True}),
        ("Ich habe drei Hunde.", "I have three dogs.", {("3",): False}),
        ("Drei Hunde", "Three dogs", {("3",): False}),
        ("Ich bin 30.", "I am thirty.", {("30",): False}),
        ("Es ist 2.30 Uhr.", "It's 2:30.", {("2", "30"): True}),
        ("Am 20. Oktober 1995", "On October 20th, 1995", {("20",): True, ("1995",): True}),
        ("Es kostet 1.250,50 Euro.", "It costs 1,250.50 euros.", {("1", "250", "50"): True}),
        ("Einer von drei bis drei", "One from three to three", {}),
        ("Um halb drei", "At 2:30", {("2", "30"): False}),
        ("Um halb eins", "At half past twelve", {("12", "30"): False}),
        ("Um halb 10 Uhr", "At half past nine", {("9", "30"): False}),
        ("Um halb zwanzig", "At 7:30", {}),
        ("viertel vor drei", "2:45", {}),
        ("eine halb 10.5 Meter", "half past 10.5 meters", {("10", "5"): True}),
        ("fünfunddreißig", "thirty-five", {}),
        ("Gib acht!", "Take care!", {}),
        ("A4 und 5x", "A4 and 5x", {}),
    ],
)
def test_numbers_that_stand_once_on_both_sides_are_shared(source: str, target: str, shared: dict[object, bool]) -> None:
    assert numbers_of(german(source, target)).shared == shared


def test_languages_without_known_words_share_digits() -> None:
    assert numbers_of(Pair("xx", "yy", "a 15 zwei", "b 15 two")).shared == {("15",): True}


def test_numbers_touch_words_where_nobody_parts_these() -> None:
    pair = Pair("zh", "en", "在2013年12月5日有30人", "On the 5th of December 2013, 30 people")
    assert numbers_of(pair).shared == {("2013",): True, ("5",): True, ("30",): True}


def test_both_sides_get_the_same_new_numbers_each_with_its_own_marks() -> None:
    for seed in range(200):
        pair = german("Am 20. Oktober 1995 um 2.30 Uhr, drei Leute", "At 2:30 on October 20th, 1995: three people")
        source, target = with_others(numbers_of(pair), random.Random(seed))[2:]
        left = re.fullmatch(r"Am (\d+)\. Oktober (\d+) um (\d+)\.(\d\d) Uhr, (\d+) Leute", source)
        right = re.fullmatch(r"At (\d+):(\d\d) on October (\d+)(st|nd|rd|th), (\d+): (\d+) people", target)
        assert left is not None
        assert right is not None
        assert left.group(1, 2, 3, 4, 5) == right.group(3, 5, 1, 2, 6)
        day, year, hour, minute, _ = map(int, left.groups())
        assert 2 <= day <= 31
        assert 1 <= hour <= 12
        assert 0 <= minute <= 59
        assert 1000 <= year <= 9999
        assert right[4] == suffix(day)


def test_every_number_of_a_kind_comes_up_and_none_that_wants_another_grammar() -> None:
    rng = random.Random(1)
    days = Counter(other(("7",), True, rng)[0] for _ in range(4000))
    words = {int(other(("3",), False, rng)[0]) for _ in range(4000)}
    assert set(days) == {str(day) for day in range(2, 32)}
    assert min(words) == 2
    assert max(words) > 900
    assert {other(("1",), True, rng), other(("0",), True, rng)} == {("1",), ("0",)}
    assert all(len(other(("007",), True, rng)[0]) == 3 for _ in range(50))
    assert all(13 <= int(other(("15", "30"), True, rng)[0]) <= 23 for _ in range(50))
    assert {len(other(("05", "30"), True, rng)[0]) for _ in range(50)} == {2}


def test_ordinals_of_several_groups_follow_the_last_one() -> None:
    numbers = numbers_of(german("Vielfache von 1/16", "multiples of 1/16th"))
    drawn = [with_others(numbers, random.Random(seed)) for seed in range(50)]
    written = [re.fullmatch(r"multiples of (\d+/(\d+))(st|nd|rd|th)", pair.target) for pair in drawn]
    assert all(match and match[3] == suffix(int(match[2])) for match in written)
    assert [pair.source for pair in drawn] == [f"Vielfache von {match[1]}" for match in written if match]


def test_numbers_that_are_not_shared_stay() -> None:
    pair = with_others(numbers_of(german("3 von 20, viertel vor 5", "3 of 20, 4:45")), random.Random(3))
    assert pair.source.endswith(", viertel vor 5")
    assert pair.target.endswith(", 4:45")
    assert pair.source != "3 von 20, viertel vor 5"


def test_half_hours_stay_half_hours() -> None:
    hours = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    stunden = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"]
    seen = set()
    for seed in range(100):
        numbers = numbers_of(german("Um halb drei", "At half past two"))
        source, target = with_others(numbers, random.Random(seed))[2:]
        before = hours.index(target.removeprefix("At half past "))
        assert source == f"Um halb {stunden[(before + 1) % 12]}"
        clock = with_others(numbers_of(german("Um halb 3", "At 2:30")), random.Random(seed))
        assert (clock.source, clock.target) == (f"Um halb {(before + 1) % 12 + 1}", f"At {before + 1}:30")
        seen.add(before)
    assert seen == set(range(12))


@pytest.mark.parametrize(
    ("number", "written"), [(1, "st"), (2, "nd"), (3, "rd"), (4, "th"), (11, "th"), (12, "th"), (13, "th"), (22, "nd")]
)
def test_ordinals_have_their_suffix(number: int, written: str) -> None:
    assert suffix(number) == written


def test_the_asked_share_of_pairs_gives_way_to_pairs_with_numbers() -> None:
    plain = [german(f"Satz {'a' * i}.", f"Sentence {'a' * i}.") for i in range(2000)]
    pairs = [*plain, german("Um 7 Uhr", "At 7 o'clock")]
    anew = renumbered(pairs, 0.1, random.Random(1))
    changed = [one for one, before in zip(anew, pairs, strict=True) if one is not before]
    assert 160 < len(changed) < 240
    assert all("Um " in pair.source and "At " in pair.target for pair in changed)
    twice = sum(pair.source.count("Um ") == pair.target.count("At ") == 2 for pair in changed)
    assert abs(twice / len(changed) - JOINED) < 0.1


def test_dates_come_more_often_than_words() -> None:
    pairs = [german("Um 7 Uhr um halb 5", "At 7 at 4:30"), german("zwei Leute", "two people")] * 1000
    anew = renumbered(pairs, 1.0, random.Random(1))
    dates = sum(pair.source.startswith("Um") for pair in anew)
    assert abs(dates / len(anew) - 7 / 8) < 0.05


def test_pairs_of_other_languages_are_not_joined() -> None:
    pairs = [german("Um 7 Uhr", "At 7 o'clock"), Pair("fr", "en", "A 7 heures", "By 7")]
    for seed in range(100):
        for pair in renumbered(pairs, 1.0, random.Random(seed)):
            first, second = ("Um", "At") if pair.source_language == "de" else ("A", "By")
            assert set(re.findall("Um|A", pair.source)) == {first}
            assert set(re.findall("At|By", pair.target)) == {second}


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_without_a_rate_or_numbers_nothing_changes_and_nothing_is_drawn(rate: float) -> None:
    pairs = [german("Um 7 Uhr", "At 7 o'clock")] if rate == 0 else [german("Hallo", "Hello")]
    rng = random.Random(1)
    assert renumbered(pairs, rate, rng) == pairs
    assert rng.random() == random.Random(1).random()


@pytest.mark.parametrize(("word", "number"), [("ſechs", "6"), ("DREI", "3"), ("dreı", "3"), ("ZWEİ", "2")])
def test_letters_that_are_alike_in_capitals_are_read_alike(word: str, number: str) -> None:
    assert list(numbers_of(german(f"{word} Tage", f"{number} days")).shared) == [(number,)]
    assert list(numbers_of(german("Um halb ſieben", "At 6:30")).shared) == [("6", "30")]


def test_two_sentences_are_joined_as_their_languages_do() -> None:
    pairs = Pair("zh", "en", "有30人。", "There are 30."), Pair("zh", "en", "他5岁。", "He is 5.")
    found = {joined(*pairs, random.Random(seed))[2:] for seed in range(30)}
    assert found == {pairs[0][2:], ("有30人。他5岁。", "There are 30. He is 5.")}
