"""Words in capitals, and the same in small letters with a mark."""

from __future__ import annotations

import time

import pytest

from data.capitals import lowered, raised

MARK = "^"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("STOP", "stop^"),
        ("DON'T STOP NOW!", "don't^ stop^ now^!"),
        ("Das ist SEHR wichtig, Ich A", "Das ist sehr^ wichtig, Ich A"),
        ("MP3 USA-Reise 'NEIN' O’CLOCK", "MP3 usa^-Reise 'nein^' o’clock^"),
        ("DVDs MAX_VALUE A4 4WD", "DVDs MAX_VALUE A4 4WD"),
        ("ÄRGER ПРИВЕТ ΑΣ", "ärger^ привет^ ας^"),
        ("İSTANBUL ǅ 中文", "İSTANBUL ǅ 中文"),
        ("small Large", "small Large"),
        ("Iß, Aß", "Iß, Aß"),
        ("4ab'NEIN 1st'CLASS", "4ab'nein^ 1st'class^"),
        ("我加入WTO了 WTO", "我加入WTO了 wto^"),
        ("", ""),
    ],
)
def test_words_in_capitals_become_small_with_a_mark_and_come_back(text: str, expected: str) -> None:
    assert lowered(text, MARK) == expected
    assert raised(expected, MARK) == text


@pytest.mark.parametrize("text", ["STRASSE", "STRAßE", "STRAẞE"])
def test_a_sharp_s_is_written_with_two_letters(text: str) -> None:
    assert raised(lowered(text, MARK), MARK) == "STRASSE"


def test_marks_that_are_behind_no_word_go() -> None:
    assert raised("^ a^ 12^ 'don't^' x ^^", MARK) == " A 12 'DON'T' x "


def test_long_words_take_no_long_time() -> None:
    started = time.perf_counter()
    raised(f"{'a' * 3000} {'a’' * 1500}b {MARK}", MARK)
    assert time.perf_counter() - started < 1
