"""The compiled engine against its oracles: integers for products, the network for scores, BeamSearch for the search."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from toy import WORDS

from models.bundle import PROJECTION, TOKENIZER, Bundle, Storage, read_bundle
from models.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from models.hypotheses import Hypothesis, SearchOptions
from models.info import BundleInfo
from models.native.compiler import COMPILERS
from models.quantization import quantize_rows
from models.seq2seq import Seq2Seq
from models.weights import write_bundle
from mt_service.engine.interface import Engine, Job
from mt_service.engine.native.build import library
from mt_service.engine.native.engine import NativeEngine
from mt_service.engine.native.structures import Array, make_product
from mt_service.engine.reference import ReferenceEngine

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
compiler = next((found for found in map(shutil.which, COMPILERS) if found), None)
pytestmark = pytest.mark.skipif(compiler is None, reason="no C compiler on this machine")
INFO = BundleInfo("toy", ("aa", "bb"), ("aa-bb",))
VOCABULARY = 300  # the golden tokenizer's
OUTLIERS = "projections that pass units on"
KINDS: dict[str, dict[str, Any]] = {
    "flagship": {},
    "gru": {"decoder": {"cell": "gru"}, "encoder": {"cell": "gru"}},
    "three blocks, all attend": {"decoder": {"layers": 3, "attention_blocks": "all", "feed_forward": 48}},
    "another width": {"decoder": {"hidden": 48, "bridge": "zero"}, "output_bias": False, "tie": "none"},
    "one direction, projected, plain": {
        "encoder": {"bidirectional": False, "hidden": 48, "layers": 3, "residual": False, "normalize": False},
        "tie": "target",
    },
    "a bag of words": {"encoder": {"layers": 0}},
    "for the matrix unit": {"width": 64, "encoder": {"hidden": 64}, "decoder": {"hidden": 64, "feed_forward": 128}},
    "a wide encoder": {"encoder": {"hidden": 32, "feed_forward": 64}, "decoder": {"bridge": "ends"}},
    OUTLIERS: {"encoder": {"hidden": 32}, "decoder": {"hidden": 48}},
}


def made(kind: str = "flagship") -> Seq2Seq:
    """A network that has learned nothing, but is sure of itself."""
    torch.manual_seed(3)
    changes = {**KINDS[kind]}
    decoder = DecoderConfig(**{"hidden": 32, **changes.pop("decoder", {})})
    encoder = EncoderConfig(**{"hidden": 16, **changes.pop("encoder", {})})
    attention = AttentionConfig(heads=2)
    width = changes.pop("width", 32)
    network = Seq2Seq(ModelConfig(VOCABULARY, width, encoder=encoder, decoder=decoder, attention=attention, **changes))
    with torch.no_grad():
        for part in network.parameters():
            if part.dim() == 1:
                part.add_(torch.randn(part.shape) * 0.1)
        for name, part in network.named_parameters():
            if kind == OUTLIERS and PROJECTION.fullmatch(name):
                part.mul_(0.3).add_(torch.eye(*part.shape))
        network.output_weight.mul_(3)
        if network.output_bias is not None:
            network.output_bias[3] = 2.0
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bundle]:
    """Makes a bundle of a kind of network; it is stored once."""
    folder, written = tmp_path_factory.mktemp("bundles"), dict[tuple[str, Storage], Bundle]()

    def make(kind: str = "flagship", storage: Storage = "int8") -> Bundle:
        if (kind, storage) not in written:
            place = folder / f"{kind}-{storage}"
            written[kind, storage] = write_bundle(place, made(kind), GOLDEN / TOKENIZER, INFO, storage)
        return written[kind, storage]

    return make


def sources(count: int = 30, seed: int = 1) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [(*rng.choices(range(8, VOCABULARY), k=rng.randint(1, 14)), 3) for _ in range(count)]


def run(engine: Engine, jobs: Sequence[Job], seed: int | None = None) -> list[list[Hypothesis]]:
    """All jobs at once, or (with a seed) some at a time, in any order."""
    rng, waiting = random.Random(seed), dict(enumerate(jobs))
    results: dict[int, Any] = {}
    while waiting or len(engine):
        keys = list(waiting) if seed is None else rng.sample(list(waiting), min(len(waiting), rng.randint(0, 4)))
        engine.admit({key: waiting.pop(key) for key in keys})
        results.update(engine.step())
    assert results.keys() == set(range(len(jobs)))
    return [list(results[key]) for key in range(len(jobs))]


def both(bundle: Bundle) -> tuple[Engine, Engine]:
    """The compiled engine and its oracle."""
    return NativeEngine(bundle, 2), ReferenceEngine(bundle.network(), bundle.specials)


def slack() -> float:
    """How much more coarsely than with eight bits rows are rounded."""
    return 2.0 if library().mt_instructions() == b"AVX2" else 1.0


def rounded(row_NI: Array, seven_bits: bool) -> tuple[Array, Array]:
    """Rows as products.h rounds them: whole numbers, and what one is worth."""
    most_N1, least_N1 = row_NI.max(1, keepdims=True).clip(0), (-row_NI).max(1, keepdims=True).clip(0)
    step_N1 = (most_N1 + least_N1 if seven_bits else numpy.maximum(most_N1, least_N1)) / numpy.float32(127)
    return numpy.rint(row_NI * (numpy.float32(1) / step_N1)).astype(int), step_N1


@pytest.mark.parametrize("storage", ["int8", "float32"])
@torch.inference_mode()
def test_outliers_are_kept_as_they_are_and_let_the_others_be_rounded_finely(
    storage: Storage, bundle_of: Callable[..., Bundle]
) -> None:
    bundle, network = bundle_of(OUTLIERS, storage), made(OUTLIERS)
    names = {name for name, _ in network.named_parameters() if PROJECTION.fullmatch(name)}
    assert set(bundle.config.outliers) == (names if storage == "int8" else set())
    for name, part in bundle.network().named_parameters():
        if name in names:
            torch.testing.assert_close(part, network.get_parameter(name), atol=0.0005, rtol=0)


@pytest.mark.parametrize("rows", [1, 7, 33])
def test_outliers_are_multiplied_with_rows_that_are_not_rounded(rows: int) -> None:
    rng = numpy.random.default_rng(rows)
    row_NI, value_O = (rng.normal(size=size).astype(numpy.float32) for size in ((rows, 64), 48))
    column_O = rng.integers(0, 64, 48).astype(numpy.int32)
    product = make_product(numpy.zeros((48, 64), numpy.int8), numpy.ones(48, numpy.float32), None)
    product.structure.outlier, product.structure.column = value_O.ctypes.data, column_O.ctypes.data
    out_NO = numpy.empty((rows, 48), numpy.float32)
    library().mt_multiply(ctypes.byref(product.structure), row_NI.ctypes.data, rows, out_NO.ctypes.data)
    numpy.testing.assert_allclose(out_NO, value_O * row_NI[:, column_O], rtol=1e-6)


def check_products(made: ctypes.CDLL, rows: int, outputs: int, inputs: int) -> None:
    rng, seven_bits = numpy.random.default_rng(rows * outputs), made.mt_instructions() == b"AVX2"
    weight_OI = rng.normal(size=(outputs, inputs))
    row_NI = rng.normal(size=(rows, inputs)) * rng.lognormal(size=(rows, 1)) + rng.normal(size=(rows, 1))
    matrix, bias_O = quantize_rows(weight_OI.astype(numpy.float32)), rng.normal(size=outputs).astype(numpy.float32)
    row_NI = row_NI.astype(numpy.float32)
    product = make_product(matrix.integer_RC, matrix.scale_R, bias_O)
    out_NO = numpy.empty((rows, product.structure.outputs), numpy.float32)
    made.mt_multiply(ctypes.byref(product.structure), row_NI.ctypes.data, rows, out_NO.ctypes.data)
    integer_NI, step_N1 = rounded(row_NI, seven_bits)
    expected_NO = integer_NI @ matrix.integer_RC.T.astype(int) * (step_N1 * matrix.scale_R) + bias_O
    numpy.testing.assert_allclose(out_NO[:, :outputs], expected_NO, rtol=1e-4, atol=1e-4 * float(step_N1.max()))
    assert (out_NO[:, outputs:] == -numpy.inf).all()


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 33, 64, 69])
@pytest.mark.parametrize("outputs", [16, 70, 144, 400])
@pytest.mark.parametrize("inputs", [48, 128])
def test_products_against_integers(rows: int, outputs: int, inputs: int) -> None:
    check_products(library(), rows, outputs, inputs)


@pytest.mark.parametrize("kind", sorted(KINDS))
@torch.inference_mode()
def test_scores_and_alignments_against_the_network(kind: str, bundle_of: Callable[..., Bundle]) -> None:
    bundle, texts = bundle_of(kind), sources(12)
    network = bundle.network()
    jobs = [
        Job(source, SearchOptions(beam=4, n_best=4, length_penalty=0.7, max_length=9, alignments=True))
        for source in texts
    ]
    for source, found in zip(texts, run(NativeEngine(bundle, 1), jobs), strict=True):
        assert len({one.tokens for one in found}) == len(found)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        for one in found:
            words = [*one.tokens, 3] if one.complete else [*one.tokens]
            target = torch.tensor([[2, *words[:-1]]])
            memory, state = network.encode(torch.tensor([source]), torch.tensor([len(source)]))
            output = network.decode(target, memory, state)
            logits = network.logits(output.hidden_NTD[0])
            logits[:, sorted(bundle.specials.banned)] = -torch.inf
            expected = logits.log_softmax(1).gather(1, torch.tensor(words)[:, None]).sum()
            assert one.log_probability == pytest.approx(float(expected), abs=0.12 * slack() * len(words))
            assert one.score == pytest.approx(one.log_probability / ((5 + len(words)) / 6) ** 0.7, rel=1e-4)
            torch.testing.assert_close(torch.tensor(one.alignment), output.attention_NTS[0], atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_search_finds_what_beam_search_does(kind: str, bundle_of: Callable[..., Bundle]) -> None:
    kinds = [(beam, alpha) for beam in (1, 5) for alpha in (0.0, 1.2)]
    jobs = [
        Job(source, SearchOptions(beam, length_penalty=alpha, max_length=8))
        for source in sources(15)
        for beam, alpha in kinds
    ]
    fast, slow = (run(engine, jobs) for engine in both(bundle_of(kind)))
    pairs = [(one[0], other[0]) for one, other in zip(fast, slow, strict=True)]
    gaps = [abs(one.score - other.score) for one, other in pairs if one.tokens == other.tokens]
    assert len(gaps) >= 0.5 * len(jobs)  # rounding decides between near equals, of which untrained networks have many
    assert max(gaps) < 0.3


def toy_sources(bundle: Bundle, count: int = 60) -> list[tuple[int, ...]]:
    """What the golden bundle knows to translate."""
    rng = random.Random(4)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 8))) for _ in range(count)]
    return [tuple(bundle.tokenizer.encode_source(text, "bb")) for text in texts]


@pytest.mark.parametrize(("beam", "search"), [(1, {}), (4, {}), (4, {"length_penalty": 3.0, "length_ratio": 0.8})])
def test_a_trained_network_translates_as_the_reference_does(beam: int, search: dict[str, float]) -> None:
    bundle = read_bundle(GOLDEN)
    jobs = [Job(source, SearchOptions(beam, alignments=beam == 4, **search)) for source in toy_sources(bundle)]
    fast, slow = (run(engine, jobs) for engine in both(bundle))
    assert sum(one[0].tokens == other[0].tokens for one, other in zip(fast, slow, strict=True)) >= 58
    for one, other in zip(fast, slow, strict=True):
        assert one[0].score == pytest.approx(other[0].score, abs=0.15)


@pytest.mark.parametrize("beam", [1, 4])
def test_what_never_ends_is_stopped_where_the_reference_does(beam: int, tmp_path: Path) -> None:
    golden = read_bundle(GOLDEN)
    network = golden.network()
    with torch.no_grad():
        assert network.output_bias is not None
        network.output_bias[golden.specials.eos] -= 40.0
    bundle = write_bundle(tmp_path / "endless", network, GOLDEN / TOKENIZER, INFO, "float32")
    jobs = [
        Job(source, SearchOptions(beam, beam, length_ratio=1.3, alignments=True)) for source in toy_sources(golden, 20)
    ]
    fast, slow = (run(engine, jobs) for engine in both(bundle))
    assert {(len(one), one[0].complete) for one in (*fast, *slow)} == {(1, False)}
    assert sum(one[0].tokens == other[0].tokens for one, other in zip(fast, slow, strict=True)) >= 22 - 4 * slack()
    for job, (one,), (other,) in zip(jobs, fast, slow, strict=True):
        if one.tokens == other.tokens:
            assert one.score == pytest.approx(other.score, abs=0.15 * slack())
        assert len(one.alignment or ()) == len(one.tokens) >= 1.3 * len(job.source)


def with_prefixes(jobs: Sequence[Job], seed: int = 1, whole: bool = False) -> list[Job]:
    """Every other job told how to begin, or all of them what to say."""
    rng = random.Random(seed)
    begun = [tuple(rng.choices(range(8, VOCABULARY), k=rng.randint(0, 6))) for _ in jobs]
    if whole:
        return [Job(job.source, SearchOptions(1), (*row, 3)) for job, row in zip(jobs, begun, strict=True)]
    return [
        job._replace(prefix=row) if index % 2 else job for index, (job, row) in enumerate(zip(jobs, begun, strict=True))
    ]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_whole_translation_is_scored_as_by_the_reference(kind: str, bundle_of: Callable[..., Bundle]) -> None:
    jobs = with_prefixes([Job(source, SearchOptions()) for source in sources(40)], whole=True)
    fast, slow = (run(engine, jobs) for engine in both(bundle_of(kind)))
    gaps = []
    for job, (one,), (other,) in zip(jobs, fast, slow, strict=True):
        assert one.tokens == other.tokens == job.prefix[:-1]
        assert (one.complete, other.complete) == (True, True)
        gaps.append(abs(one.log_probability - other.log_probability) / len(job.prefix))
    assert max(gaps) < 0.3 * slack()
    assert sum(gaps) / len(gaps) < 0.06 * slack()


@pytest.mark.parametrize("beam", [1, 4])
def test_what_was_told_how_to_begin_goes_on_as_the_reference_does(beam: int) -> None:
    bundle = read_bundle(GOLDEN)
    jobs = [Job(source, SearchOptions(beam, beam, alignments=True)) for source in toy_sources(bundle)]
    plain = run(ReferenceEngine(bundle.network(), bundle.specials), jobs)
    jobs = [
        job._replace(prefix=row[-1].tokens[: index % 5])
        for index, (job, row) in enumerate(zip(jobs, plain, strict=True))
    ]
    engine, reference = both(bundle)
    fast, slow = run(engine, jobs, seed=1), run(reference, jobs)
    assert fast == run(engine, jobs)  # to the bit, whoever shares the batch
    for job, row in zip(jobs, fast, strict=True):
        assert all(one.tokens[: len(job.prefix)] == job.prefix for one in row)
        assert all(len(one.alignment or ()) == len(one.tokens) + one.complete for one in row)
    assert sum(one[0].tokens == other[0].tokens for one, other in zip(fast, slow, strict=True)) >= 57


def test_a_word_that_is_never_produced_gives_an_empty_list(bundle_of: Callable[..., Bundle]) -> None:
    free, told = Job((9, 10, 3), SearchOptions(4)), Job((9, 10, 3), SearchOptions(4), (20, 0, 21))
    fast, slow = (run(engine, [free, told, free]) for engine in both(bundle_of()))
    assert [bool(row) for row in fast] == [bool(row) for row in slow] == [True, False, True]
    assert fast[0] == fast[2]


@pytest.mark.parametrize("kind", ["flagship", "for the matrix unit"])
@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_who_shares_the_batch(
    kind: str, beam: int, threads: int, bundle_of: Callable[..., Bundle]
) -> None:
    jobs = [Job(source, SearchOptions(beam, n_best=beam, alignments=True)) for source in sources(40, seed=5)]
    together = run(NativeEngine(bundle_of(kind), 1), jobs)
    for seed in (1, 2):
        assert run(NativeEngine(bundle_of(kind), threads), jobs, seed) == together  # to the bit


@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_every_storage_is_served(storage: Storage, bundle_of: Callable[..., Bundle]) -> None:
    jobs = [Job(source, SearchOptions(beam=2)) for source in sources(10, seed=7)]
    found, expected = (run(NativeEngine(bundle_of(storage=one), 1), jobs) for one in (storage, "int8"))
    gaps = [one[0].score - other[0].score for one, other in zip(found, expected, strict=True)]
    assert max(map(abs, gaps)) < 0.5
    assert abs(sum(gaps) / len(gaps)) < 0.05


def test_whoever_is_dropped_leaves_the_others_alone(bundle_of: Callable[..., Bundle]) -> None:
    jobs = [Job(source, SearchOptions(2)) for source in sources(12, seed=6)]
    expected = run(NativeEngine(bundle_of(), 1), jobs)
    engine = NativeEngine(bundle_of(), 1)
    engine.admit(dict(enumerate(jobs)))
    results = dict(engine.step())
    engine.drop([0, 3, 7, 99])
    while len(engine):
        results.update(engine.step())
    assert {key: results[key] for key in set(range(12)) - {0, 3, 7}} == {
        key: expected[key] for key in set(range(12)) - {0, 3, 7}
    }
    engine.admit({0: jobs[0]})
    engine.drop([0])
    assert (len(engine), engine.rows, engine.step()) == (0, 0, {})


def test_jobs_of_several_options_share_an_engine(bundle_of: Callable[..., Bundle]) -> None:
    (source,) = sources(1)
    jobs = [Job(source, SearchOptions(beam, length_penalty=alpha)) for beam in (1, 3) for alpha in (0.5, 1.5)]
    engine = NativeEngine(bundle_of(), 1)
    engine.admit(dict(enumerate(jobs)))
    assert (len(engine), engine.rows) == (4, 8)
    while len(engine):
        engine.step()


def test_long_sentences_and_wide_beams_are_searched(bundle_of: Callable[..., Bundle]) -> None:
    long = (*range(8, 208), *range(8, 208), *range(8, 208), 3)
    jobs = [
        Job(long, SearchOptions(beam=40, n_best=3)),
        Job((9, 3), SearchOptions(beam=1)),
        Job(long, SearchOptions(beam=2, max_length=1)),
    ]
    for one, other in zip(*(run(engine, jobs) for engine in both(bundle_of("gru"))), strict=True):
        assert len(one) == len(other)
        assert one[0].score == pytest.approx(other[0].score, abs=0.2)


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process holds")
def test_memory_does_not_grow_with_ever_new_lengths(bundle_of: Callable[..., Bundle]) -> None:
    rng, engine, sizes = random.Random(7), NativeEngine(bundle_of(), 2), list[float]()
    for _ in range(5):
        key = 0
        while key < 1000 or len(engine):
            if key < 1000 and engine.rows < 200:
                source = (*rng.choices(range(8, VOCABULARY), k=rng.randint(1, 60)), 3)
                count = rng.randint(1, 12)
                job = Job(source, SearchOptions(rng.choice([1, 4]), max_length=12))
                engine.admit({key + index: job for index in range(count)})
                key += count
            engine.step()
        sizes.append(resident_megabytes())
    assert sizes[-1] - sizes[0] < 10
