"""What a language's code tells of how it is written."""

from __future__ import annotations

import re

CHINESE = ("zh", "cmn", "yue")
UNPARTED = ("ja", "th", "lo", "km", "my")  # whose words nobody parts either


def primary(code: str) -> str:
    """A language without its script or region: `zh` of `zh_Hant`, `de` of `de-AT`."""
    return re.split("[-_]", code)[0].lower()


def has_spaces(code: str) -> bool:
    """Whether a language parts words by spaces."""
    return primary(code) not in (*CHINESE, *UNPARTED)
