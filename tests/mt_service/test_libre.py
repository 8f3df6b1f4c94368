"""HTML over HTTP, and what programs made for LibreTranslate ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import Request
from serving import Served, ask, metric, serve

from models.bundle import shipped_bundles
from mt_service.detection import Guess
from mt_service.problems import RefusedError
from mt_service.routes.sources import Told, sources_of


@pytest.fixture(scope="module")
def server(golden: Path) -> Iterator[Served]:
    with serve(golden, max_texts=3) as served:
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


def test_the_only_language_that_leads_there_is_the_source_where_languages_are_not_told_apart(server: Served) -> None:
    found = libre(server, source="auto").json()
    assert found == {"translatedText": "dei ba", "detectedLanguage": {"language": "aa", "confidence": 0}}
    assert libre(server, source="auto", target="aa").json() == {"error": "no model translates to aa; there are: aa-bb"}
    answer = httpx.post(server.url + "/v1/detect", json={"text": "ba"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "cannot_detect")
    assert (
        httpx.post(server.url + "/detect", json={"q": "ba"}).json()["error"].startswith("languages are told apart only")
    )


def test_languages_are_told_apart(shipped: Served) -> None:
    for language, text in (("de", "Wir haben gestern lange gewartet."), ("en", "We waited for a long time yesterday.")):
        found = httpx.post(shipped.url + "/v1/detect", json={"text": text}).json()["languages"]
        assert found[0]["language"] == language
        assert found[0]["probability"] > 0.99
        assert sum(one["probability"] for one in found) == pytest.approx(1, abs=0.001)
        found = httpx.post(shipped.url + "/detect", json={"q": text}).json()
        assert (found[0]["language"], found[0]["confidence"] > 99) == (language, True)
    found = httpx.post(shipped.url + "/v1/detect", json={"text": " 12 \U0001f600"}).json()["languages"]
    assert [one["probability"] for one in found] == [0.5, 0.5]
    assert httpx.get(shipped.url + "/v1/languages").json()["detection"]


def test_a_text_is_translated_from_the_language_that_it_is_in(shipped: Served) -> None:
    found = libre(shipped, q=["<p>I have no time.</p>", "<p>12</p>"], source="auto", target="de", format="html").json()
    assert found["detectedLanguage"] == [{"language": "en", "confidence": 100.0}] * 2
    assert found["translatedText"] == ["<p>Ich habe keine Zeit.</p>", "<p>12</p>"]
    mail = f"<html><head><style>{'p {color: red} ' * 600}</style></head><body><p>I have no time.</p></body></html>"
    found = libre(shipped, q=mail, source="auto", target="de", format="html").json()
    assert "<p>Ich habe keine Zeit.</p>" in found["translatedText"]
    found = libre(shipped, q=["\n" * 500, "I have no time."], source="auto", target="de").json()
    assert found["translatedText"][1] == "Ich habe keine Zeit."
    found = libre(shipped, q="12", source="auto", target="de").json()
    assert found == {"translatedText": "12", "detectedLanguage": {"language": "en", "confidence": 50.0}}
    found = libre(shipped, q="Ich habe keine Zeit.", source="auto", target="de", alternatives=1).json()
    assert (found["translatedText"], found["alternatives"]) == ("Ich habe keine Zeit.", [])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("q=ba+dei&source=aa&target=bb", "dei ba"),
        ("q=ba+dei&q=ka+lo&target=bb&format=text&api_key=", ["dei ba", "lo ka"]),
    ],
)
def test_a_form_is_read_too(server: Served, body: str, text: str | list[str]) -> None:
    for kind in ("application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded"):
        answer = httpx.post(server.url + "/translate", content=body, headers={"Content-Type": kind})
        assert answer.json()["translatedText"] == text


@pytest.mark.parametrize("text", ["Gr%FC%DFe", b"\xfc"])
def test_a_form_in_another_encoding_is_refused(server: Served, text: str | bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"source=aa&target=bb&q=" + (text.encode() if isinstance(text, str) else text)
    answer = httpx.post(server.url + "/translate", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"].startswith("the form is not in UTF-8")) == (422, True)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"q": None}, 422, "field 'q' is missing"),
        ({"target": "xx"}, 422, "no model translates aa to xx; there are: aa-bb"),
        ({"target": "xx", "source": "auto"}, 422, "no model translates to xx; there are: aa-bb"),
        ({"q": ["ba"] * 4}, 422, "field 'q': 4 texts asked for, but at most 3 are allowed"),
        ({"target": "auto", "source": "auto"}, 422, "no model translates to auto; there are: aa-bb"),
        (
            {"q": "x" * 20_001, "source": "auto"},
            422,
            "field 'q': 20001 characters in all asked for, but at most 20000 are allowed",
        ),
        ({"format": "xml"}, 422, "field 'format': input should be 'text' or 'html'"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(
    server: Served, change: dict[str, Any], status: int, message: str
) -> None:
    answer = libre(server, **change)
    assert (answer.status_code, answer.json()) == (status, {"error": message})


def test_what_is_null_is_as_if_it_were_not_there_and_html_has_no_alternatives(server: Served) -> None:
    assert libre(server, format=None, alternatives=None).json() == {"translatedText": "dei ba"}
    told = libre(server, source=None).json()
    assert told["translatedText"] == "dei ba"
    found = libre(server, q="<p>ba dei</p>", format="html", alternatives=3).json()
    assert found == {"translatedText": "<p>dei ba</p>", "alternatives": []}


def test_a_mark_of_byte_order_is_passed_over_and_other_codings_are_named(server: Served) -> None:
    body, kind = b'\xef\xbb\xbf{"q": "ba dei", "source": "aa", "target": "bb"}', {"Content-Type": "application/json"}
    assert httpx.post(server.url + "/translate", content=body, headers=kind).json() == {"translatedText": "dei ba"}
    packed = httpx.post(server.url + "/translate", content=body, headers={**kind, "Content-Encoding": "br"})
    assert (packed.status_code, packed.json()["error"]) == (415, "the body is encoded (br): send it as it is")


def test_forms_of_many_parts_are_refused(server: Served) -> None:
    answer = httpx.post(server.url + "/translate", files={"q": b"ba"}, data={"target": "bb"})
    assert answer.status_code == 415
    assert answer.json()["error"].startswith("the body is a form of many parts: send JSON")


def test_a_form_of_very_many_fields_is_refused(server: Served) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(server.url + "/translate", content=b"target=bb" + b"&q=ba" * 103, headers=headers)
    assert (answer.status_code, answer.json()) == (
        422,
        {"error": "the form has more than 103 fields; send fewer texts at once"},
    )


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


def test_where_languages_are_not_told_apart_the_source_must_be_named() -> None:
    registry = SimpleNamespace(directions=lambda: dict.fromkeys(("fr-en", "de-en", "en-de"), SimpleNamespace()))
    request = cast(Request, SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(registry=registry))))
    assert asyncio.run(sources_of(request, ["ba", "ka"], "de", is_html=False)) == [Told(Guess("en", 0.0))] * 2
    with pytest.raises(RefusedError, match=r"told apart only where .*; name one of de, fr"):
        asyncio.run(sources_of(request, ["ba"], "en", is_html=False))
    with pytest.raises(RefusedError, match="no model translates to xx; there are: de-en, en-de, fr-en"):
        asyncio.run(sources_of(request, ["ba"], "xx", is_html=False))
