"""Lines that were broken to fit a width."""

from __future__ import annotations

import pytest

from data.segment import join, split
from data.wrapping import quote_marks, rejoined

LONG = "Hiermit möchte ich Ihnen endlich mitteilen, dass ich heute meinen"

GREETING = "Dear Ms Miller and members of the whole selection board and staff,"


def lines_within(text: str) -> list[str]:
    """The sentences of a text, each on one line."""
    return [" ".join(rejoined(segment.text).split()) for segment in split(text)]


QUOTED = (
    f"Hallo,\n\n> {LONG}\n> alten Ver-\n> trag kündige.\n>\n>> {LONG}\n> > alten gelesen habe.\n> Ja. {LONG}\nund ich"
)


def test_quoted_lines_go_on_in_lines_that_are_quoted_as_deeply() -> None:
    assert lines_within(QUOTED) == [
        *("Hallo,", ">", f"{LONG} alten Vertrag kündige.", ">", ">>", f"{LONG} alten gelesen habe."),
        *(">", "Ja.", LONG, "und ich"),
    ]
    assert join(split(QUOTED)) == QUOTED


def test_marks_of_a_quotation_are_found_within_a_sentence_alone() -> None:
    text = f"> {LONG}\n> > alten > Vertrag"
    assert quote_marks(text) == {text.index("\n>") + 1, text.index("\n>") + 3}
    assert quote_marks("> a > b") == set()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (f"{LONG}\nalten Vertrag kündige. Danke.", [f"{LONG} alten Vertrag kündige.", "Danke."]),
        (f"{LONG}  \r\n   alten Vertrag kündige.", [f"{LONG} alten Vertrag kündige."]),
        (f"- {LONG}\n  alten Vertrag kündige.", ["-", f"{LONG} alten Vertrag kündige."]),
        (f"{LONG}\n\nalten Vertrag kündige.", [LONG, "alten Vertrag kündige."]),
        (f"{GREETING}\nI read it.", [GREETING, "I read it."]),
        (f"{LONG[:-7]} today which\nI've read.", [f"{LONG[:-7]} today which I've read."]),
        (f"{LONG}\nVertrag kündige.", [LONG, "Vertrag kündige."]),
        (f"{LONG}:\nalten Vertrag", [f"{LONG}:", "alten Vertrag"]),
        (f"{LONG}\n- alten Vertrag", [LONG, "-", "alten Vertrag"]),
        (f"{LONG}.\nalten Vertrag", [f"{LONG}.", "alten Vertrag"]),
        (f"{LONG};\nalten Vertrag", [f"{LONG};", "alten Vertrag"]),
        (f"{LONG.lower()}\nalten vertrag", [LONG.lower(), "alten vertrag"]),
        (f"{LONG}\na) alten Vertrag", [LONG, "a)", "alten Vertrag"]),
        (f"{LONG}\nb. alten Vertrag", [LONG, "b. alten Vertrag"]),
        (f"{LONG}\nwww.example.com", [LONG, "www.example.com"]),
        (f"{LONG}\nmax: alten Vertrag", [LONG, "max: alten Vertrag"]),
        (f"{LONG}\tB\nalten Vertrag\tC", [LONG, "B", "alten Vertrag", "C"]),
        (
            f"Hallo Max,\n\n{LONG.lower()}\nalten Vertrag kündige.",
            ["Hallo Max,", f"{LONG.lower()} alten Vertrag kündige."],
        ),
        (f"{GREETING}\nplease find it.", [GREETING, "please find it."]),
        ("Milch\nbrot und\nzwei Eier", ["Milch", "brot und", "zwei Eier"]),
    ],
)
def test_a_small_letter_after_a_long_line_goes_on_with_a_sentence(text: str, sentences: list[str]) -> None:
    assert lines_within(text) == sentences
    assert join(split(text)) == text


FULL = """Der Vorstand hat in seiner letzten Sitzung die neue
Ordnung für das Haus beschlossen, die am zweiten
des Monats in Kraft tritt. Alle Mieter erhalten nun
Abdrucke."""


def test_sentences_end_within_full_lines_too() -> None:
    first, second, _ = lines_within(FULL.replace("die neue", "da.)"))
    assert first == "Der Vorstand hat in seiner letzten Sitzung da.)"
    assert second.startswith("Ordnung für das Haus beschlossen, die am zweiten des Monats")


def test_full_lines_of_a_paragraph_go_on_before_capitals_too() -> None:
    first, second = lines_within(FULL)
    assert first == " ".join(FULL.split()).removesuffix(f" {second}")
    assert second == "Alle Mieter erhalten nun Abdrucke."


@pytest.mark.parametrize(
    "text",
    [
        FULL.replace("Sitzung die neue\n", "\n"),  # there was room for the next word
        FULL.replace("des Monats", "Des Monats"),
        "Der Vorstand hat in seiner letzten Sitzung die neue\nOrdnung für das Haus beschlossen.",
        "\n".join(f"Der {word} Bericht über das Ende der langen Reise" for word in ("erste", "dritte", "vierte")),
    ],
)
def test_lines_that_had_room_or_are_few_or_begin_with_capitals_alone_end_sentences(text: str) -> None:
    assert lines_within(text)[0] == text.split("\n")[0].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("die Kündi-\ngung", "die Kündigung"),
        ("die Kündi- \r\n  gung", "die Kündigung"),
        ("die Kündi\u00ad\ngung", "die Kündigung"),
        ("ein Kon-\nto", "ein Konto"),
        ("eine E-\nmail", "eine E-mail"),
        ("state-of-\nthe-art", "state-of-the-art"),
        ("https://a.de/x-\ny", "https://a.de/x-y"),
        ("Vor-\nwie Nachteile", "Vor-\nwie Nachteile"),
        ("in Berlin-\nKreuzberg", "in Berlin-Kreuzberg"),
        ("Vor-\nund Nachteile", "Vor-\nund Nachteile"),
        ("ja -\nnein", "ja -\nnein"),
        ("3-\nmal", "3-\nmal"),
        ("Vor- und", "Vor- und"),
    ],
)
def test_words_that_a_line_end_parts_are_joined(text: str, expected: str) -> None:
    assert rejoined(text) == expected
