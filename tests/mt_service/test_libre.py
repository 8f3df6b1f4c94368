"""HTML over HTTP, and what programs made for LibreTranslate ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from serving import Served, ask, metric, serve

from models.bundle import shipped_bundles
from mt_service.problems import RefusedError
from mt_service.registry import Registry
from mt_service.routes.libre import Wish, source_of


@pytest.fixture(scope="module")
def server(golden: Path) -> Iterator[Served]:
    with serve(golden, max_texts=3) as served:
        yield served


@pytest.fixture(scope="module")
def shipped() -> Iterator[Served]:
    with serve(*shipped_bundles()) as served:
        yield served


def libre(server: Served, **body: Any) -> httpx.Response:
    return httpx.post(
        server.url + "/translate", json={"q": "ba dei", "source": "aa", "target": "bb", **body}, timeout=60
    )


def test_html_keeps_its_tags(server: Served) -> None:
    answer = ask(server, ["<p>ba dei\n<br></p> <p>12</p>", "<br>"], format="html").json()
    assert [one["text"] for one in answer["translations"]] == ["<p>dei ba\n<br></p> <p>12</p>", "<br>"]


def test_a_tag_goes_where_its_word_went(shipped: Served) -> None:
    body = {"text": "<p>I have two <b>big</b> dogs &amp; a cat.</p>", "source": "en", "target": "de", "format": "html"}
    answer = httpx.post(shipped.url + "/v1/translate", json=body).json()
    text = answer["translations"][0]["text"]
    assert text.startswith("<p>Ich habe zwei <b>große</b> Hunde")
    assert text.endswith("</p>")


@pytest.mark.parametrize("more", [{"n_best": 2}, {"alignments": True}])
def test_of_html_there_is_one_translation(server: Served, more: dict[str, Any]) -> None:
    answer = ask(server, "<p>ba</p>", format="html", **more)
    (field,) = more
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == f"field '{field}': of HTML there is one translation, without alignments"


def test_an_unknown_format_is_named(server: Served) -> None:
    error = ask(server, "ba", format="xml").json()["error"]
    assert (error["field"], error["message"]) == ("format", "field 'format': input should be 'text' or 'html'")


def test_a_text_gives_a_text_and_a_list_a_list(server: Served) -> None:
    assert libre(server).json() == {"translatedText": "dei ba"}
    assert libre(server, q=["ba dei", ""]).json() == {"translatedText": ["dei ba", ""]}
    assert libre(server, q=[]).json() == {"translatedText": []}
    assert libre(server, q="<b>ba dei</b>", format="html", api_key="x").json() == {"translatedText": "<b>dei ba</b>"}
    assert metric(server.url, "mt_sentences_total") > 0


def test_alternatives_come_beside_the_translation(server: Served) -> None:
    answer = libre(server, alternatives=2).json()
    assert len(answer["alternatives"]) == 2
    assert answer["translatedText"] not in answer["alternatives"]
    assert len(libre(server, q=["ba", "dei"], alternatives=99).json()["alternatives"]) == 2


def test_the_only_language_that_leads_there_is_the_source(server: Served, shipped: Served) -> None:
    found = libre(server, source="auto").json()
    assert found == {"translatedText": "dei ba", "detectedLanguage": {"language": "aa", "confidence": 0}}
    found = libre(shipped, q=["Ich habe keine Zeit."], source="auto", target="en").json()
    assert found["detectedLanguage"] == [{"language": "de", "confidence": 0}]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("q=ba+dei&source=aa&target=bb", "dei ba"),
        ("q=ba+dei&q=ka+lo&target=bb&format=text&api_key=", ["dei ba", "lo ka"]),
    ],
)
def test_a_form_is_read_too(server: Served, body: str, text: str | list[str]) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = httpx.post(server.url + "/translate", content=body, headers=headers)
    assert answer.json()["translatedText"] == text


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"q": None}, 422, "field 'q': input should be a valid string, or input should be a valid array"),
        ({"target": "xx"}, 422, "no model translates aa to xx; there are: aa-bb"),
        ({"target": "xx", "source": "auto"}, 422, "no model translates auto to xx; there are: aa-bb"),
        ({"q": ["ba"] * 4}, 422, "field 'q': 4 texts asked for, but at most 3 are allowed"),
        ({"format": "xml"}, 422, "field 'format': input should be 'text' or 'html'"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(
    server: Served, change: dict[str, Any], status: int, message: str
) -> None:
    answer = libre(server, **change)
    assert (answer.status_code, answer.json()) == (status, {"error": message})


def test_broken_bodies_are_told(server: Served) -> None:
    for body in (b"{", b"", b"\xff", b"[]"):
        answer = httpx.post(server.url + "/translate", content=body)
        assert answer.status_code in (400, 422)
        assert isinstance(answer.json()["error"], str)


def test_languages_are_listed(golden: Path) -> None:
    with serve(golden, *shipped_bundles()) as served:
        listed = httpx.get(served.url + "/languages").json()
    assert {"code": "de", "name": "German", "targets": ["en"]} in listed
    assert {"code": "aa", "name": "aa", "targets": ["bb"]} in listed


def test_where_several_languages_lead_to_one_the_source_must_be_named() -> None:
    registry = cast(Registry, SimpleNamespace(directions=lambda: {"fr-en": None, "de-en": None, "en-de": None}))
    assert source_of(Wish(q="ba", target="de"), registry) == "en"
    assert source_of(Wish(q="ba", source="fr", target="en"), registry) == "fr"
    with pytest.raises(RefusedError, match="languages are not told apart here; name one of de, fr"):
        source_of(Wish(q="ba", target="en"), registry)
