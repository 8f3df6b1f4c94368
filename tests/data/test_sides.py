"""Sides that are in the other language of their pair."""

import random
from pathlib import Path

import pytest

from data.clean import CleanConfig, CorpusReport, candidate
from data.corpus import CorpusConfig, read
from data.segment import words
from data.selection import clean
from data.sides import other_language
from data.sources import DataConfig, TrainCorpusConfig

PHRASES = Path(__file__).parents[2] / "training" / "corpora" / "phrases.de-en.tsv"
LANGUAGES = ("de", "en")


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    lines = list(read(CorpusConfig(format="tsv", languages=LANGUAGES, source=PHRASES), Path()))
    return [(line.source, line.target) for line in random.Random(1).sample(lines, 4000)]


def long(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if len(pair[0]) > 50]


def test_swapped_and_untranslated_sides_are_found_and_others_are_not(pairs: list[tuple[str, str]]) -> None:
    wrong = other_language(candidate(*pair, LANGUAGES) for pair in pairs)
    assert sum(wrong(candidate(*pair, LANGUAGES)) for pair in pairs) <= 2
    for change in (lambda pair: pair[::-1], lambda pair: (pair[0], pair[0]), lambda pair: (pair[1], pair[1])):
        found = [wrong(candidate(*change(pair), LANGUAGES)) for pair in long(pairs)]
        assert sum(found) > 0.9 * len(found)


def test_letters_of_abbreviations_tell_nothing(pairs: list[tuple[str, str]]) -> None:
    short = ("Wer hat wohl Zeit?", "Who's got time, I'd like to know?")
    wrong = other_language(candidate(*pair, LANGUAGES) for pair in [*pairs, *[short] * 200])
    assert not wrong(candidate("V. i. S. d. P.: Sabine Roth", "Responsible: Sabine Roth", LANGUAGES))


def test_a_tenth_that_is_swapped_does_not_hide_itself(pairs: list[tuple[str, str]]) -> None:
    mixed = [pair[::-1] if index % 10 == 0 else pair for index, pair in enumerate(pairs)]
    wrong = other_language(candidate(*pair, LANGUAGES) for pair in mixed)
    found = [wrong(candidate(*pair[::-1], LANGUAGES)) for pair in long(pairs)]
    assert sum(found) > 0.85 * len(found)
    assert sum(wrong(candidate(*pair, LANGUAGES)) for pair in pairs) <= 2


def test_languages_that_do_not_part_words_have_marks_too() -> None:
    rng = random.Random(2)
    chinese = ["".join(rng.choices("我你的是在不了有人这", k=8)) for _ in range(300)]
    english = [" ".join(rng.choices(sorted(words("the of and is to in that it was for")), k=8)) for _ in range(300)]
    wrong = other_language(candidate(*pair, ("zh", "en")) for pair in zip(chinese, english, strict=True))
    assert not any(wrong(candidate(*pair, ("zh", "en"))) for pair in zip(chinese, english, strict=True))
    assert all(wrong(candidate(*pair, ("zh", "en"))) for pair in zip(english, chinese, strict=True))


def test_languages_that_are_alike_have_no_marks() -> None:
    wrong = other_language(candidate("a b c d e", "e d c b a", ("aa", "bb")) for _ in range(100))
    assert not wrong(candidate("e d c b a", "a b c d e", ("aa", "bb")))


def test_cleaning_lists_them_by_their_lines_unless_that_is_turned_off(
    tmp_path: Path, pairs: list[tuple[str, str]]
) -> None:
    several = long(pairs)[:600]
    swapped = [several[0], several[1][::-1], *several[2:]]
    (tmp_path / "train.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in swapped), encoding="utf-8")
    corpus = TrainCorpusConfig(format="tsv", languages=LANGUAGES, source=Path("train.tsv"))

    def dropped(**rules: bool) -> list[int]:
        config = DataConfig(LANGUAGES, ("de-en",), (corpus,), root=tmp_path, clean=CleanConfig(**rules))
        reports = list[CorpusReport]()
        list(clean(config, reports))
        return reports[0].dropped.get("language", [])

    assert dropped() == [2]
    assert dropped(language=False) == []
