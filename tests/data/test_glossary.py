"""Terms of a glossary: where they are found, how files of them are read, what is wrong with some."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.errors import UserError
from data.glossary import LONGEST, capitalised, find, glossary_of, held, read_glossaries, read_glossary


def found(terms: dict[str, str], text: str, language: str = "en") -> list[str]:
    return [text[span.start : span.end] for span in find([glossary_of(terms, language)], text)]


def targets(text: str, *glossaries: dict[str, str]) -> list[str]:
    return [span.target for span in find([glossary_of(terms, "en") for terms in glossaries], text)]


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_whole_words_are_terms_and_parts_of_words_are_not() -> None:
    assert found({"lock": "Schloss"}, "The lock, a padlock, a lockdown; lock. lock's un-lock") == ["lock"] * 4
    assert found({"C++": "C++"}, "C++ and C++11, C++.") == ["C++"] * 3
    assert found({".NET": "x"}, "The .NET runtime") == [".NET"]
    assert found({"can": "Dose", "don": "x"}, "A can can't don't") == ["can"]
    assert found({"कम": "less"}, "कम कमी", "hi") == ["कम"]


def test_terms_of_a_dictionary_are_all_of_a_text_or_none_of_it(tmp_path: Path) -> None:
    path = write(tmp_path / "words.tsv", "de\ten", "Kunde\tcustomer", "rot\tred")
    there, here = (read_glossary(path, whole=True)[direction] for direction in ("de-en", "en-de"))
    for glossary, text, expected in (
        (there, "Kunde", ("customer", True)),
        (there, "rot", ("red", False)),
        (there, "Rot", ("red", True)),
        (here, "customer", ("Kunde", False)),
        (here, "Customer", ("Kunde", True)),
    ):
        (span,) = find([glossary], text)
        assert (span.target, span.enlarged, span.start, span.end) == (*expected, 0, len(text))
    for text in ("kunde", "KUNDE", "Kunde.", "der Kunde", "Kunde da", ""):
        assert not list(find([there], text))
    mine = glossary_of({"Kunde": "client"}, "de")
    assert [span.target for span in find([mine, there], "Kunde")] == ["client"]
    assert [one.whole for one in read_glossaries([path], [path])["de-en"]] == [False, True]


def test_parts_of_numbers_are_no_terms() -> None:
    assert found({"45": "many", "11": "x"}, "45, 1.45 um 3:45 Uhr 45.1 1145 and 45. Windows 11") == ["45", "45", "11"]


def test_a_small_first_letter_may_be_a_capital_and_a_capital_stays_one() -> None:
    assert found({"customer": "Kunde"}, "Customer and customer, CUSTOMER") == ["Customer", "customer"]
    assert found({"Kunde": "customer", "ärzte": "x"}, "Kunde, kunde, Ärzte", "de") == ["Kunde", "Ärzte"]
    assert found({"iPhone": "x"}, "iPhone IPhone iphone") == ["iPhone", "IPhone"]


def test_the_longest_term_that_begins_at_a_place_is_taken() -> None:
    terms = {"credit": "Kredit", "credit card": "Kreditkarte", "card": "Karte"}
    assert found(terms, "A credit card is no credit and no card") == ["credit card", "credit", "card"]
    spans = list(find([glossary_of(terms, "en")], "My credit"))
    assert [(span.start, span.end) for span in spans] == [(3, 9)]  # however little text is left for a longer one


def test_a_term_that_is_written_so_comes_before_one_with_another_first_letter() -> None:
    assert targets("Polish polish", {"polish": "polieren", "Polish": "polnisch"}) == ["polnisch", "polieren"]


def test_a_language_without_spaces_has_terms_anywhere_but_within_foreign_words() -> None:
    assert found({"银行": "bank", "银": "silver"}, "我去银行，银。", "zh") == ["银行", "银"]
    assert found({"AI": "x"}, "用AI做 EMAIL PAIN", "zh") == ["AI"]


def test_terms_are_put_in_order_as_texts_are() -> None:
    glossary = glossary_of({" credit  card ": " Kredit\u00a0karte\n"}, "en")
    assert glossary.terms == {"credit card": "Kredit karte"}


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"": "x"}, "the term '' = 'x' has an empty side: fill it"),
        ({"x": " \n"}, "the term 'x' = '' has an empty side: fill it"),
        ({"x": "y" * (LONGEST + 1)}, "is too long: a side may have 200 characters"),
        ({"y" * (LONGEST + 1): "x"}, "is too long"),
        ({"Good day. How are you?": "x"}, "holds several sentences"),
    ],
)
def test_a_term_that_is_of_no_use_is_refused(terms: dict[str, str], problem: str) -> None:
    with pytest.raises(UserError, match=re.escape(problem)):
        glossary_of(terms, "en")


def test_terms_of_one_glossary_come_before_those_of_another() -> None:
    assert targets("a b", {"a": "1"}, {"a": "2", "b": "3"}) == ["1", "3"]
    assert targets("Customer", {"customer": "1"}, {"Customer": "2"}) == ["1"]
    assert targets("credit card", {"credit": "1"}, {"credit card": "2"}) == ["2"]
    assert targets("a b") == []


@pytest.mark.parametrize(
    ("meaning", "translation", "language", "count"),
    [
        ("client", "Client, client and clients, client's", "en", 3),
        ("iPhone", "iPhone IPhone iphone", "en", 2),
        (".NET", "The .NET and x.NET", "en", 1),
        ("银行", "我去银行银行", "zh", 2),
    ],
)
def test_whole_words_of_a_translation_hold_a_term(meaning: str, translation: str, language: str, count: int) -> None:
    assert held(meaning, translation, language) == count


def test_a_file_serves_both_directions_and_the_first_translation_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "terms.tsv", "de\ten", "Kunde\tclient", "Mandant\tclient", "Kunde\tcustomer")
    both = read_glossary(path)
    assert both["de-en"].terms == {"Kunde": "client", "Mandant": "client"}
    assert both["en-de"].terms == {"client": "Kunde", "customer": "Kunde"}
    other = write(tmp_path / "more.tsv", "en\tde", "client\tKlient", "server\tDiener")
    assert [one.terms["client"] for one in read_glossaries([path, other])["en-de"]] == ["Kunde", "Klient"]
    assert read_glossaries([]) == {}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["de\ten"], r"has no terms: after a line 'de<TAB>en'"),
        (["Kunde\tclient", "x\ty"], r"line 1 must name two languages, such as 'de<TAB>en', but is 'Kunde<TAB>client'"),
        (["de\tde", "x\ty"], r"line 1 must name two languages"),
        (["de\ten", "Kunde\t "], r"line 2: the term 'Kunde' = '' has an empty side"),
        (["de\ten", "", "Kunde"], r"line 3 has 1 column"),
        (["de\ten", "Kunde\tA client. A buyer."], r"line 2: the term 'A client. A buyer.' = 'Kunde' holds several"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, lines: list[str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read_glossary(write(tmp_path / "terms.tsv", *lines))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        read_glossary(tmp_path)
    with pytest.raises(UserError, match=r"glossary .*nowhere\.tsv does not exist"):
        read_glossary(tmp_path / "nowhere.tsv")


def test_a_term_with_capitals_of_its_own_begins_a_sentence_as_it_is() -> None:
    terms = ("client", "iPhone", "über", "4 wheels", "customer Miller", "მ")
    assert [capitalised(term) for term in terms] == ["Client", "iPhone", "Über", "4 wheels", "Customer Miller", "მ"]
