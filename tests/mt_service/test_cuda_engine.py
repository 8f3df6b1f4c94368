"""The engine for GPUs against its oracle, BeamSearch; without a GPU the same tables, by torch and not as graphs."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_native_engine import KINDS, made, run, sources, with_prefixes

from data.errors import UserError
from data.languages import languages_of
from models.bundle import read_bundle
from models.hypotheses import Hypothesis, SearchOptions, Specials
from models.seq2seq import Seq2Seq
from mt_service.engine import cuda
from mt_service.engine.cuda import CudaEngine, room_for, source_room
from mt_service.engine.interface import Job
from mt_service.engine.reference import ReferenceEngine
from mt_service.engine.table import Table
from mt_service.registry import make_engine
from mt_service.settings import Settings

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
SPECIALS = Specials(0, 2, 3, (1, 4, 5, 6, 7))
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def network_of(kind: str = "flagship") -> Seq2Seq:
    return made(kind).to(DEVICE)


@pytest.fixture(params=["torch", "kernels"])
def kind_of_table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Table]:
    """Tables by torch, and those of kernels, which Triton interprets where there is no GPU."""
    kind: type[Table] = Table
    if request.param == "kernels":
        pytest.importorskip("triton", reason="there is no Triton for this machine")
        from mt_service.engine.fused import FusedTable

        kind = FusedTable
    monkeypatch.setattr(cuda, "table_kind", lambda *_: kind)
    return kind


def some_jobs(seed: int, count: int, **options: Any) -> list[Job]:
    """Sentences that share a beam, and differ in all else that may differ within a table."""
    rng = random.Random(seed)
    beam = rng.choice([1, 2, 5])
    common = {"beam": beam, "max_length": rng.choice([6, 20]), **options}
    return [
        Job(
            source,
            SearchOptions(
                n_best=rng.randint(1, beam),
                length_penalty=rng.choice([0, 0.6, 1, 2, -1]),
                length_ratio=rng.choice([0, 0.8, 1.2]),
                **common,
            ),
        )
        for source in sources(count, seed)
    ]


def same(found: list[Hypothesis], expected: list[Hypothesis]) -> None:
    assert [one.tokens for one in found] == [one.tokens for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.complete == other.complete
        assert one.score == pytest.approx(other.score, rel=1e-4, abs=1e-5)
        assert one.log_probability == pytest.approx(other.log_probability, rel=1e-4, abs=1e-5)
        assert (one.alignment is None) == (other.alignment is None)
        if one.alignment is not None:
            torch.testing.assert_close(torch.tensor(one.alignment), torch.tensor(other.alignment), rtol=0, atol=1e-4)


@pytest.mark.usefixtures("kind_of_table")
def test_what_is_told_how_to_begin_is_searched_for_beside_the_tables() -> None:
    network, free = network_of(), some_jobs(3, 6)
    jobs = with_prefixes(free, seed=2) + with_prefixes(free[:3], whole=True)
    engine = CudaEngine(network, SPECIALS)
    found = run(engine, jobs, seed=1)
    for row, expected in zip(found, run(ReferenceEngine(network, SPECIALS), jobs), strict=True):
        same(row, expected)
    engine.admit(dict(enumerate(jobs)))
    assert (len(engine), engine.rows) == (len(jobs), sum(job.search.beam for job in jobs))
    engine.drop(range(len(jobs)))
    assert (len(engine), engine.rows, engine.step()) == (0, 0, {})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_tables_find_what_beam_search_finds(kind: str, kind_of_table: type[Table]) -> None:
    network, few = network_of(kind), kind_of_table is not Table and DEVICE == "cpu"  # interpreting is slow
    number = sorted(KINDS).index(kind)  # kinds of network differ in what is searched for, too
    for seed in (number,) if few else range(6):
        jobs = some_jobs(seed, 4 if few else 20)
        expected = run(ReferenceEngine(network, SPECIALS), jobs)
        for found, wanted in zip(run(CudaEngine(network, SPECIALS), jobs, seed or None), expected, strict=True):
            same(found, wanted)


@pytest.mark.parametrize("beam", [1, 5])
def test_alignments_are_those_of_beam_search(beam: int) -> None:
    network, jobs = network_of(), some_jobs(beam, 12, beam=beam, alignments=True)
    expected = run(ReferenceEngine(network, SPECIALS), jobs)
    for found, wanted in zip(run(CudaEngine(network, SPECIALS), jobs, 1), expected, strict=True):
        same(found, wanted)


def test_sentences_that_are_dropped_leave_the_others_as_they_are() -> None:
    network, jobs = network_of(), [Job(source, SearchOptions(beam=2, max_length=20)) for source in sources(8)]
    engine, expected = CudaEngine(network, SPECIALS), run(ReferenceEngine(network, SPECIALS), jobs)
    engine.admit(dict(enumerate(jobs)))
    results: dict[int, Any] = dict(engine.step())
    engine.drop([1, 4, 99])
    assert len(engine) == 6
    assert engine.rows == 12
    while len(engine):
        results.update(engine.step())
    assert results.keys() == {0, 2, 3, 5, 6, 7}
    for key, found in results.items():
        same(found, expected[key])
    engine.drop([1])
    assert dict(engine.step()) == {}


def test_a_table_of_one_size_is_made_once_and_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "KEPT", 2)
    engine = CudaEngine(network_of(), SPECIALS)
    for beam in (1, 2, 1, 3, 1):
        jobs = [Job(source, SearchOptions(beam=beam, max_length=6)) for source in sources(3)]
        before = set(map(id, engine.tables.made.values()))
        run(engine, jobs)
        kept = {group.beam for group, _ in engine.tables.made}
        assert beam in kept
        assert len(kept) <= 2
        if beam == 1 and before:
            assert set(map(id, engine.tables.made.values())) == before


@pytest.mark.usefixtures("kind_of_table")
@pytest.mark.parametrize("under_way", [False, True])
def test_an_engine_goes_as_soon_as_nobody_has_it(under_way: bool) -> None:
    """Its graphs with it, which no collector then comes across while the next engine's are captured."""
    engine = CudaEngine(network_of(), SPECIALS)
    run(engine, some_jobs(1, 6))
    if under_way:
        engine.admit(dict(enumerate(some_jobs(2, 6))))
        engine.step()
    watched = [weakref.ref(engine), *map(weakref.ref, engine.tables.made.values())]
    gc.disable()
    try:
        del engine
        assert [one() for one in watched] == [None] * len(watched)
    finally:
        gc.enable()


