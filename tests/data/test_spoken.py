"""Times of day as people say them."""

from __future__ import annotations

import pytest

from data.clock import Clock, may_tell, of_english, of_german


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wir treffen uns um halb 8.", "Wir treffen uns um 7:30 Uhr."),
        ("Halb eins", "12:30 Uhr"),
        ("Um halb 10 Uhr kommt sie, um 15 Uhr geht sie.", "Um 9:30 Uhr kommt sie, um 15:00 Uhr geht sie."),
        ("halb 3 oder halb vier", "2:30 Uhr oder 3:30 Uhr"),
        ("fünf nach halb acht abends", "19:35 Uhr"),
        ("halb elf nachts, halb eins nachts, halb drei nachmittags", "22:30 Uhr, 0:30 Uhr, 14:30 Uhr"),
        ("halb acht morgens, halb zehn nachmittags", "7:30 Uhr, 9:30 Uhr nachmittags"),
        ("FÜNF NACH HALB ſieben", "6:35 Uhr"),
        ("zehn Minuten vor halb zwölf", "11:20 Uhr"),
    ],
)
def test_half_hours_of_german_are_put_in_digits(text: str, expected: str) -> None:
    assert may_tell(text)
    assert of_german(text).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See you at half past nine!", "See you at 9:30!"),
        ("It's half past 1.", "It's 1:30."),
        ("at fıve mınutes past sıx", "at 6:05"),
        ("a quarter to one", "12:45"),
        ("It's ten to nine already, at ten to nine.", "It's 8:50 already, at 8:50."),
        ("It is ten to five in London.", "It is 4:50 in London."),
        ("At half past nine p.m. the show starts.", "At 21:30 the show starts."),
        ("at ten minutes to eight", "at 7:50"),
        ("twenty-five past three o'clock", "3:25"),
        ("From half past 10 p.m. to quarter past twelve", "From 22:30 to 12:15"),
    ],
)
def test_times_of_english_that_are_counted_are_put_in_digits(text: str, expected: str) -> None:
    assert may_tell(text)
    assert of_english(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "deshalb acht, halb leer, halb 3.5 und halb dreißig",
        "Die Hälfte nach halb-acht",
        "halb zwei Stunden, halb drei Meter",
        "halb 13 und halb 0",
    ],
)
def test_what_is_no_half_hour_stays(text: str) -> None:
    assert of_german(text) == Clock(text)


@pytest.mark.parametrize(
    "text",
    [
        "It's 5 to 7 days by mail.",
        "Wages start at 10 to 12 dollars an hour.",
        "It was ten to one against him.",
        "It is five to six weeks old.",
        "It takes from ten to eight minutes.",
        "grew from a quarter to one third",
        "A quarter to ten people answered.",
        "half past 8:15",
        "half to one",
        "half past thirteen",
    ],
)
def test_what_is_no_counted_time_stays(text: str) -> None:
    assert of_english(text) == Clock(text)
