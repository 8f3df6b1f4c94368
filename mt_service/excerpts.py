"""How warnings name parts of a text."""

from __future__ import annotations

from collections.abc import Sequence

EXCERPT = 60  # characters of a sentence that is named in a warning
NAMED = 10  # sentences of a text that one warning names


def named(texts: Sequence[str]) -> str:
    """Texts by their beginnings; of many, the first."""
    lines = [" ".join(text.split()) for text in texts[:NAMED]]
    shown = [f"{line[:EXCERPT]}…" if len(line) > EXCERPT else line for line in lines]
    shown += [f"and {len(texts) - NAMED:,} more"] if len(texts) > NAMED else []
    return " | ".join(shown)
