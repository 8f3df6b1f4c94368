"""Texts to translations: sentences, batches, n-best lists, word links, streams."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from backwards import Backwards
from toy import WORDS

from data.errors import UserError
from data.literals import Masked
from models.bundle import read_bundle
from mt_service.engine.interface import DeadlineError, EngineError
from mt_service.pieces import Piece, separators
from mt_service.registry import make_translator
from mt_service.settings import Settings
from mt_service.translation import Options, Translation
from mt_service.translator import Translator


def ask(translator: Translator, texts: Sequence[str], seconds: float = 60.0, **options: Any) -> list[Translation]:
    return asyncio.run(translator.translate(texts, Options("aa", "bb", **options), seconds))


def made_up(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(3, 8))) for _ in range(count)]


def test_sentences_are_translated_apart_and_what_stands_between_them_stays(translator: Translator) -> None:
    (found,) = ask(translator, ["  ba dei lo\n\n\tka mo\r\n"])
    assert found.text == "  lo dei ba\n\n\tmo ka\r\n"
    assert found.sentences == 2


def test_marks_of_lists_stay_letters_too(translator: Translator) -> None:
    (found,) = ask(translator, ["a) ba dei\n  IV) ka lo\n(b) ka mo"])
    assert found.text == "a) dei ba\n  IV) lo ka\n(b) mo ka"
    assert found.sentences == 3


def test_chinese_sentences_get_the_spaces_that_the_target_language_has() -> None:
    texts = (("我。", ""), ("你？」", ""), ("x", ""), ("他！", "\n"), ("好。", ""))
    pieces = [Piece(text, 0, gap, (), Masked(text, {}, {})) for text, gap in texts]
    assert separators(pieces, "de") == [" ", " ", "", "\n", ""]
    assert separators(pieces, "zh_Hant") == ["", "", "", "\n", ""]


def test_chinese_gets_no_space_that_another_language_has_between_sentences() -> None:
    texts = (("", " "), ("I.", " "), ("You?", "  "), ("He.", "\n"), ("End.", " "))
    pieces = [Piece(text, 0, gap, (), Masked(text, {}, {})) for text, gap in texts]
    assert separators(pieces, "zh") == separators(pieces, "ja") == [" ", "", "  ", "\n", " "]
    assert separators(pieces, "th") == separators(pieces, "de") == [gap for _, gap in texts]
    pieces = [Piece(text, 0, " ", (), Masked(text, {}, {})) for text in ("-", "2)", "|", "I.", "He.")]
    assert separators(pieces, "zh") == [" ", " ", " ", "", " "]


def test_words_after_such_a_space_are_found_where_they_stand(translator: Translator) -> None:
    (found,) = ask(translator, ["ba dei。lo ka"], alignments=True)
    assert found.alignment is not None
    assert [found.text[start:end] for start, end in found.alignment.target_words] == found.text.split()
    assert len(found.text.split()) >= 4


def test_a_sentence_whose_translation_lost_its_stop_does_not_run_into_the_next(translator: Translator) -> None:
    glued, parted = ask(translator, ["ba dei. Lo ba", "ba dei.\nLo ba"])
    assert glued.text.startswith("dei ba. ")
    assert parted.text.startswith("dei ba\n")


@pytest.mark.parametrize("mark", ["\u0301", "\ufe0f", "\u0345"])
def test_a_letter_with_endless_marks_is_cut_like_any_other_text(translator: Translator, mark: str) -> None:
    text = "a" + mark * 19_999
    started = time.perf_counter()
    (plan,) = translator.plan([text], Options("aa", "bb"))
    assert time.perf_counter() - started < 5
    assert "".join(piece.text + piece.separator for piece in plan.pieces) == text
    assert len(plan.pieces) < 600


def test_a_translation_does_not_depend_on_its_batch(translator: Translator) -> None:
    texts = made_up(40)
    alone = [ask(translator, [text], n_best=3)[0] for text in texts]
    order = random.Random(2).sample(range(len(texts)), len(texts))
    together = ask(translator, [texts[index] for index in order], n_best=3)
    for index, found in zip(order, together, strict=True):
        assert [one.text for one in found.alternatives] == [one.text for one in alone[index].alternatives]
        assert found.score == pytest.approx(alone[index].score, abs=0.01)


def test_the_best_of_n_comes_first(translator: Translator) -> None:
    (found,) = ask(translator, ["ka lo mei fa do"], n_best=4, beam=6)
    scores = [one.score for one in found.alternatives]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)
    assert (found.text, found.score) == found.alternatives[0]
    assert len({one.text for one in found.alternatives}) > 1


def test_attention_links_each_word_to_its_origin(translator: Translator) -> None:
    text = "ba dei lo ka mo"
    (found,) = ask(translator, [text], alignments=True)
    assert found.text == "mo ka lo dei ba"
    alignment = found.alignment
    assert alignment is not None
    assert [text[start:end] for start, end in alignment.source_words] == text.split()
    assert [found.text[start:end] for start, end in alignment.target_words] == found.text.split()
    strongest = {
        target: max((one.weight, one.source) for one in alignment.links if one.target == target)[1]
        for target in range(5)
    }
    assert sum(strongest[target] == 4 - target for target in range(5)) >= 4


def test_links_of_a_second_sentence_point_into_the_whole_text(translator: Translator) -> None:
    text = "ba dei\nlo ka"
    (found,) = ask(translator, [text], alignments=True)
    assert found.alignment is not None
    assert [text[start:end] for start, end in found.alignment.source_words] == text.split()
    assert [found.text[start:end] for start, end in found.alignment.target_words] == found.text.split()
    assert all((one.source < 2) == (one.target < 2) for one in found.alignment.links)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b", "\t\u3000"])
def test_where_there_is_nothing_nothing_is_searched(translator: Translator, text: str) -> None:
    (found,) = ask(translator, [text], alignments=True, n_best=2)
    assert found.text.strip("\u200b") == text.strip("\u200b")
    assert (found.sentences, found.tokens) == (0, 0)


def test_an_endless_sentence_is_cut_and_said_to_be(translator: Translator) -> None:
    (found,) = ask(translator, [" ".join(["ba"] * 600)])
    assert found.sentences > 1
    assert any("was cut into" in warning for warning in found.warnings)


@pytest.mark.parametrize("text", ["☃" * 300, "\U0010ffff", "a\x00b", "<2bb> ⟨0⟩ <s> </s> <unk>", "١٢٣ 中文"])
def test_no_text_is_refused(translator: Translator, text: str) -> None:
    (found,) = ask(translator, [text])
    assert isinstance(found.text, str)


def test_an_unknown_direction_names_the_known_ones(translator: Translator) -> None:
    with pytest.raises(UserError, match="toy does not translate bb-aa, but aa-bb"):
        asyncio.run(translator.translate(["ba"], Options("bb", "aa")))


def test_time_runs_out(translator: Translator) -> None:
    with pytest.raises(DeadlineError):
        ask(translator, made_up(200), seconds=0.001)


def test_the_engine_stops_when_nobody_waits_any_more(translator: Translator) -> None:
    async def leave() -> None:
        texts = [" ".join(["ba"] * 60)] * 200
        work = asyncio.create_task(translator.translate(texts, Options("aa", "bb", beam=12)))
        while not translator.worker.statistics.steps:  # on a busy machine texts become ids only after a while
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(asyncio.wait_for(leave(), 60))
    end = time.monotonic() + 5
    while translator.worker.scheduler.busy and time.monotonic() < end:
        time.sleep(0.01)
    assert not translator.worker.scheduler.busy
    assert translator.worker.statistics.cancelled > 0
    assert ask(translator, ["ba dei"])[0].text == "dei ba"


def test_lines_come_back_in_order(translator: Translator) -> None:
    texts = made_up(300)
    found = [one.text for one in translator.translate_lines(texts, Options("aa", "bb"))]
    right = sum(one == " ".join(reversed(text.split())) for one, text in zip(found, texts, strict=True))
    assert right >= 290


def test_a_silent_source_is_answered_before_more_is_read(translator: Translator) -> None:
    read: list[str] = []

    def windows() -> Iterator[list[str]]:
        for text in ("ba dei", "ka lo"):
            read.append(text)
            yield [text]
            yield []

    found = translator.translate_windows(windows(), Options("aa", "bb"))
    assert next(found).text == "dei ba"
    assert read == ["ba dei"]
    assert next(found).text == "lo ka"


def test_whoever_stops_reading_a_stream_stops_the_engine(translator: Translator) -> None:
    found = translator.translate_lines(made_up(3000), Options("aa", "bb", beam=8))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert not translator.worker.scheduler.requests


@pytest.mark.parametrize(("asked", "rows"), [(0, 256), (7, 7)])
def test_a_cpu_decodes_256_hypotheses_at_once_unless_told_otherwise(golden: Path, asked: int, rows: int) -> None:
    made = make_translator(read_bundle(golden), Settings(device="cpu", threads=1, max_rows=asked))
    made.worker.close()
    assert made.worker.scheduler.limits.rows == rows


def test_a_search_that_finds_nothing_is_a_failure_and_no_translation(backwards: Translator, engine: Backwards) -> None:
    engine.texts = lambda _: []  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="toy finds no translation"):
        asyncio.run(backwards.translate(["ba dei"], Options("aa", "bb")))
