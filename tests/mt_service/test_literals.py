"""Numbers, addresses and the like in translations: with an engine that says what it reads, backwards."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from backwards import Backwards, both_ways

from models.bundle import read_bundle
from mt_service.alignment import Link
from mt_service.translation import Options, Translation
from mt_service.translator import Translator

PHONE = "0176 4455667"


def translate(backwards: Translator, text: str, reverse: Translator | None = None, **options: Any) -> Translation:
    return asyncio.run(backwards.translate([text], Options("aa", "bb", **options), reverse=reverse))[0]


def test_the_first_hypothesis_with_all_literals_is_taken(backwards: Translator) -> None:
    found = translate(backwards, f"ba {PHONE} dei x@y.de lo")
    assert found.text == f"lo x@y.de dei {PHONE} ba"
    assert found.warnings == []
    assert len(found.alternatives) == 1


def test_a_hypothesis_with_another_number_comes_last(backwards: Translator, engine: Backwards) -> None:
    engine.texts = lambda job: ["lo 45 dei 35", "lo 45 dei 3"][: job.search.n_best]  # type: ignore[method-assign]
    assert translate(backwards, "3. dei 45. lo").text == "lo 45 dei 3"
    assert translate(backwards, "3. dei 45. lo").warnings == []
    lone = translate(backwards, "3. dei 45. lo", beam=1)
    assert (lone.text, lone.warnings) == ("lo 45 dei 35", ["numbers that the translation seems to lack: 3"])
    assert translate(backwards, "ka dei").text == "lo 45 dei 35"


def test_alternatives_are_filled_with_the_others(backwards: Translator) -> None:
    found = translate(backwards, f"ba {PHONE} dei", n_best=2)
    assert [one.text for one in found.alternatives] == [f"dei {PHONE} ba", "dei ba"]


def test_what_no_hypothesis_holds_is_told(backwards: Translator) -> None:
    found = translate(backwards, f"ba {PHONE} dei", beam=1)
    assert found.text == "dei ba"
    assert found.warnings == [f"the translation lacks or repeats what it should hold once: {PHONE}"]


def test_literals_alone_are_not_searched_for(backwards: Translator, engine: Backwards) -> None:
    found = translate(backwards, "https://example.org\n😀\n 5.\n?!", alignments=True)
    assert found.text == "https://example.org\n😀\n 5.\n?!"
    assert (found.sentences, found.tokens, engine.read) == (0, 0, [])


def test_a_sentence_with_more_literals_than_symbols_is_cut(backwards: Translator) -> None:
    found = translate(backwards, "ba 😀 dei 😀 lo ka 😀 mo 😀")
    assert found.text.split().count("😀") == 4
    assert found.sentences == 2
    assert any("cut into 2 parts" in one for one in found.warnings)


def test_a_long_address_is_never_cut(backwards: Translator) -> None:
    address = "https://example.org/" + "a" * 900
    found = translate(backwards, f"  ba dei {address} lo. ka\n")
    assert found.text == f"  dei ba {address} ka lo.\n"


@pytest.mark.parametrize("unit", [".", "-", "a", "a@", "1 ", "(0", "+1", "A1-", "a.", "/a", "<a ", "😀 ", "я"])
@pytest.mark.parametrize("start", ["", "https://", "www.a"])
def test_no_text_takes_long_to_look_through(backwards: Translator, start: str, unit: str) -> None:
    text = (start + unit * 20_000)[:20_000]
    started = time.perf_counter()
    (plan,) = backwards.plan([text], Options("aa", "bb"))
    assert time.perf_counter() - started < 5
    assert "".join(piece.text + piece.separator for piece in plan.pieces) == text


def test_links_treat_a_literal_of_several_words_as_one(backwards: Translator) -> None:
    text = f" ba {PHONE} dei"
    found = translate(backwards, text, alignments=True)
    assert found.alignment is not None
    assert [text[start:end] for start, end in found.alignment.source_words] == ["ba", PHONE, "dei"]
    assert [found.text[start:end] for start, end in found.alignment.target_words] == ["dei", PHONE, "ba"]
    assert {link.target for link in found.alignment.links} == {0, 1, 2}
    of_phone = [link for link in found.alignment.links if link.target == 1]
    assert of_phone == [Link(1, 1, 1.0)]  # wherever the engine looks


def test_what_reads_backwards_sees_the_same_symbols(backwards: Translator, engine: Backwards) -> None:
    found = translate(backwards, f"ba {PHONE} dei", backwards)
    assert found.text == f"dei {PHONE} ba"
    assert sorted(engine.read[1:]) == [("dei ba", "ba \ue000 dei"), ("dei \ue000 ba", "ba \ue000 dei")]


def test_who_knows_no_symbols_reads_the_literals_themselves(
    backwards: Translator, golden: Path, engine: Backwards
) -> None:
    reverse = Translator(both_ways(golden, placeholders=False), backwards.worker)
    translate(backwards, "ba 😀 dei", reverse)
    assert sorted(engine.read[1:]) == [("dei ba", "ba 😀 dei"), ("dei 😀 ba", "ba 😀 dei")]


def test_lines_carry_literals_too(backwards: Translator) -> None:
    found = list(backwards.translate_lines([f"ba {PHONE}", "dei lo", "😀"], Options("aa", "bb")))
    assert [one.text for one in found] == [f"{PHONE} ba", "lo dei", "😀"]


def test_a_bundle_whose_network_learned_none_is_left_alone(golden: Path) -> None:
    assert read_bundle(golden).placeholders == ()
