"""How many translations hold just the numbers of their source: days, years, times of day, quantities.

usage: python benchmarks/number_accuracy.py BUNDLE SOURCE TARGET

Each sentence below is translated with twenty draws of numbers. A translation is right when its groups of digits are
those of the source, in any order; full hours may do without :00. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

from data.numbers import DIGITS
from models.bundle import read_bundle
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translator import Options
from training.manifest import git_state

DRAWS = 20
SLOT = re.compile(r"\{(\w+)\}")
FULL_HOUR = re.compile(r"[:.]00\b")
MONTHS = {
    "de": ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
}
SLOTS: dict[str, Callable[[random.Random], object]] = {
    "day": lambda rng: rng.randrange(2, 32),
    "year": lambda rng: rng.randrange(1800, 2031),
    "time": lambda rng: f"{rng.randrange(6, 24)}:{rng.randrange(0, 60, 5):02}",
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
    ),
}


def filled(sentence: str, language: str, rng: random.Random) -> str:
    """A sentence with numbers and months in its slots."""

    def fill(slot: re.Match[str]) -> str:
        return rng.choice(MONTHS[language]) if slot[1] == "month" else str(SLOTS[slot[1]](rng))

    return SLOT.sub(fill, sentence)


def is_right(text: str, translation: str) -> bool:
    """Whether a translation holds just the numbers of its source."""
    source, target = (sorted(DIGITS.findall(FULL_HOUR.sub("", one))) for one in (text, translation))
    return source == target


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("source", choices=SENTENCES)
    parser.add_argument("target", choices=SENTENCES)
    arguments = parser.parse_args()
    rng = random.Random(1)
    texts = [filled(one, arguments.source, rng) for one in SENTENCES[arguments.source] for _ in range(DRAWS)]
    translator = make_translator(read_bundle(arguments.bundle), Settings(device="cpu"))
    found = [one.text for one in translator.translate_lines(texts, Options(arguments.source, arguments.target))]
    translator.worker.close()
    right = [is_right(*pair) for pair in zip(texts, found, strict=True)]
    rows = []
    for i, sentence in enumerate(SENTENCES[arguments.source]):
        places = range(i * DRAWS, (i + 1) * DRAWS)
        wrong = [f"{texts[j]} -> {found[j]}" for j in places if not right[j]]
        rows.append({"sentence": sentence, "right": DRAWS - len(wrong), "wrong": wrong[:2]})
    facts = {"bundle": arguments.bundle.name, "direction": f"{arguments.source}-{arguments.target}"}
    summary = {"code": git_state(), "translations": len(texts), "right": sum(right)}
    print(json.dumps({**facts, **summary, "sentences": rows}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
