"""From pieces to words."""

from pathlib import Path

import pytest

from data.literals import Masking
from data.tokenizer import Tokenizer, TokenizerConfig, train_tokenizer
from models.hypotheses import Hypothesis
from mt_service.alignment import Alignment, Link, Span, Words, add_links, link_words, word_of_piece, words_of
from mt_service.pieces import make_plan


def test_words_are_spans_between_white_space() -> None:
    assert words_of(" Ich  habe\nZeit.", 10) == [(11, 14), (16, 20), (21, 26)]


def test_a_word_that_normalisation_removes_is_none() -> None:
    assert words_of("a \u200b b") == [(0, 1), (4, 5)]


def test_pieces_belong_to_the_word_that_began_last() -> None:
    assert word_of_piece(["▁Ich", "▁ha", "be", "▁Zeit", "."]) == [0, 1, 1, 2, 2]
    assert word_of_piece(["x", "y", "▁z"]) == [0, 0, 1]


def test_a_word_has_the_attention_of_all_its_pieces_as_shares() -> None:
    links = link_words([0, 1, 1], [0, 0], [[0.5, 0.25, 0.25], [0.1, 0.6, 0.3]])
    assert links == [Link(0, 0, pytest.approx(0.3)), Link(1, 0, pytest.approx(0.7))]


def test_weak_links_are_left_out() -> None:
    assert link_words([0, 1], [0], [[0.95, 0.05]]) == [Link(0, 0, pytest.approx(0.95))]


def test_without_attention_there_are_no_links() -> None:
    assert link_words([0, 1], [0, 1], []) == []
    assert link_words([0, 1], [0], [[0.0, 0.0]]) == []


@pytest.mark.parametrize(
    ("text", "pieces", "words", "of_piece"),
    [
        ("他昨天去了。", ["▁他", "昨天", "去了", "。"], ["他", "昨天", "去了", "。"], [0, 1, 2, 3]),
        ("他去", ["▁", "他", "去"], ["他", "去"], [0, 0, 1]),
        ("在Boston住", ["▁在", "B", "ost", "on", "住"], ["在", "Boston", "住"], [0, 1, 1, 1, 2]),
        ("Tom在 2013年", ["▁T", "om", "在", "▁2", "0", "13", "年"], ["Tom", "在", "2013", "年"], [0, 0, 1, 2, 2, 2, 3]),
        ("骉去", ["▁", "<0xE9>", "<0xAA>", "<0x89>", "去"], ["骉", "去"], [0, 0, 0, 0, 1]),
        ("写\ue000吧", ["▁写", "\ue000", "吧"], ["写", "a@b.de", "吧"], [0, 1, 2]),
        ("ไปบ้าน", ["▁ไป", "บ้าน"], ["ไป", "บ้าน"], [0, 1]),
        ("Ich gehe", ["▁Ich", "▁ge", "he"], ["Ich", "gehe"], [0, 1, 1]),
        ("他去", ["▁他", "走"], ["他去"], [0, 0]),
    ],
)
def test_pieces_are_the_words_where_no_spaces_part_these(
    text: str, pieces: list[str], words: list[str], of_piece: list[int]
) -> None:
    literals = {"\ue000": "a@b.de"}
    spelled = text.replace("\ue000", "a@b.de")
    before = Words(words_of(spelled, 7), word_of_piece(pieces))
    found = before.parted(pieces, spelled, 7, literals)
    assert [spelled[start - 7 : end - 7] for start, end in found.spans] == words
    assert found.of_piece == of_piece
    assert all(isinstance(span, Span) for span in found.spans)


def test_a_word_that_a_line_end_parts_is_one_word() -> None:
    assert words_of("die Kündi-\n gung, Vor- und -\n x") == [(0, 3), (4, 17), (18, 22), (23, 26), (27, 28), (30, 31)]


def test_words_in_capitals_are_linked_as_others_are(tmp_path: Path) -> None:
    config = TokenizerConfig("bpe", 320, placeholders=2, mark_capitals=True)
    train_tokenizer(
        ["das ist gut", "that is good", "EINE MENGE TEXT."] * 20, ["de", "en"], config, tmp_path / "m", seed=1
    )
    tokenizer = Tokenizer.load(tmp_path / "m")
    text, translation = "DAS ist GUT.", "THAT'S GOOD"
    (piece,) = make_plan(tokenizer, Masking(tokenizer, (), "de", "en"), text).pieces
    tokens = tokenizer.encode(translation)
    words = word_of_piece(tokenizer.pieces(tokens))
    sources = [0, *word_of_piece(tokenizer.pieces(piece.ids[1:-1])), 0]
    rows = tuple(tuple(float(source == 2 * word) for source in sources) for word in words)
    best = Hypothesis(tuple(tokens), 0.0, 0.0, rows)
    found = Alignment([], [], [])
    add_links(found, tokenizer, piece, best, translation, 0)
    assert (found.source_words, found.target_words) == ([(0, 3), (4, 7), (8, 12)], [(0, 6), (7, 11)])
    assert [(link.source, link.target) for link in found.links] == [(0, 0), (2, 1)]
