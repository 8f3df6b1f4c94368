"""Times of day, from one language's clock to the other's."""

from __future__ import annotations

import pytest

from data.clock import Clock, of_english, of_german, reader, rendered_times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The train leaves at 10 p.m.", "The train leaves at 22:00."),
        ("Meet me around 6pm at the station.", "Meet me around 18:00 at the station."),
        ("It is open from 9 a.m. to 6 p.m. daily", "It is open from 9:00 to 18:00 daily"),
        ("We are open 9–5 PM.", "We are open 9:00–17:00."),
        ("Come from 2 to 4 p.m., please", "Come from 14:00 to 16:00, please"),
        ("between 11 and 1 p.m. or so", "between 11:00 and 13:00 or so"),
        ("11 p.m. to 1 a.m. and later", "23:00 to 1:00 and later"),
        ("at 2:30 pm, at 5.15 a. m. and at 12:05 AM", "at 14:30, at 5:15 and at 0:05"),
        ("12 p.m. is noon, 12 a.m. is midnight", "12:00 is noon, 0:00 is midnight"),
        ('She said, "at 10 p.m."', 'She said, "at 22:00."'),
        ("Monday at 10 p.m. or never", "Monday at 22:00 or never"),
        ("Open 9 a.m.–6 p.m.", "Open 9:00–18:00"),
        ("10 p.m.", "22:00"),
        ("The shows are at 2, 4 and 6 p.m. today", "The shows are at 14:00, 16:00 and 18:00 today"),
        ("It is open 9-12, 1-5 p.m. on weekdays", "It is open 9:00-12:00, 13:00-17:00 on weekdays"),
        ("Practice 5-7pm, happy hour 4–6 PM", "Practice 17:00-19:00, happy hour 16:00–18:00"),
        ("Mon-Fri 9-12 & 2-6 p.m.", "Mon-Fri 9:00-12:00 & 14:00-18:00"),
        ("Call me at 5pm/6pm.", "Call me at 17:00/18:00."),
        ("7 PM: dinner", "19:00: dinner"),
        ("It starts at 2 p.m and ends at 4 p.m.", "It starts at 14:00 and ends at 16:00."),
        ("He called at 5 p.m. John was out.", "He called at 17:00. John was out."),
        ("It is 3 p.m. I am tired.", "It is 15:00. I am tired."),
        ("We land at 5 p.m. London time", "We land at 17:00 London time"),
        ("We land at 5 p.m. EST on Friday", "We land at 17:00 EST on Friday"),
        ("Saturday, June 3 – 7:30 p.m.", "Saturday, June 3 – 19:30"),
        ("We meet on May 5 - 7 p.m. at my place.", "We meet on May 5 - 19:00 at my place."),
        ("We need a table for 4 until 9 p.m.", "We need a table for 4 until 21:00."),
        ("I read chapter 3 until 2 a.m.", "I read chapter 3 until 2:00."),
        ("It is half past 5 p.m., a quarter to 5 p.m. here", "It is 17:30, 16:45 here"),
        ("at Quarter past 12 a.m. and from half past 11am", "at 0:15 and from 11:30"),
        ("It's ten minutes to 1 a.m. already.", "It's 0:50 already."),
        ("It's five past midnight. At 7 past 12 p.m. it rained", "It's five past midnight. At 12:07 it rained"),
        ("It is twenty five past 1 p.m., after half-past 1:00 p.m.", "It is 13:25, after 13:30."),
        ("At fıve past 5 p.m. and at twenty-two past 1 p.m.", "At fıve past 17:00 and at twenty-two past 13:00."),
        ("An hour and a half after 5 p.m. it rained", "An hour and a half after 5 p.m. it rained"),
        ("In the quarter before 4 p.m. the market fell", "In the quarter before 16:00 the market fell"),
        ("an hour and a quarter after 4 p.m. or so", "an hour and a quarter after 16:00 or so"),
        ("Happy hour is 5 to 7 p.m. daily", "Happy hour is 5 to 19:00 daily"),
        ("A surcharge of $5 past 9 p.m. applies", "A surcharge of $5 past 21:00 applies"),
        ("No one under 21 past 9 p.m. is admitted", "No one under 21 past 21:00 is admitted"),
        ("It was moved forward by 30 minutes to 5 p.m. today", "It was moved forward by 30 minutes to 17:00 today"),
        ("two hours and twenty minutes past 3 p.m. on", "two hours and twenty minutes past 15:00 on"),
        ("It is 5 to 6 p.m.", "It is 17:55."),
        ("Open 5 to 6 p.m., work is 9 to 5 p.m. here", "Open 17:00 to 18:00, work is 9 to 17:00 here"),
        ("Come 10 minutes before 6 p.m. or after 9 p.m.", "Come 10 minutes before 18:00 or after 21:00."),
        ("It is past 5 p.m. now", "It is past 17:00 now"),
    ],
)
def test_english_times_are_counted_through(text: str, expected: str) -> None:
    assert of_english(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "at 13 p.m. or 0 a.m.",
        "It costs $5 pm",
        "at 10 o'clock, 10 pmol, 5 amps",
        "The number is 3 am I right? The answer is 3 am sure",
        "I listen to 10 AM radio stations.",
        "It is half past 13 p.m., half to 5 past",
        "fıve past 13 p.m., half-past 5 of it",
        "version 1.10 of Tuesday",
        "",
    ],
)
def test_what_is_no_english_time_stays(text: str) -> None:
    assert of_english(text) == Clock(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Der Zug fährt um 22 Uhr ab.", "Der Zug fährt um 22:00 Uhr ab."),
        ("Mo–Fr 9–18 Uhr, Sa 10–14 Uhr", "Mo–Fr 9:00–18:00 Uhr, Sa 10:00–14:00 Uhr"),
        ("von 9 bis 18.30 Uhr", "von 9:00 bis 18:30 Uhr"),
        ("von 9 Uhr bis 18 Uhr", "von 9:00 Uhr bis 18:00 Uhr"),
        ("zwischen 14 und 16 Uhr", "zwischen 14:00 und 16:00 Uhr"),
        ("Züge fahren um 14, 16 und 18 Uhr.", "Züge fahren um 14:00, 16:00 und 18:00 Uhr."),
        ("Mo 8–12/14–18 Uhr", "Mo 8:00–12:00/14:00–18:00 Uhr"),
        ("Der Film läuft 15:00, 17.30 und 20:15 Uhr.", "Der Film läuft 15:00, 17.30 und 20:15 Uhr."),
        ("Der Film läuft 15:00, 17:30 und 20:15 Uhr.", "Der Film läuft 15:00, 17:30 und 20:15 Uhr."),
        ("Training 17-19 Uhr, Klasse 5-7, 14 Uhr", "Training 17:00-19:00 Uhr, Klasse 5-7, 14:00 Uhr"),
        ("Mo-Fr 9-12 u. 14-18 Uhr", "Mo-Fr 9:00-12:00 u. 14:00-18:00 Uhr"),
        ("Um 9.30 Uhr beginnt es, um 12.30 Uhr", "Um 9:30 Uhr beginnt es, um 12:30 Uhr"),
        ("10.30-12.00 Uhr", "10:30-12:00 Uhr"),
        ("Um 1 Uhr nachts, 8 Uhr früh, 12 Uhr nachts", "Um 1:00 Uhr, 8:00 Uhr, 0:00 Uhr"),
        ("Um 11 Uhr in der Nacht, um 10 Uhr vormittags", "Um 23:00 Uhr, um 10:00 Uhr"),
        ("um 20 Uhr 15.", "um 20:15 Uhr."),
        ("Um 17 Uhr 43 fährt der letzte Zug.", "Um 17:43 Uhr fährt der letzte Zug."),
        ("Es wurden um 18 Uhr 12 leicht verletzt", "Es wurden um 18:00 Uhr 12 leicht verletzt"),
        ("Um 20 Uhr 15 sind wir da", "Um 20:15 Uhr sind wir da"),
        (
            "Um 20 Uhr 15 wollen wir los, um 22 Uhr 5 junge Leute",
            "Um 20:15 Uhr wollen wir los, um 22:00 Uhr 5 junge Leute",
        ),
        ("um 20 uhr, um 18 UHR 30", "um 20:00 uhr, um 18:30 UHR"),
        ("Von 9 bis 18Uhr", "Von 9:00 bis 18:00 Uhr"),
        ("um 0 Uhr und um 24 Uhr", "um 0:00 Uhr und um 24:00 Uhr"),
        ("der 18-Uhr-Zug", "der 18:00-Uhr-Zug"),
        ("25 Uhr und 18 Uhr", "25 Uhr und 18:00 Uhr"),
        ("um 18 Uhr 30 Leute", "um 18:00 Uhr 30 Leute"),
        ("ab 18 Uhr 12 verschiedene Weine", "ab 18:00 Uhr 12 verschiedene Weine"),
        ("18 Uhr: Treffen", "18:00 Uhr: Treffen"),
        ("Heute Abend um 8 Uhr, nicht um 20:30 Uhr", "Heute Abend um 8 Uhr, nicht um 20:30 Uhr"),
        ("Bitte Übung 3 bis 18 Uhr abgeben.", "Bitte Übung 3 bis 18:00 Uhr abgeben."),
        ("Raum 12 – 18 Uhr: Vortrag", "Raum 12 – 18:00 Uhr: Vortrag"),
    ],
)
def test_german_times_are_spelled_in_full(text: str, expected: str) -> None:
    assert of_german(text).text == expected


