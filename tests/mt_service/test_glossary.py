"""Terms of glossaries in translations: with an engine that says what it reads, backwards."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from backwards import Backwards, both_ways

from data.errors import UserError
from data.glossary import Glossary, glossary_of
from models.bundle import Bundle
from mt_service.app import create_app
from mt_service.cli import main
from mt_service.engine.interface import Limits
from mt_service.engine.worker import Worker
from mt_service.registry import Registry
from mt_service.settings import Settings, load_settings
from mt_service.translation import Options, Translation
from mt_service.translator import Translator

TERMS = glossary_of({"ba": "client", "Lo mo": "iPhone", "dei": "über-X", "45": "many"}, "aa")


def translate(backwards: Translator, text: str, glossary: Glossary | None = TERMS, **options: Any) -> Translation:
    return asyncio.run(backwards.translate([text], Options("aa", "bb", glossary=glossary, **options)))[0]


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("ka ba lo", "lo client ka"),
        ("ka Ba lo", "lo client ka"),
        ("ka bas lo", "lo bas ka"),
        ("ka ba dei lo", "lo client über-X ka"),  # neighbours are one
        ("ka Lo mo lo", "lo iPhone ka"),
        ("ka lo mo lo", "lo mo lo ka"),
        ("ka lo ba", "client lo ka"),
        ("Ka lo ba", "Client lo Ka"),  # begins a sentence
        ("Ka lo Lo mo", "iPhone lo Ka"),
        ("Ka lo dei", "über-X lo Ka"),  # has a capital of its own
        ("Ba lo", "lo client"),
        ("ka 45 lo", "lo many ka"),
        ("ka ba@x.de lo", "lo ba@x.de ka"),  # within a longer literal
        ("Ka lo ba Kim", "Kim client lo Ka"),
        ("Ka lo ba Lo mo", "Client iPhone lo Ka"),  # neighbours, of which the first begins the sentence
        ("Ba.", "Client."),  # a capital for the small letter of the term
        ("ba.", "client."),
        ("Lo mo", "iPhone"),
        ("5 ba 12.30 ka", "ka 12.30 5 client"),
        ("ba\ndei", "client\nüber-X"),
    ],
)
def test_terms_stand_in_the_translation_as_the_glossary_says(
    backwards: Translator, text: str, translation: str
) -> None:
    found = translate(backwards, text)
    assert (found.text, found.warnings) == (translation, [])


def test_a_text_of_terms_alone_is_not_searched_for(backwards: Translator, engine: Backwards) -> None:
    found = translate(backwards, "ba dei")
    assert (found.text, found.sentences, engine.read) == ("client über-X", 0, [])


def test_words_are_linked_to_the_terms_that_stand_for_them(backwards: Translator) -> None:
    found = translate(backwards, "ka Lo mo lo", alignments=True)
    assert found.alignment is not None
    words = [found.text[start:end] for start, end in found.alignment.target_words]
    assert "iPhone" in words
    linked = {link.source for link in found.alignment.links if link.target == words.index("iPhone")}
    spans = [found.alignment.source_words[index] for index in linked]
    assert ["ka Lo mo lo"[start:end] for start, end in spans] == ["Lo mo"]


def test_a_network_that_says_a_term_by_itself_is_believed(backwards: Translator, engine: Backwards) -> None:
    engine.texts = lambda job: ["lo bas ka", "lo clients ka", "Client lo ka"][: job.search.n_best]  # type: ignore[method-assign]
    found = translate(backwards, "ka ba lo", beam=3, alignments=True)
    assert (found.text, found.warnings) == ("Client lo ka", [])
    assert found.alignment is not None
    assert len(found.alignment.source_words) == 3


def test_more_terms_than_symbols_are_held_as_far_as_these_go(backwards: Translator) -> None:
    found = translate(backwards, "ka ba lo dei ka 45 lo ba ka")
    assert found.text == "ka ba lo 45 ka über-X lo client ka"
    assert found.sentences == 1
    assert found.warnings == ["the translation lacks or repeats what it should hold once: many, client"]


def test_a_term_that_no_hypothesis_holds_is_told(backwards: Translator) -> None:
    found = translate(backwards, "ka ba lo", beam=1)
    assert found.warnings == ["the translation lacks or repeats what it should hold once: client"]


def test_a_second_try_knows_the_terms_too(backwards: Translator, engine: Backwards) -> None:
    whole = engine.texts
    engine.texts = lambda job: [text.replace("5 ", "") for text in whole(job)]  # type: ignore[method-assign]
    assert translate(backwards, "ka 5 lo ba").text == "client lo 5 ka"
    assert [text.count("\ue000") + text.count("\ue001") for text, _ in engine.read] == [0, 1, 2]


def test_the_terms_of_a_request_come_before_those_of_the_translator(backwards: Translator) -> None:
    backwards.follow("aa-bb", [glossary_of({"ba": "one", "lo": "two"}, "aa")])
    assert translate(backwards, "ka ba ka lo", None).text == "two ka one ka"
    assert translate(backwards, "ka ba ka lo").text == "two ka client ka"
    assert translate(backwards, "ka ba ka lo", None).text == "two ka one ka"


def test_lines_have_their_terms(backwards: Translator) -> None:
    found = backwards.translate_lines(["ka ba", "lo"], Options("aa", "bb", glossary=TERMS))
    assert [one.text for one in found] == ["client ka", "lo"]


def test_a_network_without_symbols_cannot_follow_a_glossary(translator: Translator) -> None:
    with pytest.raises(UserError, match="toy cannot follow a glossary: it was trained without placeholder symbols"):
        translator.follow("aa-bb", [TERMS])
    translator.follow("aa-bb", [])
    with pytest.raises(UserError, match="toy cannot follow a glossary"):
        translate(translator, "ba")


def file_of(folder: Path, header: str = "aa\tbb") -> Path:
    path = folder / "terms.tsv"
    path.write_text(f"{header}\nba\tclient\n", encoding="utf-8")
    return path


def registry(golden: Path, *files: Path) -> Registry:
    def make(bundle: Bundle, _settings: Settings) -> Translator:
        engine = Backwards(both_ways(bundle.folder, placeholders=True))
        return Translator(engine.bundle, Worker(lambda: engine, Limits(rows=64)))

    return Registry(Settings(bundles=(str(golden),), glossaries=tuple(map(str, files))), make)


def test_a_server_has_a_glossary_of_its_own_and_takes_those_of_requests(golden: Path, tmp_path: Path) -> None:
    app = create_app(Settings(), served := registry(golden, file_of(tmp_path)))
    served.load()
    body = {"text": "ka ba ka lo", "source": "aa", "target": "bb"}

    async def look() -> tuple[list[str], Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            asked = [body, {**body, "glossary": {"lo": "zwei", "ba": "eins"}}, {**body, "glossary": {}}]
            answers = [await client.post("/v1/translate", json=one) for one in asked]
            texts = [one.json()["translations"][0]["text"] for one in answers]
            return texts, (await client.get("/v1/languages")).json()

    texts, languages = asyncio.run(look())
    assert texts == ["lo ka client ka", "zwei ka eins ka", "lo ka client ka"]
    assert all(direction["glossary"] for direction in languages["directions"])
    served.close()


def test_a_glossary_that_nothing_uses_is_refused(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a glossary is for aa-cc, but there are only: aa-bb"):
        registry(golden, file_of(tmp_path, "aa\tcc")).load()


def test_a_glossary_that_changed_is_read_with_the_bundles(golden: Path, tmp_path: Path) -> None:
    served = registry(golden, path := file_of(tmp_path))
    served.load()
    path.write_text("aa\tbb\nba\tbuyer\n", encoding="utf-8")
    served.load()
    assert translate(served.find("aa", "bb"), "ka ba", None).text == "buyer ka"
    served.close()


def test_who_serves_no_direction_of_a_glossary_need_not_follow_it(golden: Path, tmp_path: Path) -> None:
    made = iter([True, False])

    def make(bundle: Bundle, _settings: Settings) -> Translator:
        engine = Backwards(both_ways(bundle.folder, placeholders=next(made)))
        return Translator(engine.bundle, Worker(lambda: engine, Limits(rows=64)))

    settings = Settings(bundles=(str(golden), str(golden)), glossaries=(str(file_of(tmp_path)),))
    served = Registry(settings, make)
    served.load()
    assert translate(served.find("aa", "bb"), "ka ba", None).text == "client ka"
    served.close()


def test_lines_follow_the_glossaries_that_are_named_and_not_the_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terms, text, out = tmp_path / "terms.tsv", tmp_path / "text.de", tmp_path / "text.en"
    terms.write_text("de\ten\nZeit\tleisure\n", encoding="utf-8")
    text.write_text("Ich habe keine Zeit.\n", encoding="utf-8")
    words = ["translate", "--source", "de", "--target", "en", "--input", str(text), "--output", str(out), "--quiet"]
    assert main([*words, "--glossary", str(terms), "--threads", "1"]) == 0
    assert "leisure" in out.read_text(encoding="utf-8")
    monkeypatch.setenv("MT_GLOSSARIES", str(terms))
    assert main([*words, "--threads", "1"]) == 0
    assert "time" in out.read_text(encoding="utf-8")
    assert load_settings(os.environ).glossaries == (str(terms),)
    terms.write_text("Zeit\tleisure\n", encoding="utf-8")
    assert main([*words, "--glossary", str(terms)]) == 2
    assert "has no terms" in capsys.readouterr().err


def test_what_was_loaded_stays_when_a_glossary_turns_bad(golden: Path, tmp_path: Path) -> None:
    served = registry(golden, path := file_of(tmp_path))
    served.load()
    before = served.translators
    path.write_text("aa\tbb\nba\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"terms\.tsv line 2 has 1 column"):
        served.load()
    assert served.translators == before
    served.close()
