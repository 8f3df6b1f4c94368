"""Times of day in translations by the model that ships."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from serving import Served


def translate(server: Served, text: str, source: str, **more: Any) -> dict[str, Any]:
    body = {"text": text, "source": source, "target": {"de": "en", "en": "de"}[source], **more}
    found: dict[str, Any] = httpx.post(server.url + "/v1/translate", json=body, timeout=60).json()["translations"][0]
    return found


@pytest.mark.parametrize(
    ("source", "text", "time"),
    [
        ("en", "The train leaves at 10 p.m.", "22 Uhr"),
        ("en", "The store is open from 9 a.m. to 6 p.m.", "von 9 bis 18 Uhr"),
        ("en", "I have an appointment at 2:30 pm on Friday.", "14:30 Uhr"),
        ("de", "Der Zug fährt um 22 Uhr ab.", "10 p.m."),
        ("de", "Mo–Fr 9–18 Uhr, Sa 10–14 Uhr", "9 a.m.–6 p.m."),
        ("de", "Das Konzert beginnt um 19.30 Uhr.", "7:30 p.m."),
        ("de", "Ihr Schreiben vom 03.05.2024 haben wir erhalten.", "May 3, 2024"),
        ("de", "Die Frist endet am 31.12.", "on December 31."),
        ("en", "The deadline was 12/24/2023.", "24.12.2023"),
    ],
)
def test_times_and_dates_stay_the_same(shipped: Served, source: str, text: str, time: str) -> None:
    found = translate(shipped, text, source)
    assert time in found["text"]
    assert "warnings" not in found


@pytest.mark.parametrize(
    ("source", "text", "time", "written"),
    [
        ("en", "The train leaves at 10 p.m. on Friday.", "10 p.m.", "22 Uhr"),
        ("de", "Der Zug fährt am Freitag um 22 Uhr ab.", "22", "10 p.m."),
        ("de", "Die Sitzung findet am 3.5.2024 in Berlin statt.", "3.5.2024", "May"),
    ],
)
def test_a_time_is_linked_to_itself(shipped: Served, source: str, text: str, time: str, written: str) -> None:
    found = translate(shipped, text, source, alignments=True)
    alignment = found["alignment"]
    sources = [text[span["start"] : span["end"]] for span in alignment["source_words"]]
    targets = [found["text"][span["start"] : span["end"]] for span in alignment["target_words"]]
    linked = {(sources[link["source"]], targets[link["target"]]) for link in alignment["links"]}
    assert (time, written) in linked or (time, f"{written}.") in linked  # at the end of the sentence, perhaps
