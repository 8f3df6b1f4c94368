"""One spelling for every text, the same in training and in serving."""

from __future__ import annotations

import re
import unicodedata

SPACE_MARK = "▁"  # SentencePiece writes a space as this character, so a user's own would come back as a space.
DROPPED = frozenset({"Cc", "Cf", "Cs", "Co"})
JOINERS = "\u200c\u200d"
# Arabic to Thaana, Indic, Myanmar, Khmer and Mongolian, Arabic presentation forms: joiners change what is read.
JOINING = "\u0600-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
EMOJI = "\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff"
KEPT_JOINER = f"(?<=[{JOINING}])[{JOINERS}]|(?<=[{EMOJI}])\u200d(?=[{EMOJI}])"
STRAY_JOINER = re.compile(f"({KEPT_JOINER})|[{JOINERS}]")


def normalize(text: str) -> str:
    """Return `text` as one line of NFC without control, format or private-use characters; idempotent.

    Every run of white space becomes one space and none is left at the ends. Zero-width joiners stay inside emoji
    and after letters of scripts that need them. Lone surrogates and byte order marks go.
    """
    before, text = "", compose(text.replace(SPACE_MARK, "_"))
    while text != before and not text.isprintable():
        before, text = text, compose(drop_invisible(text))  # what goes may bring others together
    return text


def compose(text: str) -> str:
    """NFC with single spaces."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def drop_invisible(text: str) -> str:
    """Remove control, format, surrogate and private-use characters, and joiners that join nothing."""
    kept = "".join(c for c in text if c in JOINERS or unicodedata.category(c) not in DROPPED)
    return STRAY_JOINER.sub(lambda match: match[1] or "", kept)
