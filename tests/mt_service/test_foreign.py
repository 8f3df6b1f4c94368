"""A text in a language that no model reads is named as such."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from serving import Served

from data.languages import languages_of
from models.bundle import read_bundle, shipped_bundles
from mt_service.foreign import is_foreign
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translation import FOREIGN, Options
from mt_service.translator import Translator

POLISH = "Cześć, jak się masz? Wszystko w porządku, dziękuję."
ITALIAN = "Mi dispiace, ma oggi non posso venire alla riunione perché sono malato."
ARABIC = "مرحبا كيف حالك"
RUSSIAN = "Поезд в Москву отходит в восемь часов."
CHINESE = "我今天很忙。"


def translated(server: Served, **wish: Any) -> dict[str, Any]:
    """The one translation of an answer."""
    answer = httpx.post(server.url + "/v1/translate", json=wish)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["translations"][0]
    return found


@pytest.mark.parametrize("text", [POLISH, ITALIAN, ARABIC, RUSSIAN, CHINESE])
def test_a_text_that_is_not_what_it_was_said_to_be_is_named(shipped: Served, text: str) -> None:
    found = translated(shipped, text=text, source="de", target="en")
    shown = text if len(text) <= 60 else text[:60] + "…"
    assert found["warnings"] == [f"{FOREIGN}: {shown}"]


@pytest.mark.parametrize("text", [POLISH, ITALIAN, ARABIC, RUSSIAN, CHINESE])
def test_where_the_language_is_to_be_told_none_is_claimed(shipped: Served, text: str) -> None:
    for target in ("de", "en"):
        (warning,) = translated(shipped, text=text, target=target)["warnings"]
        assert warning.startswith(FOREIGN) or warning == "left as it is: it seems to be in no language served"


def test_of_html_what_people_see_tells_the_language(shipped: Served) -> None:
    page = f'<p class="a-class-of-some-english-words and-more-of-them">{POLISH}</p>'
    (warning,) = translated(shipped, text=page, target="de", format="html")["warnings"]
    assert warning.startswith(FOREIGN) or warning == "left as it is: it seems to be in no language served"
    (warning,) = translated(shipped, text="<p>I don't have any time <b>today</b>.</p>", target="en", format="html")[
        "warnings"
    ]
    assert warning == "left as it is: it seems to be in en already"


def test_blocks_of_html_are_named(shipped: Served) -> None:
    page = f"<p>Ich habe keine Zeit.</p><p>{RUSSIAN}</p><p><b>Wszystko</b> w porządku, jak się masz, dziękuję.</p>"
    found = translated(shipped, text=page, source="de", target="en", format="html")
    assert found["warnings"] == [f"{FOREIGN}: {RUSSIAN} | Wszystko w porządku, jak się masz, dziękuję."]


@pytest.mark.parametrize(
    ("direction", "text"),
    [
        ("de-en", "Das Wort Привет heißt Hallo."),
        ("de-en", "SUCHE NACHMIETER FÜR ZWEI ZIMMER WOHNUNG AB JULI"),
        ("de-en", "Die Rindfleischetikettierungsüberwachungsaufgabenübertragung ist Sache der Länder."),
        ("de-en", "https://example.com/a/long/address/of/many/letters C:\\Users\\name\\file.txt 12.345,67 €"),
        ("en-de", "could of told me earlier that your not coming lol"),
        ("en-de", "Preheat oven to 350°F and grease a 9-inch pan."),
        ("en-de", "12, 34, 56"),
    ],
)
def test_text_of_the_language_is_not(reader: Translator, direction: str, text: str) -> None:
    options = Options(*languages_of(direction))
    assert reader.foreign(reader.plan([text], options)[0], options) == []


@pytest.fixture(scope="module")
def reader() -> Any:
    translator = make_translator(read_bundle(shipped_bundles()[0]), Settings(device="cpu", threads=1))
    yield translator
    translator.worker.close()


def test_without_a_limit_scripts_alone_are_told(reader: Translator) -> None:
    options = Options("de", "en")
    masking, tokenizer = reader.maskings["de-en"], reader.bundle.tokenizer
    plans = reader.plan([ARABIC, POLISH], options)
    assert [is_foreign(plan, tokenizer, masking, None) for plan in plans] == [True, False]


def test_a_term_of_a_glossary_was_meant(shipped: Served) -> None:
    wish = {"text": "Привет", "source": "de", "target": "en", "glossary": {"Привет": "hello"}}
    assert "warnings" not in translated(shipped, **wish)
