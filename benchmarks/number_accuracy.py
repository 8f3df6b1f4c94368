"""How many translations hold just the numbers of their source: days, years, times of day, quantities.

usage: python benchmarks/number_accuracy.py BUNDLE SOURCE TARGET

Each sentence below is translated with twenty draws of numbers. A translation is right when its groups of digits are
those of the source, in any order; full hours may do without :00, and 10 p.m. is 22. Prints JSON.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from slots import run

from data.numbers import DIGITS

FULL_HOUR = re.compile(r"[:.]00\b")
HALF_DAY = re.compile(r"(?<![\d.:])(1[0-2]|[1-9])([:.]\d\d)? ?([ap])\.m\b")
NOON, MIDNIGHT = re.compile(r"\b(?:12 )?noon\b|\bmittags\b"), re.compile(r"\b(?:12 )?midnight\b|\b24(?= uhr\b)")
MONTHS = {
    "de": ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
}
SLOTS: dict[str, Callable[[random.Random], object]] = {
    "day": lambda rng: rng.randrange(2, 32),
    "year": lambda rng: rng.randrange(1800, 2031),
    "time": lambda rng: f"{rng.randrange(6, 24)}:{rng.randrange(0, 60, 5):02}",
    "hour": lambda rng: rng.randrange(2, 24),
    "half": lambda rng: f"{rng.randrange(2, 12)} {rng.choice('ap')}.m.",
    "few": lambda rng: rng.randrange(2, 13),
    "some": lambda rng: rng.randrange(13, 100),
    "many": lambda rng: rng.randrange(100, 1000),
}
SENTENCES = {
    "de": (
        "Das Treffen ist am {day}. {month} {year} von {time} bis {time} Uhr.",
        "Ich wurde am {day}. {month} {year} geboren.",
        "Der Zug fährt um {time} Uhr von Gleis {few} ab.",
        "Wir haben {few} Katzen und {few} Hunde.",
        "Das Hotel hat {many} Zimmer.",
        "Vom {day}. bis zum {day}. {month} bin ich nicht da.",
        "Sie ist {some} Jahre alt und wiegt {some} Kilo.",
        "Der Laden ist von {time} bis {time} Uhr geöffnet.",
        "Im Jahr {year} lebten hier {many} Menschen.",
        "Lies bitte Seite {many}.",
        "Er wohnt in der Gartenstraße {some}.",
        "{some} Prozent der Schüler waren schon einmal im Ausland.",
        "Flug {many} landet um {time} Uhr.",
        "Wir haben {few} zu {few} gewonnen.",
        "Wir treffen uns am {day}. {month} um {time} Uhr in Zimmer {many}.",
        "Die Fahrt dauert {few} Stunden und {some} Minuten.",
        "Von {year} bis {year} wohnte er in Berlin.",
        "Das Angebot gilt bis zum {day}. {month} {year}.",
        "Ich brauche {few} Eier und {many} Gramm Zucker.",
        "Heute sind es {some} Grad.",
        "Er lief {some} Kilometer in {few} Stunden.",
        "Kapitel {few} beginnt auf Seite {many}.",
        "Das macht {some} Euro.",
        "Hast du den Bus um {time} Uhr genommen?",
        "Wir haben von {hour} bis {hour} Uhr geöffnet.",
        "Der Film beginnt um {hour} Uhr.",
    ),
    "en": (
        "The meeting is on {month} {day}, {year}, from {time} to {time}.",
        "I was born on {month} {day}, {year}.",
        "The train leaves at {time} from platform {few}.",
        "We have {few} cats and {few} dogs.",
        "The hotel has {many} rooms.",
        "I'll be away from {month} {day} to {month} {day}.",
        "She is {some} years old and weighs {some} kilos.",
        "The store is open from {time} to {time}.",
        "In {year}, {many} people lived here.",
        "Please read page {many}.",
        "He lives at {some} Garden Street.",
        "{some} percent of the students have been abroad before.",
        "Flight {many} lands at {time}.",
        "We won {few} to {few}.",
        "We'll meet on {month} {day} at {time} in room {many}.",
        "The trip takes {few} hours and {some} minutes.",
        "He lived in Berlin from {year} to {year}.",
        "The offer is valid until {month} {day}, {year}.",
        "I need {few} eggs and {many} grams of sugar.",
        "It's {some} degrees today.",
        "He ran {some} kilometers in {few} hours.",
        "Chapter {few} begins on page {many}.",
        "That's {some} dollars.",
        "Did you take the bus at {time}?",
        "We are open from {half} to {half}.",
        "The movie starts at {half}, so be on time.",
    ),
}


def draw(slot: str, language: str, rng: random.Random) -> str:
    """A number or month for a slot."""
    return rng.choice(MONTHS[language]) if slot == "month" else str(SLOTS[slot](rng))


def counted_through(text: str) -> str:
    """A text with its times from 0:00 to 24:00."""
    named = MIDNIGHT.sub("0", NOON.sub("12", text.lower()))
    return HALF_DAY.sub(lambda match: f"{int(match[1]) % 12 + 12 * (match[3] == 'p')}{match[2] or ''}", named)


def is_right(text: str, translation: str) -> bool:
    """Whether a translation holds just the numbers of its source."""
    source, target = (sorted(DIGITS.findall(FULL_HOUR.sub("", counted_through(one)))) for one in (text, translation))
    return source == target


if __name__ == "__main__":
    run(str(__doc__), SENTENCES, draw, is_right)
