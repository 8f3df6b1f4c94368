"""Shortlists are learned from pairs, and put into copies of bundles."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy
import pytest
from toy import WORDS

from data.errors import UserError
from data.lexicon import learn, parts
from models.bundle import SHORTLIST, SUMS, read_bundle, write_sums
from models.shortlist import Shortlist, write_shortlist
from mt_service.cli import answer, main
from training.shortlist_job import shortlist_of
from training.systems import Request

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"


def dictionary_pairs(count: int = 300) -> list[tuple[list[int], list[int]]]:
    """Sentences whose target ids are the source ids plus 50, in any order."""
    rng = random.Random(1)
    sources = [rng.sample(range(10, 50), rng.randint(2, 7)) for _ in range(count)]
    return [(source, rng.sample([word + 50 for word in source], len(source))) for source in sources]


def test_a_dictionary_is_learned_from_sentences() -> None:
    lexicon = learn(dictionary_pairs(), 100)
    best = shortlist_of([lexicon], 100, 1)
    for word in range(10, 50):
        assert best.words([word]).tolist() == [word, word + 50]  # itself, and its translation
    assert best.words([7]).tolist() == [7]
    sums = numpy.bincount(lexicon.source_N, lexicon.probability_N)
    numpy.testing.assert_allclose(sums[10:50], 1)


def test_each_piece_gets_as_many_as_are_wished_for_of_each_lexicon() -> None:
    lexicon = learn(dictionary_pairs(), 100)
    assert len(shortlist_of([lexicon], 100, 5).words([12])) == 6
    assert len(shortlist_of([lexicon, lexicon], 100, 5).words([12])) == 6
    assert len(shortlist_of([lexicon], 100, 1000).words([12])) <= 41


def test_a_text_is_dealt_out_to_parts_that_memory_holds() -> None:
    pairs = dictionary_pairs()
    links = sum(len(source) * len(target) for source, target in pairs)
    assert parts(pairs, links) == [pairs]
    thirds = parts(pairs, links // 3 + 1)
    assert sorted(pair for part in thirds for pair in part) == sorted(pairs)
    for part in thirds:
        assert 0.8 * links / 3 < sum(len(source) * len(target) for source, target in part) < 1.2 * links / 3
    assert parts(pairs, 1) == [[pair] for pair in pairs]
    assert parts([]) == []


def test_many_parts_teach_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = dictionary_pairs(1000)
    whole = shortlist_of([learn(pairs, 100)], 100, 1)
    monkeypatch.setattr("data.lexicon.parts", lambda pairs: parts(pairs, 2000))
    lexicon = learn(pairs, 100)
    assert numpy.array_equal(shortlist_of([lexicon], 100, 1).word_N, whole.word_N)
    numpy.testing.assert_allclose(numpy.bincount(lexicon.source_N, lexicon.probability_N)[10:50], 1)


@pytest.fixture
def text(tmp_path: Path) -> list[str]:
    """Sentences that the golden bundle knows to turn around, and a pair with an empty side."""
    rng = random.Random(2)
    sources = [rng.choices(WORDS, k=rng.randint(3, 8)) for _ in range(200)]
    files = [tmp_path / "text.aa", tmp_path / "text.bb"]
    files[0].write_text("".join(" ".join(words) + "\n" for words in sources) + "ba\n", encoding="utf-8")
    files[1].write_text("".join(" ".join(words[::-1]) + "\n" for words in sources) + "\n", encoding="utf-8")
    return ["--text", *map(str, files)]


def test_a_bundle_gets_a_shortlist(tmp_path: Path, text: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shortlist", str(GOLDEN), str(tmp_path / "new"), *text]) == 0
    said = capsys.readouterr().err
    assert "aa-bb: 200 pairs; 1 had an empty side" in said
    assert "aa-bb: learning from 180 pairs" in said
    assert "of 300 pieces for a sentence, with 100.0 % of its translation's" in said
    made = read_bundle(tmp_path / "new")
    assert made.shortlist is not None
    assert f"  {SHORTLIST}\n" in (tmp_path / "new" / SUMS).read_text()
    assert len(made.shortlist.words(made.tokenizer.encode_source("ba", "bb"))) < 150
    assert read_bundle(GOLDEN).shortlist is None
    assert (made.info.scores, made.info.unsure_below) == ((), {})
    files = ["--input", text[1], "--output", str(tmp_path / "out")]
    assert main(["translate", "--bundle", str(tmp_path / "new"), "--source", "aa", "--target", "bb", *files]) == 0
    found, expected = ((tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("out", "text.bb"))
    assert sum(map(str.__eq__, found, expected)) >= 190


def test_a_bundle_is_replaced_only_when_that_is_said(
    tmp_path: Path, text: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    new = str(tmp_path / "new")
    assert main(["shortlist", str(GOLDEN), new, *text]) == 0
    assert main(["shortlist", new, new, *text]) == 2
    assert "exists already: choose another folder, or --force" in capsys.readouterr().err
    assert main(["shortlist", new, new, *text, "--force", "--most", "2"]) == 0
    found = read_bundle(tmp_path / "new").shortlist
    assert found is not None
    assert len(found.word_N) <= 900


def test_a_direction_without_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(tmp_path / name) for name in ("text.aa", "text.cc")]
    assert main(["shortlist", str(GOLDEN), str(tmp_path / "new"), "--text", *files]) == 2
    assert "the bundle translates aa-bb: name text for it, such as --text text.aa text.bb" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("content", "message"), [("\n", "hold no pair with text on both sides"), ("", "is empty")])
def test_text_without_pairs_is_refused(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "text.aa", tmp_path / "text.bb"]
    for file in files:
        file.write_text(content, encoding="utf-8")
    assert main(["shortlist", str(GOLDEN), str(tmp_path / "new"), "--text", *map(str, files)]) == 2
    assert message in capsys.readouterr().err


def test_evaluation_keeps_to_the_shortlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden, folder = read_bundle(GOLDEN), Path(shutil.copytree(GOLDEN, tmp_path / "new"))
    words = numpy.array(sorted(set(golden.tokenizer.encode("fa mo"))), numpy.int32)
    size = len(golden.tokenizer)
    start_V = numpy.arange(size + 1, dtype=numpy.int32) * numpy.int32(len(words))
    write_shortlist(folder / SHORTLIST, Shortlist(start_V, numpy.tile(words, size)))
    write_sums(folder)
    request = Request(["ka lo mei", "", "ba dei lo"], "aa", "bb", None, None, "cpu")
    monkeypatch.setenv("MT_ENGINE", "reference")
    assert answer(request, GOLDEN) == ["mei lo ka", "", "lo dei ba"]
    found = answer(request, folder)
    assert len(found) == 3
    assert {token for line in found for token in golden.tokenizer.encode(line)} <= set(words.tolist())


def test_a_shortlist_that_was_altered_is_refused(tmp_path: Path, text: list[str]) -> None:
    assert main(["shortlist", str(GOLDEN), str(tmp_path / "new"), *text]) == 0
    (tmp_path / "new" / SHORTLIST).write_bytes(b"something else")
    with pytest.raises(UserError, match=r"shortlist.safetensors was altered or damaged"):
        read_bundle(tmp_path / "new")
