"""Terms of a glossary: where they are found, how files of them are read, what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import UserError
from data.glossary import Glossary, capitalised, read_glossaries, read_glossary


def found(terms: dict[str, str], text: str, language: str = "en") -> list[str]:
    return [text[span.start : span.end] for span in Glossary(terms, language).spans(text)]


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_whole_words_are_terms_and_parts_of_words_are_not() -> None:
    assert found({"lock": "Schloss"}, "The lock, a padlock, a lockdown; lock. lock's un-lock") == ["lock"] * 4
    assert found({"C++": "C++"}, "C++ and C++11, C++.") == ["C++"] * 3
    assert found({".NET": "x"}, "The .NET runtime") == [".NET"]


def test_a_small_first_letter_may_be_a_capital_and_a_capital_stays_one() -> None:
    assert found({"customer": "Kunde"}, "Customer and customer, CUSTOMER") == ["Customer", "customer"]
    assert found({"Kunde": "customer", "ärzte": "x"}, "Kunde, kunde, Ärzte", "de") == ["Kunde", "Ärzte"]
    assert found({"iPhone": "x"}, "iPhone IPhone iphone") == ["iPhone", "IPhone"]


def test_the_longest_term_that_begins_at_a_place_is_taken() -> None:
    terms = {"credit": "Kredit", "credit card": "Kreditkarte", "card": "Karte"}
    assert found(terms, "A credit card is no credit and no card") == ["credit card", "credit", "card"]


def test_a_language_without_spaces_has_terms_anywhere() -> None:
    assert found({"银行": "bank", "银": "silver"}, "我去银行，银。", "zh") == ["银行", "银"]


def test_terms_are_put_in_order_as_texts_are() -> None:
    glossary = Glossary({" credit  card ": " Kredit\u00a0karte\n"}, "en")
    assert glossary.terms == {"credit card": "Kredit karte"}


@pytest.mark.parametrize("terms", [{"": "x"}, {"x": ""}, {"x": " \n"}, {" ": "x"}])
def test_a_term_with_an_empty_side_is_refused(terms: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"the term '\s*x?' = '[x\s]*' has an empty side: fill it"):
        Glossary(terms, "en")


def test_terms_of_one_glossary_come_before_those_of_another() -> None:
    first, second = Glossary({"a": "1"}, "en"), Glossary({"a": "2", "b": "3"}, "en")
    assert first.over(second).terms == {"a": "1", "b": "3"}
    assert first.over(None) is first


def test_a_file_serves_both_directions_and_the_first_translation_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "terms.tsv", "de\ten", "Kunde\tclient", "Mandant\tclient", "Kunde\tcustomer")
    both = read_glossary(path)
    assert both["de-en"].terms == {"Kunde": "client", "Mandant": "client"}
    assert both["en-de"].terms == {"client": "Kunde", "customer": "Kunde"}
    other = write(tmp_path / "more.tsv", "en\tde", "client\tKlient", "server\tDiener")
    assert read_glossaries([path, other])["en-de"].terms == {"client": "Kunde", "customer": "Kunde", "server": "Diener"}
    assert read_glossaries([]) == {}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["de\ten"], r"has no terms: after a line 'de<TAB>en'"),
        (["Kunde\tclient", "x\ty"], r"line 1 must name two languages, such as 'de<TAB>en', but is 'Kunde<TAB>client'"),
        (["de\tde", "x\ty"], r"line 1 must name two languages"),
        (["de\ten", "Kunde\t "], r"line 2 has an empty side"),
        (["de\ten", "Kunde"], r"line 2 has 1 columns"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, lines: list[str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read_glossary(write(tmp_path / "terms.tsv", *lines))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"glossary .*nowhere\.tsv does not exist"):
        read_glossary(tmp_path / "nowhere.tsv")


def test_a_term_with_capitals_of_its_own_begins_a_sentence_as_it_is() -> None:
    assert [capitalised(term) for term in ("client", "iPhone", "über", "4 wheels")] == [
        "Client",
        "iPhone",
        "Über",
        "4 wheels",
    ]
