"""How many translations hold a place's name as the target language has it: 'Munich' for 'München'.

usage: python benchmarks/place_accuracy.py BUNDLE SOURCE TARGET

Each sentence below is translated with twenty draws of those places of training/corpora/places.de-en.tsv whose names
differ. A translation is right when the other language's name stands in it. Prints JSON.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from slots import run

PLACES = Path(__file__).parents[1] / "training" / "corpora" / "places.de-en.tsv"
SENTENCES = {
    "de": (
        "Ich wohne in {place}.",
        "Mein Bruder arbeitet seit zwei Jahren in {place}.",
        "Der Zug nach {place} hat zehn Minuten Verspätung.",
        "Kommst du aus {place}?",
        "{place} gefällt mir sehr gut.",
        "Wie ist das Wetter heute in {place}?",
        "Wir fahren von {place} nach {place}.",
        "Meine Großeltern wurden in {place} geboren.",
        "Nächstes Jahr möchte ich {place} besuchen.",
        "Die Menschen in {place} sind sehr freundlich.",
    ),
    "en": (
        "I live in {place}.",
        "My brother has been working in {place} for two years.",
        "The train to {place} is ten minutes late.",
        "Are you from {place}?",
        "I like {place} very much.",
        "What's the weather like in {place} today?",
        "We're traveling from {place} to {place}.",
        "My grandparents were born in {place}.",
        "I would like to visit {place} next year.",
        "People in {place} are very friendly.",
    ),
}
LANGUAGES = ("de", "en")  # the columns of that file
DIFFER = [pair for line in PLACES.read_text(encoding="utf-8").splitlines() if len(set(pair := line.split("\t"))) == 2]
OTHER = {place: other for pair in DIFFER for place, other in (pair, pair[::-1])}
KNOWN = re.compile("|".join(rf"\b{place}\b" for place in sorted(OTHER, key=len, reverse=True)))


def draw(_: str, language: str, rng: random.Random) -> str:
    """A place for a slot, as a language has it."""
    return rng.choice(DIFFER)[LANGUAGES.index(language)]


def is_right(text: str, translation: str) -> bool:
    """Whether a translation holds the places of its source, each as its language has it."""
    return sorted(OTHER[place] for place in KNOWN.findall(text)) == sorted(KNOWN.findall(translation))


if __name__ == "__main__":
    run(str(__doc__), SENTENCES, draw, is_right)