@pytest.mark.parametrize(("count", "room"), [(1, 1), (2, 2), (3, 4), (64, 64), (65, 128)])
def test_room_is_made_by_powers_of_two(count: int, room: int) -> None:
    assert room_for(count) == room


def test_sources_are_padded_to_few_sizes_and_not_far() -> None:
    rooms = {length: source_room(length) for length in range(1, 513)}
    assert all(0 <= room - length < max(16, length / 2) for length, room in rooms.items())
    assert len(set(rooms.values())) <= 16


@pytest.mark.skipif(DEVICE == "cuda", reason="there is a GPU")
def test_without_a_gpu_the_engine_for_gpus_is_refused() -> None:
    with pytest.raises(UserError, match="device is cuda, but torch sees no GPU"):
        make_engine(read_bundle(GOLDEN), Settings(engine="cuda"))


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_in_half_precision_most_sentences_stay_as_they_are(bundle_texts: Callable[[], list[Job]]) -> None:
    bundle, jobs = read_bundle(GOLDEN), bundle_texts()
    expected = run(ReferenceEngine(bundle.network("cuda"), bundle.specials), jobs)
    engine = make_engine(bundle, Settings(engine="cuda"))
    assert engine.description == "float16 on cuda, a graph for each step"
    found = run(engine, jobs)
    agreeing = sum(one[0].tokens == other[0].tokens for one, other in zip(found, expected, strict=True))
    assert agreeing >= 0.9 * len(jobs)


@pytest.fixture
def bundle_texts() -> Callable[[], list[Job]]:
    """Sentences of made-up words, which the golden bundle has learned to turn around."""
    from toy import WORDS

    def make() -> list[Job]:
        rng, tokenizer = random.Random(1), read_bundle(GOLDEN).tokenizer
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 6))) for _ in range(40)]
        target = languages_of(read_bundle(GOLDEN).info.directions[0])[1]
        return [Job(tuple(tokenizer.encode_source(text, target)), SearchOptions(beam=3)) for text in texts]

    return make
