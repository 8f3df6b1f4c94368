"""Words in capitals as the same words in small letters with a mark behind each, so that a vocabulary and a network know
both as one: inline casing, as in Bérard, Calapodescu and Roux 2019 (Naver Labs Europe's Systems for WMT19 Robustness).
"""

from __future__ import annotations

import re

from data.languages import UNPARTED_LETTERS

HANGUL = "\uac00-\ud7af"
LETTERS = rf"[^\W\d_{UNPARTED_LETTERS}{HANGUL}]+"  # of scripts that may have capitals
WORD = rf"{LETTERS}(?:['’]{LETTERS})*"
WHOLE_WORD = re.compile(rf"(?<!\w){WORD}(?!\w)")
SHARP = str.maketrans({"ß": "SS", "ẞ": "SS"})


def lowered(text: str, mark: str) -> str:
    """A text with small letters and a mark for each of its words that are in capitals and of two letters or more.

    `STOP` is `stop` and a mark. `raised` brings such a text back, with SS for the sharp s.
    """
    return WHOLE_WORD.sub(lambda match: match[0].lower() + mark if is_large(match[0]) else match[0], text)


def raised(text: str, mark: str) -> str:
    """A text with capitals for the word before each mark; marks behind anything else go."""
    if mark not in text:
        return text
    return re.sub(rf"(?:(?<!\w){WORD})?{re.escape(mark)}", lambda match: match[0].removesuffix(mark).upper(), text)


def is_large(word: str) -> bool:
    """Whether a word is in capitals, and can be brought back from small letters."""
    plain = word.translate(SHARP)
    return plain.isupper() and sum(map(str.isupper, word)) > 1 and plain == word.lower().upper()
