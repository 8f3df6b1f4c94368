"""The fast engine against its oracles: floats for products, the network for steps, BeamSearch for the search."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from toy import WORDS

from data.errors import UserError
from models.attention import AttentionMemory
from models.bundle import read_bundle
from models.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from models.decoder import DecoderState, Memory
from models.search import BeamSearch, Hypothesis, SearchOptions, Specials
from models.seq2seq import Seq2Seq
from mt_service import registry
from mt_service.engine import packed as packed_module
from mt_service.engine.cpu import CpuEngine, CpuSearch
from mt_service.engine.interface import Engine, Job
from mt_service.engine.packed import BLOCK, PackedNetwork, Product, packable, products_exact, products_pay, round_rows
from mt_service.engine.reference import ReferenceEngine
from mt_service.registry import make_engine

needs_integers = pytest.mark.skipif(not products_exact(), reason="this processor cuts sums of 8-bit products short")
SPECIALS = Specials(pad=0, bos=2, eos=3, forbidden=(1,))
VOCABULARY = 150
ALLOWED = range(3, VOCABULARY)
KINDS: dict[str, dict[str, Any]] = {
    "flagship": {},
    "gru": {"decoder": {"cell": "gru"}},
    "three blocks, all attend": {"decoder": {"layers": 3, "attention_blocks": "all", "feed_forward": 40}},
    "a bag of words": {"encoder": {"layers": 0}},
    "another width": {"decoder": {"hidden": 48, "bridge": "zero"}, "output_bias": False, "tie": "none"},
}


def made(kind: str = "flagship") -> Seq2Seq:
    torch.manual_seed(3)
    changes = {**KINDS[kind]}
    decoder = DecoderConfig(**{"hidden": 32, **changes.pop("decoder", {})})
    encoder = EncoderConfig(**{"hidden": 16, **changes.pop("encoder", {})})
    attention = AttentionConfig(heads=2)
    network = Seq2Seq(ModelConfig(VOCABULARY, 32, encoder=encoder, decoder=decoder, attention=attention, **changes))
    with torch.no_grad():
        network.output_weight.mul_(3)
        if network.output_bias is not None:
            network.output_bias[SPECIALS.eos] = 2.0
    return network.eval().requires_grad_(False)


def sources(count: int = 30, seed: int = 1) -> list[list[int]]:
    rng = random.Random(seed)
    return [[*rng.choices(range(4, VOCABULARY), k=rng.randint(1, 14)), SPECIALS.eos] for _ in range(count)]


def run(engine: Engine, jobs: Sequence[Job], seed: int | None = None) -> list[list[Hypothesis]]:
    """All jobs at once, or (with a seed) some at a time, in any order."""
    rng, waiting = random.Random(seed), dict(enumerate(jobs))
    results: dict[int, Any] = {}
    while waiting or len(engine):
        keys = list(waiting) if seed is None else rng.sample(list(waiting), min(len(waiting), rng.randint(0, 4)))
        engine.admit({key: waiting.pop(key) for key in keys})
        results.update(engine.step())
    return [results[key] for key in range(len(jobs))]


class FloatNetwork(PackedNetwork):
    """The packed network's outside over the network itself, so that search alone is compared."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__(network, ALLOWED, low_precision=False)
        self.network = network

    def encode(self, source_BS: Tensor, length_B: Tensor) -> tuple[Memory, DecoderState]:
        self.heads = self.blocks[0].attention.heads if self.blocks[0].attention else 1
        return super().encode(source_BS, length_B)

    def step(self, word_N: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor]:
        plain = tuple(
            AttentionMemory(one[0].permute(0, 3, 1, 2).flatten(2), one[1].transpose(1, 2).flatten(2), one[2][:, 0])
            for one in memory
        )
        output = self.network.decode(word_N[:, None], plain, state)
        gain_NW = self.network.logits(output.hidden_NTD[:, 0])[:, self.allowed_W].log_softmax(1)
        padding = -len(self.allowed_W) % BLOCK
        sentences, _, size = memory[0].bias_BS.shape
        weights_BAKS = output.attention_NTS.view(sentences, 1, -1, size).expand(-1, self.heads, -1, -1)
        padded_NP = functional.pad(gain_NW, (0, padding), value=float("-inf"))
        return padded_NP, output.state, weights_BAKS.flatten(0, 1)


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("alpha", [0.0, 1.2])
def test_search_against_beam_search(beam: int, alpha: float) -> None:
    network, options = made(), SearchOptions(beam, beam, alpha, alignments=True)
    fast, slow = CpuSearch(FloatNetwork(network), options, SPECIALS), BeamSearch(network, options, SPECIALS)
    found: dict[int, list[Hypothesis]] = {}
    expected: dict[Any, list[Hypothesis]] = {}
    waiting = list(enumerate(sources()))
    with torch.inference_mode():
        while waiting or len(fast) or len(slow):
            assert len(fast) == len(slow)
            joining = [waiting.pop() for _ in range(min(7, len(waiting)))] if len(fast) < 10 else []
            for search in (fast, slow) if joining else ():
                search.add([key for key, _ in joining], [source for _, source in joining])
            found.update(fast.step())
            expected.update(slow.step())
    assert found.keys() == expected.keys()
    for key, hypotheses in found.items():
        assert [one.tokens for one in hypotheses] == [one.tokens for one in expected[key]]
        for one, other in zip(hypotheses, expected[key], strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert one.complete == other.complete
            torch.testing.assert_close(torch.tensor(one.alignment), torch.tensor(other.alignment), atol=1e-4, rtol=0)


@needs_integers
def test_int8_products_against_floats() -> None:
    torch.manual_seed(1)
    weight_OD, input_ND, bias_O = (
        torch.randn(70, 50),
        torch.randn(9, 50) * torch.logspace(-2, 2, 9)[:, None],
        torch.randn(70),
    )
    expected = functional.linear(input_ND, weight_OD)
    error = Product(weight_OD)(round_rows(input_ND)) - expected
    assert float((error.norm(dim=1) / expected.norm(dim=1)).max()) < 0.02
    torch.testing.assert_close(Product(weight_OD, bias_O)(round_rows(input_ND)) - bias_O, error + expected)


@needs_integers
def test_a_row_never_depends_on_those_beside_it() -> None:
    torch.manual_seed(2)
    product, input_ND = Product(torch.randn(40, 30)), torch.randn(6, 30)
    together = product(round_rows(input_ND))
    assert all(torch.equal(product(round_rows(input_ND[row : row + 1]))[0], together[row]) for row in range(6))


def test_a_row_of_zeros_stays_zero() -> None:
    assert not Product(torch.randn(4, 3))(round_rows(torch.zeros(2, 3))).any()


@needs_integers
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("low_precision", [False, True])
@torch.inference_mode()
def test_int8_steps_against_the_network(kind: str, low_precision: bool) -> None:
    network = made(kind)
    packed = PackedNetwork(network, ALLOWED, low_precision)
    source_BS, length_B = torch.tensor([[5, 6, 7, 8, 3], [9, 3, 0, 0, 0]]), torch.tensor([5, 2])
    memory, state = network.encode(source_BS, length_B)
    packed_memory, packed_state = packed.encode(source_BS, length_B)
    for words in ([2, 2], [10, 20], [33, 44]):
        word_N = torch.tensor(words)
        output = network.decode(word_N[:, None], memory, state)
        expected_NW = network.logits(output.hidden_NTD[:, 0])[:, list(ALLOWED)].log_softmax(1)
        gain_NP, packed_state, weights = packed.step(word_N, packed_memory, packed_state)
        state = output.state
        assert bool((gain_NP[:, len(ALLOWED) :] == -torch.inf).all())
        error = gain_NP[:, : len(ALLOWED)] - expected_NW
        assert float(error.abs().mean() / expected_NW.std()) < 0.03
        torch.testing.assert_close(weights.view(2, 2, -1).mean(1), output.attention_NTS[:, 0], atol=0.03, rtol=0)


@needs_integers
@pytest.mark.parametrize("beam", [1, 4])
def test_a_trained_network_translates_as_the_reference_does(golden: Path, beam: int) -> None:
    bundle, rng = read_bundle(golden), random.Random(4)
    network = bundle.network()
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 8))) for _ in range(60)]
    jobs = [Job(tuple(bundle.tokenizer.encode_source(text, "bb")), beam, alignments=beam == 4) for text in texts]
    fast = run(CpuEngine(network, bundle.specials, low_precision=True), jobs)
    slow = run(ReferenceEngine(network, bundle.specials), jobs)
    assert sum(one[0].tokens == other[0].tokens for one, other in zip(fast, slow, strict=True)) >= 58
    for one, other in zip(fast, slow, strict=True):
        assert one[0].score == pytest.approx(other[0].score, abs=0.15)


