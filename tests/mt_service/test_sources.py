"""Requests that name no source: the language of each text is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Served, metric, serve

from models.bundle import shipped_bundles
from mt_service.detection import Guess
from mt_service.routes.sources import chosen, paragraphs_of

DE, EN = "Ich habe heute leider keine Zeit.", "I don't have any time today."


def told(server: Served, texts: Any, target: str, **more: Any) -> dict[str, Any]:
    """What a server makes of texts whose source is not named."""
    answer = httpx.post(server.url + "/v1/translate", json={"text": texts, "target": target, **more})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def sources(found: dict[str, Any]) -> list[str]:
    return [one["source"] for one in found["translations"]]


@pytest.mark.parametrize("named", [{"source": "auto"}, {}])
def test_a_text_is_translated_from_the_language_that_it_is_in(shipped: Served, named: dict[str, str]) -> None:
    for text, source, target in ((DE, "de", "en"), (EN, "en", "de")):
        found = told(shipped, text, target, **named)
        assert (found["source"], found["model"], sources(found)) == ("auto", "de-en", [source])
        assert found["translations"][0]["text"] not in (DE, EN)


def test_texts_of_several_languages_are_translated_each_from_its_own(shipped: Served) -> None:
    before = metric(shipped.url, "mt_sentences_total")
    texts = [" ".join([EN] * 20), *[DE, EN] * 3]
    found = told(shipped, texts, "en", n_best=2, alignments=True)
    assert sources(found) == ["en", *["de", "en"] * 3]
    for text, one in zip(texts, found["translations"], strict=True):
        kept = one["source"] == "en"
        assert one.get("warnings") == (["left as it is: it seems to be in en already"] if kept else None)
        assert (one["text"] == text) == kept
        assert bool(one["alignment"]["links"]) != kept
        assert one["alternatives"][0]["text"] == one["text"]
    assert found["usage"]["sentences"] == 3
    assert metric(shipped.url, "mt_sentences_total") - before == 3


REPLY = f"Hallo Tom,\n\n> {EN}\n> It is raining, and the train is late.\n\n{DE}\n\nGrüße"


def test_paragraphs_in_the_target_language_stay_as_they_are(shipped: Served) -> None:
    (found,) = told(shipped, REPLY, "en", alignments=True)["translations"]
    quoted = f"> {EN}\n> It is raining, and the train is late."
    assert found["source"] == "de"
    assert quoted in found["text"]
    assert DE not in found["text"]
    assert found["warnings"] == [f"in en already, and left as it is: {' '.join(quoted.split())[:60]}…"]


def test_a_text_that_begins_in_the_target_language_may_go_on_in_another(shipped: Served) -> None:
    long = " ".join([EN] * 20)
    (found,) = told(shipped, f"{long}\n\n{DE}\n{DE}", "en")["translations"]
    assert found["source"] == "de"
    assert found["text"].startswith(f"{long}\n\n")
    assert DE not in found["text"]


def test_paragraphs_of_very_long_texts_are_looked_at_here_and_there() -> None:
    text = "\n\n".join(f"Das ist der Absatz {i}." for i in range(100))
    spans = paragraphs_of(text)
    assert 8 <= len(spans) <= 16
    assert [text[slice(*span)] for span in spans[:2]] == ["Das ist der Absatz 0.", "Das ist der Absatz 7."]
    assert paragraphs_of("Nur ein Absatz mit Worten.") == []
    assert paragraphs_of("Zu kurz\n\nDas ist auch nicht lang.") == []


def test_texts_that_tell_nothing_are_taken_for_what_all_others_are(shipped: Served) -> None:
    assert sources(told(shipped, ["12", DE, "😀", DE], "en")) == ["de"] * 4
    assert sources(told(shipped, ["12", EN, "😀", EN], "de")) == ["en"] * 4


def test_characters_are_counted_once_and_nobody_translates_what_stays(shipped: Served) -> None:
    found = told(shipped, [DE, DE], "en")
    assert found["usage"]["characters"] == 2 * len(DE)
    left = told(shipped, [EN], "en")
    assert (left["model"], left["usage"]["sentences"]) == ("", 0)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/this/is/the/address/of/a/page/that/has/many/english/words/in/it " * 3 + DE,
        "0 " * 200 + DE,
        "\n" * 500 + DE,
        "Auto",
        "Hand",
    ],
)
def test_what_tells_nothing_is_passed_over_and_what_is_unsure_is_translated(shipped: Served, text: str) -> None:
    assert sources(told(shipped, text, "en")) == ["de"]


def test_text_of_html_is_told_by_what_is_read(shipped: Served) -> None:
    script = "<script>" + "if this then that; " * 30 + "</script>"
    page = "<title>Hotel</title>" + "<div>\n</div>" * 300 + script + f"<p>{DE}</p>"
    found = told(shipped, page, "en", format="html")
    assert sources(found) == ["de"]
    assert DE not in found["translations"][0]["text"]


def test_where_languages_are_not_told_apart_the_only_source_is_taken(golden: Path) -> None:
    with serve(golden) as server:
        assert sources(told(server, ["ba dei", "ka"], "bb")) == ["aa", "aa"]
        answer = httpx.post(server.url + "/v1/translate", json={"text": "ba dei", "target": "xx"})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "target")


def test_a_text_that_nothing_translates_to_the_target_stays_as_it_is() -> None:
    captions = Path(__file__).parents[2] / "benchmarks" / "bundles" / "multi30k-en-fr"
    with serve(shipped_bundles()[0], captions) as server:
        stays, goes = told(server, ["Ein Mann fährt mit dem Rad durch die Stadt.", "A man rides a bike."], "fr")[
            "translations"
        ]
    assert (stays["text"], stays["source"]) == ("Ein Mann fährt mit dem Rad durch die Stadt.", "de")
    assert stays["warnings"] == ["left as it is: it seems to be in de, which no model translates to fr"]
    assert (goes["text"].split()[0], goes["source"]) == ("Un", "en")


def test_a_sure_text_has_its_own_language_and_others_that_of_all() -> None:
    sure, unsure, even = {"de": 0.0, "en": -20.0}, {"de": -1.0, "en": 0.0}, {"de": 0.0, "en": 0.0}
    assert chosen(sure, {"de": -90.0, "en": 0.0}, ["de"]).language == "de"
    assert chosen(unsure, sure, ["de"]) == Guess("de", pytest.approx(1.0))
    assert chosen(unsure, {"de": -90.0, "en": 0.0}, ["de"]).language == "en"
    assert chosen(unsure, unsure, ["de"]) == Guess("de", pytest.approx(0.2689, abs=1e-4))
    assert chosen(even, even, ["en"]) == Guess("en", 0.5)
