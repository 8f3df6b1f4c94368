"""Hypotheses that are read backwards, too: against teacher forcing, over HTTP and on the command line."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import serve
from toy import WORDS

from models.bundle import read_bundle, write_sums
from models.hypotheses import Hypothesis
from mt_service.cli import main
from mt_service.registry import make_translator
from mt_service.rerank import BACKWARD, LENGTH, beam_of, ranked
from mt_service.settings import Settings
from mt_service.translation import Options, Translation
from mt_service.translator import Translator
from training.pair_scores import score_pairs

TEXTS = ["ba dei lo", "", " ka lo mo \n\n dei fa ba ka", "lo"]


@pytest.fixture(scope="module")
def both_ways(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden bundle, said to translate back as well."""
    folder = tmp_path_factory.mktemp("both") / "toy"
    shutil.copytree(golden, folder)
    config = json.loads((folder / "config.json").read_text())
    config["info"]["directions"] = ["aa-bb", "bb-aa"]
    (folder / "config.json").write_text(json.dumps(config))
    write_sums(folder)
    return folder


@pytest.fixture
def translator(both_ways: Path) -> Iterator[Translator]:
    made = make_translator(read_bundle(both_ways), Settings(device="cpu", engine="reference", threads=1))
    yield made
    made.worker.close()


def translate(
    translator: Translator, texts: list[str], reverse: Translator | None, **options: Any
) -> list[Translation]:
    return asyncio.run(translator.translate(texts, Options("aa", "bb", **options), reverse=reverse))


def test_a_list_is_ordered_by_teacher_forcing_both_ways(translator: Translator) -> None:
    rng, network, tokenizer = random.Random(3), translator.bundle.network(), translator.bundle.tokenizer
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 8))) for _ in range(8)]
    plain = translate(translator, texts, None, beam=6, n_best=6)
    reranked, changed = translate(translator, texts, translator, beam=6, n_best=6), 0
    for text, before, after in zip(texts, plain, reranked, strict=True):
        pairs = [(text, one.text) for one in before.alternatives]
        forward = score_pairs(network, tokenizer, pairs, "bb")
        backward = score_pairs(network, tokenizer, [(one, text) for _, one in pairs], "aa")
        scores = {
            one: ahead.log_probability + BACKWARD * back.log_probability + LENGTH * ahead.tokens
            for (_, one), ahead, back in zip(pairs, forward, backward, strict=True)
        }
        assert {one.text for one in after.alternatives} == scores.keys()
        for one in after.alternatives:
            assert one.score == pytest.approx(scores[one.text], abs=0.02)
        assert after.text == after.alternatives[0].text == max(scores, key=lambda one: scores[one])
        assert [one.score for one in after.alternatives] == sorted(
            (one.score for one in after.alternatives), reverse=True
        )
        changed += [one.text for one in before.alternatives] != [one.text for one in after.alternatives]
    assert changed


@pytest.mark.parametrize("together", [1, 256])
def test_texts_keep_their_order_their_spaces_and_as_many_alternatives_as_were_asked_for(
    translator: Translator, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("mt_service.translator.TOGETHER", together)
    found = translate(translator, TEXTS, translator, n_best=2, alignments=True)
    assert [one.text.split() for one in found[:2]] == [["lo", "dei", "ba"], []]
    assert [part[:1].isspace() for part in found[2].text.split("\n\n")] == [True, True]
    assert [len(one.alternatives) for one in found] == [2, 1, 2, 2]
    assert all(one.alignment is not None for one in found)
    windows = list(translator.translate_windows([TEXTS[:2], [], TEXTS[2:]], Options("aa", "bb", n_best=2), translator))
    assert [one.text for one in windows] == [one.text for one in found]


def test_a_server_that_stops_finishes_what_it_reranks(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = translate(translator, TEXTS, translator)
    rerank = Translator.rerank

    def stopped(one: Translator, *arguments: Any) -> Any:
        assert not one.worker.drain(0.0)
        return rerank(one, *arguments)

    monkeypatch.setattr(Translator, "rerank", stopped)
    assert translate(translator, TEXTS, translator) == expected
    assert translator.worker.drain(0.0)


@pytest.mark.parametrize(
    ("asked", "n_best", "rerank", "most", "beam"),
    [
        (None, 1, False, 9, 5),
        (None, 1, True, 99, 12),
        (None, 7, False, 9, 7),
        (None, 1, False, 2, 2),
        (3, 1, True, 9, 3),
    ],
)
def test_a_beam_is_as_wide_as_is_asked_for_or_may_be(
    translator: Translator, asked: int | None, n_best: int, rerank: bool, most: int, beam: int
) -> None:
    assert beam_of(translator.info, asked, n_best, rerank, most) == beam


def test_a_source_without_any_probability_leaves_the_list_as_it_was() -> None:
    found = [Hypothesis((9,), -1.0, -1.0, None), Hypothesis((10,), -2.0, -2.0, None)]
    certain = [Hypothesis((7,), 0.0, 0.0, None)]
    assert ranked(found, [certain, []]) == found
    doubtful = [Hypothesis((7,), -9.0, -9.0, None)]
    assert [one.tokens for one in ranked(found, [doubtful, certain])] == [(10,), (9,)]


def test_the_server_reranks_when_asked_to_and_tells_what_that_needs(both_ways: Path, golden: Path) -> None:
    body = {"text": TEXTS, "source": "aa", "target": "bb", "rerank": True, "n_best": 2}
    with serve(both_ways, max_beam=3) as server:
        tree = httpx.post(server.url + "/v1/translate", json=body, timeout=60).json()
    assert [len(one["alternatives"]) for one in tree["translations"]] == [2, 1, 2, 2]
    assert tree["translations"][0]["text"] == "lo dei ba"
    with serve(golden) as server:
        answer = httpx.post(server.url + "/v1/translate", json=body, timeout=60)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "rerank")
    assert answer.json()["error"]["message"] == "to rerank, no model translates bb to aa; there are: aa-bb"


def test_so_does_the_command(both_ways: Path, golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("ba dei lo\n\nka lo mo\n")
    words = ["translate", "--source", "aa", "--target", "bb", "--input", str(source), "--output", str(target)]
    words += ["--threads", "1", "--quiet", "--rerank"]
    assert main([*words, "--bundle", str(both_ways)]) == 0
    assert target.read_text() == "lo dei ba\n\nmo lo ka\n"
    assert main([*words, "--bundle", str(golden)]) == 2
    assert "--rerank needs both directions: no model translates bb to aa" in capsys.readouterr().err
