import math
import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from sentencepiece import SentencePieceProcessor

from data.subwords import N_BEST, is_bpe, merge, sampler
from data.tokenizer import TokenizerConfig, train_tokenizer

SCORES = {"ab": -1.0, "bc": -2.0, "abc": -3.0, "cd": -4.0, "abcd": -5.0}


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def processor(
    request: pytest.FixtureRequest, lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> SentencePieceProcessor:
    path = tmp_path_factory.mktemp(request.param) / "tokenizer.model"
    train_tokenizer(lines, ["de"], TokenizerConfig(request.param, 360, placeholders=2), path, 1)
    return SentencePieceProcessor(model_file=str(path))


bpe = pytest.mark.parametrize("processor", ["bpe"], indirect=True)
unigram = pytest.mark.parametrize("processor", ["unigram"], indirect=True)


def dropout_by_definition(word: str, alpha: float, rng: random.Random) -> str:
    """BPE-dropout as its paper words it: at every step, drop each possible merge, then take the best one left."""
    symbols = list(word)
    while True:
        merges = ((left + right, -place) for place, (left, right) in enumerate(pairwise(symbols)))
        pairs = [(SCORES[piece], place) for piece, place in merges if piece in SCORES]
        pairs = [pair for pair in pairs if rng.random() >= alpha]
        if not pairs:
            return " ".join(symbols)
        place = -max(pairs)[1]
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]


def drops(alpha: float, rng: random.Random) -> Iterator[bool]:
    while True:
        yield rng.random() < alpha


def merged(word: str, alpha: float, rng: random.Random) -> str:
    symbols = list(word)
    merge(symbols, SCORES, drops(alpha, rng))
    return " ".join(symbols)


def test_merging_takes_the_best_first_and_says_where() -> None:
    symbols = list("abcd")
    assert merge(symbols, SCORES, drops(0.0, random.Random(1))) == [0, 0, 0]
    assert symbols == ["abcd"]


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_dropped_merges_are_distributed_as_defined(alpha: float) -> None:
    rng, count = random.Random(1), 20_000
    ours = Counter(merged("abcdab", alpha, rng) for _ in range(count))
    defined = Counter(dropout_by_definition("abcdab", alpha, rng) for _ in range(count))
    for outcome in ours | defined:
        p = max(ours[outcome], defined[outcome]) / count
        assert abs(ours[outcome] - defined[outcome]) / count < 6 * math.sqrt(2 * p * (1 - p) / count) + 1e-3


@bpe
def test_the_short_cut_for_lucky_words_keeps_the_distribution(
    processor: SentencePieceProcessor,
) -> None:
    scores = {processor.id_to_piece(i): processor.get_score(i) for i in range(263, len(processor))}
    encode, rng, count, alpha = sampler(processor, 0.2), random.Random(1), 20_000, 0.2

    def whole() -> tuple[str, ...]:
        symbols = list("▁häuserbruder")
        merge(symbols, scores, drops(alpha, rng))
        return tuple(symbols)

    ours = Counter(tuple(map(processor.id_to_piece, encode("häuserbruder", rng))) for _ in range(count))
    slow = Counter(whole() for _ in range(count))
    assert len(ours) > 5
    for outcome in ours | slow:
        p = max(ours[outcome], slow[outcome]) / count
        assert abs(ours[outcome] - slow[outcome]) / count < 6 * math.sqrt(2 * p * (1 - p) / count) + 1e-3


@bpe
def test_without_a_dropped_merge_pieces_are_those_of_sentencepiece(
    processor: SentencePieceProcessor, lines: list[str]
) -> None:
    encode = sampler(processor, 1e-12)
    for text in (*lines, "ganz fremd 你好 \ue000 \ue001!", "a\ue000b", "x", ""):
        assert encode(text, random.Random(1)) == processor.encode(text)


def test_the_kind_of_a_model_is_read_from_its_scores(
    processor: SentencePieceProcessor, request: pytest.FixtureRequest
) -> None:
    assert is_bpe(processor) == (request.node.callspec.params["processor"] == "bpe")


@unigram
def test_unigram_pieces_are_drawn_by_their_smoothed_probability(
    processor: SentencePieceProcessor,
) -> None:
    best = processor.nbest_encode("häuserbruder", nbest_size=N_BEST, out_type=int)
    weights = [math.exp(0.5 * sum(map(processor.get_score, ids))) for ids in best]
    encode, rng, count = sampler(processor, 0.5), random.Random(1), 20_000
    drawn = Counter(tuple(encode("häuserbruder", rng)) for _ in range(count))
    assert len(best) > 3
    for ids, weight in zip(best, weights, strict=True):
        assert drawn[tuple(ids)] / count == pytest.approx(weight / sum(weights), abs=0.015)