@needs_integers
@pytest.mark.parametrize("beam", [1, 3])
def test_results_do_not_depend_on_who_shares_the_batch(beam: int) -> None:
    jobs = [Job(tuple(source), beam, n_best=beam) for source in sources(40, seed=5)]
    network = made()
    together = run(CpuEngine(network, SPECIALS), jobs)
    for seed in (1, 2):
        apart = run(CpuEngine(network, SPECIALS), jobs, seed)
        assert [[one.tokens for one in found] for found in apart] == [
            [one.tokens for one in found] for found in together
        ]


def test_whoever_is_dropped_leaves_the_others_alone() -> None:
    jobs = [Job(tuple(source), 2) for source in sources(12, seed=6)]
    expected = run(CpuEngine(made(), SPECIALS), jobs)
    engine = CpuEngine(made(), SPECIALS)
    engine.admit(dict(enumerate(jobs)))
    results = dict(engine.step())
    engine.drop([0, 3, 7, 99])
    while len(engine):
        results.update(engine.step())
    for key in set(range(12)) - {0, 3, 7}:
        assert results[key][0].tokens == expected[key][0].tokens
    engine.admit({0: jobs[0]})
    engine.drop([0])
    assert (len(engine), engine.rows, engine.step()) == (0, 0, {})


def test_jobs_of_several_options_share_an_engine() -> None:
    (source,) = sources(1)
    jobs = [Job(tuple(source), beam, length_penalty=alpha) for beam in (1, 3) for alpha in (0.5, 1.5)]
    engine = CpuEngine(made(), SPECIALS)
    engine.admit(dict(enumerate(jobs)))
    assert (len(engine), engine.rows) == (4, 8)
    while len(engine):
        engine.step()


