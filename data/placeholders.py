"""Spans that stand on both sides of a pair, replaced by placeholder symbols that a network learns to copy."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

LETTER = "A-Za-zÀ-ÖØ-öø-ſ"
WIDE = "\u3000-\u9fff\uff00-\uffef"  # Chinese marks and letters, which follow without a space
WORD = rf"[^\W{WIDE}]"
URL = rf"(?:https?://|www\.)[^\s<>\"{WIDE}]*(?:{WORD}|/)"
EMAIL = rf"(?<!{WORD})(?<![.+-])(?:{WORD}|[.+-])+@(?:{WORD}|-)+(?:\.(?:{WORD}|-)+)+"
NUMBER = rf"(?<![{LETTER}\d.,:/-])\d+(?:[.,:/-]\d+)*(?![{LETTER}\d]|[.,:/-]\d)"
EMOJI = (
    "[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?"
    "(?:\u200d[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?)*"
)
# Two letters would take in "In" and "So", which German and English share by chance.
NAME = rf"(?<![{LETTER}\d'’-])[A-ZÀ-ÖØ-Þ][{LETTER}]{{2,}}(?![{LETTER}\d'’-])"
SPAN = re.compile("|".join((URL, EMAIL, NUMBER, EMOJI, NAME)))
END = re.compile(r"[.!?…。！？\"'”’“«»)]*$")
DOUBLED = 0.2  # of the replaced spans, which become two symbols in a row
ADDED = 0.5  # of the pairs, which get one more symbol at an end


def substitute(source: str, target: str, symbols: Sequence[str], rng: random.Random, rate: float) -> tuple[str, str]:
    """With probability `rate`, replace what both sides share word for word by placeholder symbols.

    Shared are numbers, URLs, e-mail addresses, emoji and capitalised names that stand exactly once on either side.
    Each gets a symbol of its own, some get two, chosen at random; when symbols run out, the rest stays as it is. Half
    of these pairs get another symbol at an end of both sides, as emoji and addresses stand there.
    """
    if rng.random() >= rate:
        return source, target
    unused = [symbol for symbol in symbols if symbol not in source]
    spans, free, table = shared(source, target), rng.sample(unused, len(unused)), {}
    for span in rng.sample(spans, len(spans)):
        count = min(2 if rng.random() < DOUBLED else 1, len(free))
        table[span] = " ".join(free.pop() for _ in range(count)) or span
    pair = replace(source, table), replace(target, table)
    return added(*pair, free.pop(), rng) if free and rng.random() < ADDED else pair


def added(source: str, target: str, symbol: str, rng: random.Random) -> tuple[str, str]:
    """Put a symbol before or behind both texts, or before their last marks, or in place of these."""
    place = rng.randrange(4)

    def put(text: str) -> str:
        body = END.sub("", text)
        marks = text[len(body) :]
        return (f"{symbol} {text}", f"{body} {symbol}{marks}", f"{text} {symbol}", f"{body} {symbol}")[place]

    return put(source), put(target)


def shared(source: str, target: str) -> list[str]:
    """The spans that are found exactly once on either side, in the order of the source."""
    left, right = SPAN.findall(source), SPAN.findall(target)
    return [span for span in left if left.count(span) == 1 and right.count(span) == 1]


def replace(text: str, table: dict[str, str]) -> str:
    """Replace whole spans, so that `1` in the table leaves `10` alone."""
    return SPAN.sub(lambda match: table.get(match[0], match[0]), text)