@pytest.mark.parametrize("text", ["um 9 Uhr und 11:30 Uhr", "zwei Uhren für 20 Euro", "30 Uhr", "Nr. 18 Uhrwerk", ""])
def test_german_texts_without_a_time_after_noon_stay(text: str) -> None:
    assert of_german(text) == Clock(text)


def test_what_is_to_be_kept_stays() -> None:
    assert of_german("Bei x.de/18 Uhr um 22 Uhr", [(4, 15)]).text == "Bei x.de/18 Uhr um 22:00 Uhr"
    assert of_english("at `10 p.m.` or 11 p.m. now", [(3, 12)]).text == "at `10 p.m.` or 23:00 now"


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("um 22 Uhr", "The train leaves at 22:00.", "The train leaves at 10 p.m."),
        ("um 21 Uhr", "It's 21:00 o'clock.", "It's 9 p.m."),
        ("um 22 Uhr", "At 22:00 p.m. it rained...", "At 10 p.m. it rained..."),
        ("Mo 9–18 Uhr", "Mon 9:00–18:00", "Mon 9 a.m.–6 p.m."),
        ("12 bis 14.30 Uhr", "12:00 to 14:30", "Noon to 2:30 p.m."),
        ("0.15 Uhr bis 24 Uhr", "from 0:15 to 24:00", "from 12:15 a.m. to midnight"),
        ("18 Uhr: Treffen", "18:00: meeting", "6 p.m.: meeting"),
        ("heute Abend um 8 Uhr, um 20:30 Uhr", "at 8 tonight, at 20:30", "at 8 tonight, at 8:30 p.m."),
        ("um 22 Uhr", "It is 122:00, 22:00:10 or 1.22:00", "It is 122:00, 22:00:10 or 1.22:00"),
        ("14:30 Minuten, um 14:30 Uhr", "14:30 minutes, at 14:30", "14:30 minutes, at 14:30"),
        ("", "at 22:00", "at 22:00"),
    ],
)
def test_times_are_written_as_english_has_them(source: str, translation: str, expected: str) -> None:
    assert rendered_times(translation, of_german(source), "en") == expected


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("at 10 p.m.", "um 22:00 Uhr", "um 22 Uhr"),
        ("at 10:30 p.m.", "um 22:30 Uhr", "um 22:30 Uhr"),
        ("from 9 a.m. to 6 p.m.", "von 9:00 bis 18:00 Uhr", "von 9 bis 18 Uhr"),
        ("from 9 a.m. to 6:30 p.m.", "von 9:00 bis 18:30 Uhr", "von 9:00 bis 18:30 Uhr"),
        ("at 2, 4 and 6 p.m.", "um 14:00, 16:00 und 18:00 Uhr", "um 14, 16 und 18 Uhr"),
        ("at 10 p.m.", "Es ist 22:00.", "Es ist 22:00."),
        ("9 a.m.–6 p.m.", "9:00–18:00", "9–18 Uhr"),
        ("9:30 PM - 11 PM", "21:30 - 23:00", "21:30 - 23 Uhr"),
    ],
)
def test_times_are_written_as_german_has_them(source: str, translation: str, expected: str) -> None:
    assert rendered_times(translation, of_english(source), "de-AT") == expected


def test_only_languages_whose_clocks_differ_are_read() -> None:
    assert reader("en-GB", "de") is of_english
    assert reader("de", "en") is of_german
    assert reader("en", "fr") is reader("de", "fr") is None


def test_times_of_other_words_are_remembered_as_they_stood_there() -> None:
    assert of_english("at 5 pm, 5pm, 10:30 p.m.").read == (("17:00", "5 pm"), ("22:30", "10:30 p.m."))
    assert of_german("um 17 Uhr 45 am 3.5.").read == (("17:45 Uhr", "17 Uhr 45"), ("3. Mai", "3.5."))