@pytest.mark.parametrize("kind", ["additive", "mean"])
def test_networks_of_other_kinds_are_left_to_the_reference(golden: Path, kind: Any) -> None:
    config = ModelConfig(30, 8, attention=AttentionConfig(kind=kind), decoder=DecoderConfig(hidden=8))
    network, bundle = Seq2Seq(config).eval().requires_grad_(False), read_bundle(golden)
    assert not packable(network)
    assert isinstance(make_engine(bundle, network, "auto"), ReferenceEngine)
    with pytest.raises(UserError, match="engine 'cpu' does not know the network of toy"):
        make_engine(bundle, network, "cpu")


@needs_integers
@pytest.mark.parametrize(("pays", "kind"), [(True, CpuEngine), (False, ReferenceEngine)])
def test_the_engine_that_is_wished_for_or_faster_is_made(
    golden: Path, pays: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = read_bundle(golden)
    network = bundle.network()
    monkeypatch.setattr(registry, "products_pay", lambda: pays)
    assert isinstance(make_engine(bundle, network, "cpu"), CpuEngine)
    assert isinstance(make_engine(bundle, network, "reference"), ReferenceEngine)
    assert isinstance(make_engine(bundle, network, "auto"), kind)


def test_integers_pay_only_where_they_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert products_pay() in {products_exact(), False}
    monkeypatch.setattr(packed_module, "products_exact", lambda: False)
    assert not products_pay()


def test_a_processor_without_exact_products_is_told(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = read_bundle(golden)
    monkeypatch.setattr(registry, "products_exact", lambda: False)
    with pytest.raises(UserError, match="needs a processor with VNNI or AMX"):
        make_engine(bundle, bundle.network(), "cpu")


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process holds")
def test_memory_stops_growing_with_ever_new_shapes() -> None:
    rng, engine, sizes = random.Random(7), CpuEngine(made(), SPECIALS, low_precision=True), list[float]()
    for _ in range(7):
        key = 0
        while key < 1500 or len(engine):
            if key < 1500 and engine.rows < 200:
                source = [*rng.choices(range(4, VOCABULARY), k=rng.randint(1, 40)), SPECIALS.eos]
                count = rng.randint(1, 12)
                job = Job(tuple(source), rng.choice([1, 4]), max_length=12)
                engine.admit({key + index: job for index in range(count)})
                key += count
            engine.step()
        sizes.append(resident_megabytes())
    assert sizes[-1] - sizes[3] < 100  # caches of compiled shapes fill first, and are bounded
