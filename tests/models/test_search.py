"""Beam search against exhaustive search, and sentences that join and leave."""

import copy
import dataclasses
import itertools
import math
from pathlib import Path

import pytest
import torch

from data.errors import UserError
from models.bundle import read_bundle
from models.config import DecoderConfig, EncoderConfig, ModelConfig
from models.hypotheses import Hypothesis, SearchOptions, Specials, length_penalty, settled
from models.search import BeamSearch, translate_ids
from models.seq2seq import Seq2Seq

GOLDEN = Path(__file__).parent / "golden"
VOCABULARY = 7
SPECIALS = Specials(pad=0, bos=2, eos=3, forbidden=(1,))
WORDS = [4, 5, 6]
SOURCES = [[4, 5, 3], [6, 3], [5, 5, 4, 6, 3], [4, 3], [6, 5, 6, 4, 4, 3]]


@pytest.fixture(scope="module")
def network() -> Seq2Seq:
    torch.manual_seed(5)
    config = ModelConfig(
        vocabulary_size=VOCABULARY, width=8, encoder=EncoderConfig(hidden=6), decoder=DecoderConfig(hidden=8)
    )
    made = Seq2Seq(config).eval()
    with torch.no_grad():
        made.output_weight.mul_(4)
        made.output_bias[3] = 1.5
    return made


def log_probability(network: Seq2Seq, source: list[int], words: tuple[int, ...], ended: bool = True) -> float:
    """Teacher forcing, one sentence alone, from the definition; forbidden words still take their share."""
    fed, wanted = [2, *words], [*words, 3]
    hidden = network(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([fed]))
    logits = network.logits(hidden[0])
    logits[:, [0, 1, 2]] = float("-inf")
    chosen = logits.log_softmax(-1).gather(1, torch.tensor(wanted)[:, None])
    return float(chosen.sum() if ended else chosen[:-1].sum())


@torch.no_grad()
def exhaustive(
    network: Seq2Seq, source: list[int], longest: int, alpha: float, rewarded: int = 20
) -> list[tuple[float, tuple[int, ...]]]:
    """All translations of up to `longest` words, best first."""
    found = [
        (log_probability(network, source, words) / ((5 + min(len(words) + 1, rewarded)) / 6) ** alpha, words)
        for length in range(longest + 1)
        for words in itertools.product(WORDS, repeat=length)
    ]
    return sorted(found, reverse=True)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_wide_beam_finds_what_exhaustive_search_does(network: Seq2Seq, alpha: float) -> None:
    options = SearchOptions(beam=120, n_best=5, length_penalty=alpha, max_length=5)
    for source, hypotheses in zip(SOURCES, translate_ids(network, SOURCES, options, SPECIALS), strict=True):
        expected = exhaustive(network, source, 4, alpha)[:5]
        assert [hypothesis.tokens for hypothesis in hypotheses] == [words for _, words in expected]
        for hypothesis, (score, _) in zip(hypotheses, expected, strict=True):
            assert hypothesis.score == pytest.approx(score, abs=1e-4)


def greedy(network: Seq2Seq, source: list[int], longest: int) -> tuple[int, ...]:
    """The best word each time, from the definition."""
    words: list[int] = []
    while len(words) < longest:
        hidden = network(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[2, *words]]))
        logits = network.logits(hidden[0, -1])
        logits[[0, 1, 2]] = float("-inf")
        word = int(logits.argmax())
        if word == 3:
            break
        words.append(word)
    return tuple(words)


def test_length_is_rewarded_up_to_a_ratio_of_the_source(network: Seq2Seq) -> None:
    options = SearchOptions(beam=120, n_best=5, length_penalty=3.0, max_length=5, length_ratio=0.7)
    endless = dataclasses.replace(options, length_ratio=0.0)
    results, changed = translate_ids(network, SOURCES, options, SPECIALS), 0
    for source, hypotheses, free in zip(
        SOURCES, results, translate_ids(network, SOURCES, endless, SPECIALS), strict=True
    ):
        expected = exhaustive(network, source, 4, 3.0, math.ceil(0.7 * len(source)))[:5]
        assert [hypothesis.tokens for hypothesis in hypotheses] == [words for _, words in expected]
        changed += hypotheses[0].tokens != free[0].tokens
    assert changed


@pytest.mark.parametrize("beam", [1, 3])
@torch.no_grad()
def test_what_never_ends_is_stopped_where_that_is_least_bad(network: Seq2Seq, beam: int) -> None:
    talkative = copy.deepcopy(network)
    with torch.no_grad():
        talkative.output_bias[3] = -30.0
    options = SearchOptions(beam=beam, n_best=beam, length_ratio=1.2, alignments=True)
    for source, (hypothesis,) in zip(SOURCES, translate_ids(talkative, SOURCES, options, SPECIALS), strict=True):
        assert (hypothesis.complete, len(hypothesis.alignment or ())) == (False, len(hypothesis.tokens))
        rewarded, limit = options.rewarded(len(source)), options.limit(len(source))
        assert rewarded <= len(hypothesis.tokens) < limit
        known = log_probability(talkative, source, hypothesis.tokens)
        assert hypothesis.log_probability == pytest.approx(known, abs=1e-3)
        if beam == 1:
            words = greedy(talkative, source, limit - 1)
            stops = range(rewarded, limit)
            assert known == pytest.approx(max(log_probability(talkative, source, words[:at]) for at in stops), abs=1e-3)


@torch.no_grad()
def test_beam_one_is_greedy(network: Seq2Seq) -> None:
    options = SearchOptions(beam=1, max_length=8)
    for source, (hypothesis,) in zip(SOURCES, translate_ids(network, SOURCES, options, SPECIALS), strict=True):
        words = greedy(network, source, 8)
        assert hypothesis.tokens == words
        assert hypothesis.complete == (len(words) < 8)


