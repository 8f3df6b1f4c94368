"""How finely a vocabulary cuts a text."""

from __future__ import annotations

import pytest

from data.fineness import LEAST_LETTERS, LEAST_TEXTS, Cut, cut, limit
from data.tokenizer import Tokenizer, TokenizerConfig, train_tokenizer

OWN = [f"the harbour keeper counted {i} ships, all in, before breakfast!" for i in range(LEAST_TEXTS)]
OTHER = "kuka myöhästyi junasta, sillä kello oli jo yksitoista"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("fineness") / "tokenizer.model"
    train_tokenizer(OWN, ["aa", "bb"], TokenizerConfig(vocabulary_size=380), path, 1)
    return Tokenizer.load(path)


def cut_of(tokenizer: Tokenizer, text: str) -> Cut:
    return cut(tokenizer, [(tokenizer.encode(text), text)])


def test_text_of_another_language_is_cut_more_finely(tokenizer: Tokenizer) -> None:
    most = limit(tokenizer, OWN)
    assert most is not None
    assert most < 0.5
    assert not any(cut_of(tokenizer, text).is_finer(most) for text in OWN)
    assert cut_of(tokenizer, OTHER).is_finer(most)


def test_marks_digits_and_symbols_do_not_count(tokenizer: Tokenizer) -> None:
    assert cut_of(tokenizer, "12, 345!") == Cut(0, 0)
    assert cut_of(tokenizer, "the ships") == cut_of(tokenizer, "the ships 1,234 !,!")


def test_a_letter_that_bytes_spell_is_as_many_pieces(tokenizer: Tokenizer) -> None:
    assert cut_of(tokenizer, "\N{GREEK SMALL LETTER OMEGA}").pieces == 2


def test_a_short_text_tells_nothing() -> None:
    assert not Cut(LEAST_LETTERS - 1, LEAST_LETTERS - 1).is_finer(0.1)
    assert Cut(LEAST_LETTERS, LEAST_LETTERS).is_finer(0.1)
    assert not Cut(LEAST_LETTERS, LEAST_LETTERS).is_finer(None)


def test_few_texts_give_no_limit(tokenizer: Tokenizer) -> None:
    assert limit(tokenizer, OWN[1:]) is None
    assert limit(tokenizer, ["too short"] * 1000) is None


def test_one_odd_text_in_a_hundred_moves_nothing(tokenizer: Tokenizer) -> None:
    texts = OWN * 3
    assert limit(tokenizer, [*texts, OTHER]) == limit(tokenizer, texts)
