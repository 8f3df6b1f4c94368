import random
import unicodedata

import pytest

from data.normalize import normalize

ALPHABET = [
    *" \t\n\r\u00a0\u2003\u2028abÄ.▁",
    *"\u0301\u0308\u200b\u200c\u200d\ufeff\u00ad\u202e\x00\x07\x85\ue000\U000f0000\ud800\ufffd",
    *"👩🚀🏽❤\ufe0fकषमی\u094d\u0958和",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a \t\n b\u00a0\u2003c\r\n", "a b c"),
        ("e\u0301", "é"),
        ("\ufeffHallo\x00 Welt\x07", "Hallo Welt"),
        ("soft\u00adhy\u200bphen", "softhyphen"),
        ("pri\ue000vate\U000f0000", "private"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("e\u00ad\u0301", "é"),
        ("a\u200db\u200c", "ab"),
        ("👩🏽\u200d🚀", "👩🏽\u200d🚀"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("▁Hallo", "_Hallo"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_text_has_one_spelling(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_normalising_twice_changes_nothing_and_leaves_one_clean_line() -> None:
    rng = random.Random(1)
    for _ in range(30_000):
        once = normalize("".join(rng.choices(ALPHABET, k=rng.randrange(14))))
        assert normalize(once) == once
        assert once == " ".join(once.split())
        assert unicodedata.is_normalized("NFC", once)
        assert not {unicodedata.category(c) for c in once} & {"Cc", "Co", "Cs"}
