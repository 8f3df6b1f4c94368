"""Numbers in the target language's way of writing."""

import re

import pytest

from data.numbers import NUMBER, left, missing, rendered


def carried(text: str, source: str, target: str) -> list[str | None]:
    return [rendered(match, source, target) for match in re.finditer(NUMBER, text)]


@pytest.mark.parametrize(
    ("text", "source", "target", "expected"),
    [
        ("Es kostet 1.250.000 Euro.", "de", "en", ["1,250,000"]),
        ("Es kostet 12.345,67 Euro.", "de", "en", ["12,345.67"]),
        ("It costs 12,345.67 euros.", "en", "de", ["12.345,67"]),
        ("It costs 12,345.67 euros.", "en-GB", "fr", ["12 345,67"]),
        ("Il y a 12 345,67 euros.", "fr", "en", ["12,345.67"]),
        ("Es waren 100 000 Menschen da.", "de", "en", ["100,000"]),
        ("Es sind -0,5 Grad.", "de", "en", ["-0.5"]),
        ("12,5% oder 3,75%", "de", "zh_Hans", ["12.5", "3.75"]),
        ("It is 3.5 miles.", "en", "de", ["3,5"]),
        ("It runs on Python 3.11.", "en", "de", ["3.11"]),  # a version
        ("Use version 2.0 or v 2.1.", "en", "de", ["2.0", "2.1"]),
        ("10.000-20.000 Leute, 1,5-2 Liter", "de", "en", ["10,000-20,000", "1.5-2"]),
        ("Nr.1.250 ist -1.250", "de", "en", ["1.250", "-1,250"]),
        ("Im Jahr 2020 100 Leute", "de", "en", [None, "100"]),
        ("Add 2.5kg of flour", "en", "de", ["2,5"]),  # no version, though a word with a capital stands before it
        ("Er trinkt 1.5 Liter für 3.50 Euro.", "de", "en", ["1.5", "3.50"]),  # as many write
        ("Das kostet 1.250,50EUR, 12.500EUR", "de", "en", ["1,250.50", "12,500"]),
        ("Es hat 1.200m² und 120,5m²", "de", "en", ["1,200", "120.5"]),
        ("Das macht 29,- Euro oder 1.250,-- €", "de", "en", ["29", "1,250"]),
        ("Nur 9,– € oder Fr. 20.-", "de", "en", ["9", "20"]),
        ("Das kostet 1 250 € oder 12 000 Stunden", "de", "en", ["1,250", "12,000"]),
        ("Rufen Sie 555 123 456 an, Code 123 456.", "de", "en", ["555 123 456", "123 456"]),
        ("Call me at 555 123 456.", "en", "de", ["555 123 456"]),
        ("Over 2.5 million, USD 21.63, About 1.5 hours", "en", "de", ["2,5", "21,63", "1,5"]),
        ("sections 4.2 and 4.3, Fig. 2.3, iOS 17.2", "en", "de", ["4.2", "4.3", "2.3", "17.2"]),
        ("He scored 3.2 points. I paid 2.50 for it.", "en", "de", ["3,2", "2,50"]),
        ("Art.-Nr. 123.456, Kundennummer: 12.345, 1.250,50 Euro", "de", "en", ["123.456", "12.345", "1,250.50"]),
        ("1 1/2 tsp. and 2 1/4 cups", "en", "de", ["1 1/2", "2 1/4"]),
        ("12 000 people", "en", "de", ["12.000"]),
        ("Call 555 123 4567", "en", "de", ["555 123 4567"]),  # no thousands, whose groups are all alike
    ],
)
def test_large_and_broken_numbers_are_written_anew(text: str, source: str, target: str, expected: list[str]) -> None:
    assert carried(text, source, target) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15342 Bücher", "15342"),
        ("Zimmer 4711", "4711"),
        ("am 24.12.2024.", "24.12.2024"),
        ("um 08:30 Uhr", "08:30"),
        ("die 007", "007"),
        ("Adresse 192.168.0.17", "192.168.0.17"),
        ("Ausgabe 3.11.2 ist da", "3.11.2"),
        ("Köln-50667", "50667"),
        ("2019-2023", "2019-2023"),
    ],
)
def test_long_and_odd_numbers_stay_as_they_are(text: str, expected: str) -> None:
    assert carried(text, "de", "en") == [expected]


@pytest.mark.parametrize("text", ["5 Hunde", "im Jahr 1998", "um 17:45 Uhr", "50%", "3-4 Tage", "1/2", "0"])
def test_small_numbers_years_and_times_are_left_to_the_network(text: str) -> None:
    assert carried(text, "de", "en") == [None]


def test_of_several_numbers_those_that_count_something_stay_as_they_are() -> None:
    assert carried("3 Bücher für 45 Euro", "de", "en") == ["3", "45"]
    assert carried("am 20. Oktober 2013 um 9 Uhr", "de", "en") == [None, None, "9"]
    assert carried("on October 20, 2013", "en", "de") == [None, None]
    assert carried("Er ist 25 Jahre alt", "de", "en") == [None]


@pytest.mark.parametrize("text", ["5km", "18te", "A4", "x1000000y"])
def test_parts_of_words_are_no_numbers(text: str) -> None:
    assert carried(text, "de", "en") == []


def test_who_writes_numbers_in_an_unknown_way_keeps_them() -> None:
    assert carried("12.345,67 und 5", "xx", "en") == ["12.345,67", None]
    assert carried("12.345,67 und 5", "de", "xx") == ["12.345,67", None]


@pytest.mark.parametrize(
    ("numbers", "translation", "lacking"),
    [
        (["3", "2021"], "On March 2021", ["3"]),
        (["3", "3"], "On March 2021", ["3"]),
        (["3", "30", "15"], "Three or thirty, FIFTEEN", []),
        (["35"], "thirty-five", ["35"]),
        (["08", "00"], "at 8 o'clock", []),
        (["17", "30"], "at 5:30 p.m.", []),
        (["5", "30"], "at 17:30", []),
        (["25"], "at 13", ["25"]),
        (["9" * 5000], "9" * 5000, []),
        ([], "in 2021", []),
    ],
)
def test_numbers_that_a_translation_lacks(numbers: list[str], translation: str, lacking: list[str]) -> None:
    assert missing(numbers, translation, "en") == lacking


def test_nobody_knows_the_words_of_every_language() -> None:
    assert missing(["3"], "kolme", "fi") == ["3"]


def test_an_hour_that_is_half_gone_is_no_number_to_carry_over() -> None:
    assert left("Um halb 8 am 3. Mai, Halb 10", "de") == ("3",)
    assert left("Um halb 8", "fr") == ("8",)
    assert carried("Um halb 8 für 3 Leute", "de", "en") == [None, "3"]
    match = re.search(NUMBER, "Um halb 8")
    assert match is not None
    assert rendered(match, "de", "en", carry="all") is None


def test_numbers_are_kept_or_left_as_told() -> None:
    for text, always in (("5 Hunde", False), ("1998", False), ("17:45", False), ("15342", True), ("4711", True)):
        match = re.search(NUMBER, text)
        assert match is not None
        assert rendered(match, "de", "en", carry="all") == match[0]
        assert rendered(match, "de", "en", carry="none") == (match[0] if always else None)
