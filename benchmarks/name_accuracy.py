"""How many translations hold the names of their source, of people and places that the recipes' text does not hold.

usage: python benchmarks/name_accuracy.py BUNDLE SOURCE TARGET

Each sentence below is translated with twenty draws of names. A translation is right when it holds each name as the
source has it, letter by letter, as often. Prints JSON.
"""

from __future__ import annotations

import random
import re
from collections import Counter

from slots import run

NAMES = {
    "person": (
        *("Annegret", "Brüggemann", "Czerwinski", "Dragomir", "Ekaterina", "Fritzsche", "Ghazali", "Gökhan", "Günther"),
        *("Hagedorn", "Hülya", "Ingeborg", "Jablonski", "Kühlmann", "Löwenthal", "Nakamoto", "Pfannenstiel"),
        *("Priyanka", "Rosenkranz", "Schönfeld", "Siobhan", "Söderberg", "Wojciech"),
    ),
    "place": (
        *("Arequipa", "Debrecen", "Groningen", "Gütersloh", "Göppingen", "Hildesheim", "Kumasi", "Leicester"),
        *("Leverkusen", "Oberhausen", "Paderborn", "Plovdiv", "Recklinghausen", "Remscheid", "Solingen", "Sunderland"),
        *("Tampere", "Villach"),
    ),
}
SENTENCES = {
    "de": (
        "{person} wohnt seit drei Jahren hier.",
        "Ich habe {person} gestern im Supermarkt gesehen.",
        "Frau {person} ist heute nicht im Büro.",
        "Das ist {person}s Auto.",
        "Kennst du {person}?",
        "{person} und {person} haben letzten Monat geheiratet.",
        "Meine Lehrerin heißt {person}.",
        "Bitte gib Herrn {person} diesen Brief.",
        "{person} hat mir ein Buch geliehen.",
        "Ich habe mit {person} zu Mittag gegessen.",
        "Wo ist {person}?",
        "{person}, komm bitte her!",
        "Ich wohne in {place}.",
        "Der Zug nach {place} fährt um acht Uhr ab.",
        "{place} ist eine schöne Stadt.",
        "Wir fliegen morgen nach {place}.",
        "Wie ist das Wetter in {place}?",
        "{person} ist in {place} geboren.",
    ),
    "en": (
        "{person} has been living here for three years.",
        "I saw {person} at the supermarket yesterday.",
        "Ms. {person} isn't in the office today.",
        "This is {person}'s car.",
        "Do you know {person}?",
        "{person} and {person} got married last month.",
        "My teacher's name is {person}.",
        "Please give Mr. {person} this letter.",
        "{person} lent me a book.",
        "I had lunch with {person}.",
        "Where is {person}?",
        "{person}, please come here!",
        "I live in {place}.",
        "The train to {place} leaves at eight o'clock.",
        "{place} is a beautiful city.",
        "We're flying to {place} tomorrow.",
        "What's the weather like in {place}?",
        "{person} was born in {place}.",
    ),
}


KNOWN = re.compile("|".join(rf"\b{name}(?=s?\b)" for names in NAMES.values() for name in names))


def draw(slot: str, _: str, rng: random.Random) -> str:
    """A name for a slot, in any language."""
    return rng.choice(NAMES[slot])


def is_right(text: str, translation: str) -> bool:
    """Whether a translation holds the names of its source, in a genitive perhaps, and no other of these."""
    source, target = (Counter(KNOWN.findall(one)) for one in (text, translation))
    return source == target


if __name__ == "__main__":
    run(str(__doc__), SENTENCES, draw, is_right)
