"""Source texts as people type them: in small letters, with typing errors, without accents, with missing or other marks.

What they are translated with is written with care, so that a network learns to read the one and to write the other.
Belinkov and Bisk 2018 (Synthetic and Natural Noise Both Break Neural Machine Translation) have such errors.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import TypeAlias

from data.languages import primary

Texts: TypeAlias = tuple[str, str]

SMALL = 0.6  # of the texts, which are in small letters
FIRST = 0.3  # of these, whose first letter stays large
NO_ACCENTS = 0.4
NO_APOSTROPHES = 0.6
NO_COMMAS = 0.4
NO_END = 0.4  # of the pairs, which lose their last mark on both sides
MISTYPED = 0.5  # of the texts that have typing errors
WRONG = 0.15  # of their words
RUN_TOGETHER = 0.02  # of their spaces
OTHER_MARKS = 0.4
DOTLESS = 0.25  # of the German texts without umlauts, in which ä is a and not ae
GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
END = re.compile(r"[.!?]+$")
ORDINARY = re.compile(r"(?<!\S)[^\s/@_\d]+(?!\S)")  # and no address or code, which is copied
LONG_WORD = re.compile(r"(?<![\w@/.-])[^\W\d_]{4,}(?![\w@/-]|\.\w)")
APOSTROPHE = re.compile(r"(?<=[^\W\d_])['’](?=[^\W\d_])")
QUOTES = re.compile('["„“”«»]')
STYLES = ("“”", "„“", "»«", "«»", '""')  # marks of quotations, the first and the last
DASH = re.compile(r"(?<= )[-–—](?= )")
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
VOICED = "\u3099\u309a"  # the marks that tell ga from ka and pa from ha
BESIDE = {row[i]: row[i - 1 : i] + row[i + 1 : i + 2] for row in KEYS for i in range(len(row))}


def dashed_off(
    pairs: Sequence[Texts],
    languages: Sequence[Texts],
    rate: float,
    rng: random.Random,
    careful: Collection[int] = (),
) -> tuple[list[Texts], list[Texts]]:
    """With probability `rate`, have both texts of a pair typed carelessly where they are read.

    Args:
        pairs: as they are to be written.
        languages: of each pair's texts.
        rate: the share of the pairs.
        rng: decides.
        careful: numbers of pairs that stay as they are.
    Returns:
        The pairs as they are read, and as they are written: some lack a last mark in both.
    """
    read, written = list(pairs), list(pairs)
    for index, pair in enumerate(pairs):
        if rng.random() < rate and index not in careful:
            written[index] = pair = without_end(pair) if rng.random() < NO_END else pair
            words = [set(LONG_WORD.findall(text)) for text in pair]
            left, right = (careless(*one, words[0] & words[1], rng) for one in zip(pair, languages[index], strict=True))
            read[index] = left, right
    return read, written


def without_end(pair: Texts) -> Texts:
    """A pair without the mark that both of its texts end with, if they do."""
    ends = [END.search(text) for text in pair]
    if any(end is None for end in ends) or len({end[0] for end in ends if end}) > 1:
        return pair
    left, right = (END.sub("", text) for text in pair)
    return (left, right) if left and right else pair


def careless(text: str, language: str, kept: Collection[str], rng: random.Random) -> str:
    """A text with some of the things that carelessness does to it.

    Args:
        text: normalised.
        language: German has its own ways to do without umlauts.
        kept: words that are spelled right, as names must be, which are copied.
        rng: decides.
    """
    if rng.random() < MISTYPED:
        text = LONG_WORD.sub(lambda match: maybe_mistyped(match[0], kept, rng), text)
        text = "".join("" if one == " " and rng.random() < RUN_TOGETHER else one for one in text)
    if rng.random() < SMALL:
        first = text[:1] if rng.random() < FIRST else small(text[:1], language)
        text = first + ORDINARY.sub(lambda match: small(match[0], language), text)[1:]
    if rng.random() < NO_ACCENTS:
        dotless = rng.random() < DOTLESS
        text = ORDINARY.sub(lambda match: without_accents(match[0], language, dotless), text)
    if rng.random() < NO_APOSTROPHES:
        text = APOSTROPHE.sub("", text)
    if rng.random() < OTHER_MARKS:
        text = with_other_marks(text, rng)
    return text.replace(",", "") if rng.random() < NO_COMMAS and not any(map(str.isdigit, text)) else text


def small(text: str, language: str) -> str:
    """A text in small letters, each one letter as before; of Turkish İ, lower() would make two."""
    text = text.replace("I", "ı") if primary(language) in ("tr", "az") else text
    return text.replace("İ", "i").lower()


def with_other_marks(text: str, rng: random.Random) -> str:
    """A text with the apostrophes of printers, and with quotation marks and dashes of any kind."""
    text = DASH.sub(rng.choice("-–—"), APOSTROPHE.sub("’", text))
    count, style = len(QUOTES.findall(text)), rng.choice(STYLES)
    marks = iter(style * (count // 2))
    return text if count % 2 else QUOTES.sub(lambda _: next(marks), text)


def maybe_mistyped(word: str, kept: Collection[str], rng: random.Random) -> str:
    """A word, perhaps with a typing error."""
    return mistyped(word, rng) if word not in kept and rng.random() < WRONG else word


def mistyped(word: str, rng: random.Random) -> str:
    """A word with one letter, not the first, left out, doubled, swapped with the next, or hit beside its key."""
    place = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    kind = rng.randrange(4)
    if kind == 0:
        return before + after
    if kind == 1:
        return before + letter + letter + after
    if kind == 2:
        return before + after[0] + letter + after[1:]
    return before + rng.choice(BESIDE.get(letter, letter)) + after


def without_accents(text: str, language: str, dotless: bool) -> str:
    """A text with plain letters in place of those with accents; German has two ways to do that."""
    if primary(language) == "de" and not dotless:
        text = text.translate(GERMAN)
    apart = unicodedata.normalize("NFD", text.replace("ß", "ss"))
    return unicodedata.normalize("NFC", "".join(one for one in apart if not is_accent(one)))


def is_accent(one: str) -> bool:
    """Whether a character is a mark that people leave out; those that make other letters in kana stay."""
    return unicodedata.combining(one) > 0 and one not in VOICED
