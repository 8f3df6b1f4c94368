"""From pieces to words."""

import pytest

from mt_service.alignment import Link, link_words, word_of_piece, words_of


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
