"""Embeddings for another vocabulary."""

from collections.abc import Callable

import pytest
import torch

from data.tokenizer import Tokenizer, TokenizerConfig, train_tokenizer
from models.vocabulary import spelled, spellings, with_vocabulary
from tests.data.corpora import many_words

Learn = Callable[[list[str], int, int], Tokenizer]
KNOWN = {piece: number for number, piece in enumerate(["▁", "▁ha", "us", "tür", "u", "s", "<0xC3>", "<0xA4>"])}


@pytest.fixture(scope="module")
def learn(tmp_path_factory: pytest.TempPathFactory) -> Learn:
    """Learns a vocabulary: languages, size, seed of its text."""

    def make(languages: list[str], size: int, seed: int) -> Tokenizer:
        path = tmp_path_factory.mktemp("vocabulary") / "tokenizer.model"
        config = TokenizerConfig(vocabulary_size=size, placeholders=2)
        train_tokenizer(many_words(300, seed), languages, config, path, 1)
        return Tokenizer.load(path)

    return make


@pytest.mark.parametrize(
    ("piece", "parts"),
    [
        ("us", ["us"]),
        ("▁haus", ["▁ha", "us"]),
        ("▁us", ["▁", "us"]),
        ("türsu", ["tür", "s", "u"]),
        ("ä", ["<0xC3>", "<0xA4>"]),
    ],
)
def test_a_piece_is_spelled_in_the_longest_known_ones(piece: str, parts: list[str]) -> None:
    assert spelled(piece, KNOWN) == [KNOWN[part] for part in parts]


def test_the_same_vocabulary_changes_nothing(learn: Learn) -> None:
    tokenizer = learn(["de", "en"], 340, 1)
    assert spellings(tokenizer, tokenizer) == [[i] for i in range(len(tokenizer))]


def test_new_pieces_begin_as_the_mean_of_their_parts(learn: Learn) -> None:
    tokenizer, larger = learn(["de", "en"], 340, 1), learn(["en", "de"], 400, 2)
    table_VD = torch.randn(len(tokenizer), 4)
    weights = {"source_weight": table_VD, "output_bias": table_VD[:, 0], "encoder.x": torch.ones(3)}
    found = with_vocabulary(weights, tokenizer, larger)
    old, new = (one.pieces(range(len(one))) for one in (tokenizer, larger))
    assert found["encoder.x"] is weights["encoder.x"]
    assert found["source_weight"].shape == (len(new), 4)
    assert torch.equal(found["output_bias"], found["source_weight"][:, 0])
    kept = [piece for piece in new if piece in old]
    assert 256 < len(kept) < len(new)
    for piece in kept:
        assert torch.equal(found["source_weight"][new.index(piece)], table_VD[old.index(piece)])
    for ids, row_D in zip(spellings(tokenizer, larger), found["source_weight"], strict=True):
        torch.testing.assert_close(row_D, table_VD[ids].mean(0))


def test_a_new_language_begins_between_the_known_ones(learn: Learn) -> None:
    tokenizer, other = learn(["de", "en"], 340, 1), learn(["fr", "de"], 340, 1)
    rows = spellings(tokenizer, other)
    assert rows[other.tag_id("de")] == [tokenizer.tag_id("de")]
    assert rows[other.tag_id("fr")] == [tokenizer.tag_id("de"), tokenizer.tag_id("en")]
