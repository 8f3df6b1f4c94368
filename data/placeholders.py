"""Spans that stand on both sides of a pair, replaced by placeholder symbols that a network learns to copy."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

LETTER = "A-Za-zÀ-ÖØ-öø-ſ"
URL = r"(?:https?://|www\.)[^\s<>\"]*[\w/]"
EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
NUMBER = rf"(?<![{LETTER}\d.,:/-])\d+(?:[.,:/-]\d+)*(?![{LETTER}\d]|[.,:/-]\d)"
EMOJI = (
    "[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?"
    "(?:\u200d[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?)*"
)
# Two letters would take in "In" and "So", which German and English share by chance.
NAME = rf"(?<![{LETTER}\d'’-])[A-ZÀ-ÖØ-Þ][{LETTER}]{{2,}}(?![{LETTER}\d'’-])"
SPAN = re.compile("|".join((URL, EMAIL, NUMBER, EMOJI, NAME)))


def substitute(source: str, target: str, symbols: Sequence[str], rng: random.Random, rate: float) -> tuple[str, str]:
    """With probability `rate`, replace what both sides share word for word by placeholder symbols.

    Shared are numbers, URLs, e-mail addresses, emoji and capitalised names that stand exactly once on either side.
    Each gets a symbol of its own, chosen at random; when symbols run out, the rest stays as it is.
    """
    if rng.random() >= rate:
        return source, target
    spans = shared(source, target)
    chosen = rng.sample(symbols, min(len(spans), len(symbols)))
    table = dict(zip(rng.sample(spans, len(chosen)), chosen, strict=True))
    return replace(source, table), replace(target, table)


def shared(source: str, target: str) -> list[str]:
    """The spans that are found exactly once on either side, in the order of the source."""
    left, right = SPAN.findall(source), SPAN.findall(target)
    return [span for span in left if left.count(span) == 1 and right.count(span) == 1]


def replace(text: str, table: dict[str, str]) -> str:
    """Replace whole spans, so that `1` in the table leaves `10` alone."""
    return SPAN.sub(lambda match: table.get(match[0], match[0]), text)