@torch.no_grad()
def test_scores_are_log_probabilities_of_the_words(network: Seq2Seq) -> None:
    options = SearchOptions(beam=4, n_best=4, max_length=6, length_penalty=0.5)
    for source, hypotheses in zip(SOURCES, translate_ids(network, SOURCES, options, SPECIALS), strict=True):
        assert hypotheses == sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)
        for hypothesis in hypotheses:
            expected = log_probability(network, source, hypothesis.tokens, hypothesis.complete)
            assert hypothesis.log_probability == pytest.approx(expected, abs=1e-4)
            length = len(hypothesis.tokens) + hypothesis.complete
            assert hypothesis.score == pytest.approx(expected / length_penalty(length, 20, 0.5), abs=1e-4)


def words_of(results: list[list[Hypothesis]]) -> list[list[tuple[int, ...]]]:
    return [[hypothesis.tokens for hypothesis in hypotheses] for hypotheses in results]


@pytest.mark.parametrize("beam", [1, 3])
def test_batch_mates_do_not_matter(network: Seq2Seq, beam: int) -> None:
    options = SearchOptions(beam=beam, n_best=beam, max_length=9)
    alone = [translate_ids(network, [source], options, SPECIALS)[0] for source in SOURCES]
    for order in itertools.permutations(range(len(SOURCES)), 3):
        together = translate_ids(network, [SOURCES[index] for index in order], options, SPECIALS)
        assert words_of(together) == words_of([alone[index] for index in order])


@pytest.mark.parametrize("alignments", [False, True])
def test_sentences_may_join_and_leave_at_any_step(network: Seq2Seq, alignments: bool) -> None:
    options = SearchOptions(beam=3, n_best=2, max_length=9, alignments=alignments)
    alone = {index: translate_ids(network, [source], options, SPECIALS)[0] for index, source in enumerate(SOURCES)}
    search = BeamSearch(network, options, SPECIALS)
    results: dict[object, list[Hypothesis]] = {}
    for index, source in enumerate(SOURCES):
        search.add([index], [source])
        results.update(search.step())
    while len(search):
        results.update(search.step())
    assert words_of([results[index] for index in alone]) == words_of(list(alone.values()))
    if alignments:
        for index, hypotheses in results.items():
            for mine, theirs in zip(hypotheses, alone[int(str(index))], strict=True):
                assert mine.alignment is not None
                assert theirs.alignment is not None
                torch.testing.assert_close(torch.tensor(mine.alignment), torch.tensor(theirs.alignment))


def test_alignments_have_a_row_per_word_and_eos(network: Seq2Seq) -> None:
    options = SearchOptions(beam=2, max_length=6, alignments=True)
    for source, (hypothesis,) in zip(SOURCES, translate_ids(network, SOURCES, options, SPECIALS), strict=True):
        weights = torch.tensor(hypothesis.alignment)
        assert weights.shape == (len(hypothesis.tokens) + hypothesis.complete, len(source))
        torch.testing.assert_close(weights.sum(-1), torch.ones(len(weights)))


def test_dropped_sentences_leave_the_others_alone(network: Seq2Seq) -> None:
    options = SearchOptions(beam=3, max_length=9)
    search = BeamSearch(network, options, SPECIALS)
    search.add(range(len(SOURCES)), SOURCES)
    results = search.step()
    search.drop([0, 3])
    while len(search):
        results.update(search.step())
    for index in (1, 2, 4):
        alone = translate_ids(network, [SOURCES[index]], options, SPECIALS)
        assert words_of([results[index]]) == words_of(alone)


def test_an_empty_batch_is_nothing_to_do(network: Seq2Seq) -> None:
    search = BeamSearch(network, SearchOptions(), SPECIALS)
    search.add([], [])
    assert search.step() == {}
    assert translate_ids(network, [], SearchOptions(), SPECIALS) == []


def test_forbidden_words_never_appear(network: Seq2Seq) -> None:
    options = SearchOptions(beam=5, n_best=5, max_length=8)
    for hypotheses in translate_ids(network, SOURCES, options, SPECIALS):
        for hypothesis in hypotheses:
            assert set(hypothesis.tokens) <= set(WORDS)


@pytest.mark.parametrize("change", [{"beam": 0}, {"n_best": 6}, {"max_length": 0}, {"length_penalty": 9.0}])
def test_impossible_options_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(UserError, match=next(iter(change))):
        dataclasses.replace(SearchOptions(), **change)


def test_a_list_is_settled_when_nothing_that_lives_can_enter_it() -> None:
    good, poor = (Hypothesis((4,), score, score, None) for score in (-0.1, -3.0))
    options = SearchOptions(beam=4, n_best=1)
    assert not settled([], -9.0, 3, 20, options)
    assert settled([good], -9.0, 3, 20, options)
    assert not settled([poor] * 4, -0.01, 3, 20, options)
    assert not settled([good], -9.0, 3, 20, SearchOptions(beam=4, n_best=2))
    assert settled([poor], -0.01, 3, 20, SearchOptions(beam=1))


def test_poor_hypotheses_that_end_early_do_not_end_the_search() -> None:
    bundle = read_bundle(GOLDEN / "format-1")
    source = bundle.tokenizer.encode_source("ma fei ka fei kei", "bb")
    ((best,),) = translate_ids(bundle.network(), [source], SearchOptions(beam=4), bundle.specials)
    assert bundle.tokenizer.decode(best.tokens) == "kei fei ka fei ma"
