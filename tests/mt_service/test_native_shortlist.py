"""The compiled engine with shortlists, against BeamSearch with the same ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from test_native_engine import KINDS, compiler, resident_megabytes, run, sources, toy_sources, with_prefixes
from test_native_engine import bundle_of as bundle_of  # a fixture

from models.bundle import SHORTLIST, Bundle, read_bundle, write_sums
from models.hypotheses import SearchOptions
from models.shortlist import Shortlist, write_shortlist
from mt_service.engine.interface import Engine, Job
from mt_service.engine.native.engine import NativeEngine
from mt_service.registry import make_engine
from mt_service.settings import Settings

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
pytestmark = pytest.mark.skipif(compiler is None, reason="no C compiler on this machine")


def shortened(bundle: Bundle, folder: Path, most: int, seed: int = 1) -> Bundle:
    """A copy of a bundle with a shortlist by chance: up to so many words for each id, itself among them."""
    rng, size = numpy.random.default_rng(seed), len(bundle.tokenizer)
    lists = [sorted({own, *rng.choice(size, rng.integers(most), replace=False).tolist()}) for own in range(size)]
    shutil.copytree(bundle.folder, folder)
    start_V = numpy.cumsum([0, *map(len, lists)]).astype(numpy.int32)
    write_shortlist(folder / SHORTLIST, Shortlist(start_V, numpy.concatenate(lists).astype(numpy.int32)))
    write_sums(folder)
    return read_bundle(folder)


def both(bundle: Bundle) -> tuple[Engine, Engine]:
    return NativeEngine(bundle, 2), make_engine(bundle, Settings(engine="reference"))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_search_keeps_to_the_shortlist(kind: str, bundle_of: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = shortened(bundle_of(kind), tmp_path / "short", 12)
    assert bundle.shortlist is not None
    jobs = [Job(source, SearchOptions(beam, n_best=beam, max_length=8)) for source in sources(15) for beam in (1, 5)]
    fast, slow = (run(engine, jobs) for engine in both(bundle))
    for job, found in zip(jobs, fast, strict=True):
        allowed = set(bundle.shortlist.words(job.source).tolist()) - bundle.specials.banned
        assert all(set(one.tokens) <= allowed for one in found)
    pairs = [(one[0], other[0]) for one, other in zip(fast, slow, strict=True)]
    gaps = [abs(one.score - other.score) for one, other in pairs if one.tokens == other.tokens]
    assert len(gaps) >= 0.5 * len(jobs)
    assert max(gaps) < 0.3


def test_what_was_asked_for_need_not_be_on_the_shortlist(bundle_of: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = shortened(bundle_of(), tmp_path / "short", 12)
    jobs = with_prefixes([Job(source, SearchOptions(4)) for source in sources(30)], whole=False)
    fast, slow = (run(engine, jobs) for engine in both(bundle))
    assert bundle.shortlist is not None
    assert any(set(job.prefix) - set(bundle.shortlist.words(job.source).tolist()) for job in jobs)
    for job, (one,), (other,) in zip(jobs, fast, slow, strict=True):
        assert one.tokens[: len(job.prefix)] == other.tokens[: len(job.prefix)] == job.prefix


@pytest.mark.parametrize("kind", ["flagship", "for the matrix unit"])
def test_what_is_only_scored_is_scored_among_all_words(
    kind: str, bundle_of: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle = bundle_of(kind)
    short = shortened(bundle, tmp_path / "short", 12)
    asked = with_prefixes([Job(source, SearchOptions()) for source in sources(30)], whole=True)
    others = [Job(source, SearchOptions(1)) for source in sources(30, seed=7)]
    jobs = [job for two in zip(asked, others, strict=True) for job in two]
    expected = run(NativeEngine(bundle, 1), asked)
    assert run(NativeEngine(short, 2), jobs)[::2] == expected  # to the bit
    for (one,), (other,) in zip(run(both(short)[1], asked), run(both(bundle)[1], asked), strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_trained_network_translates_as_the_reference_does(beam: int, tmp_path: Path) -> None:
    bundle = shortened(read_bundle(GOLDEN), tmp_path / "short", 100)
    jobs = [Job(source, SearchOptions(beam)) for source in toy_sources(bundle)]
    fast, slow = (run(engine, jobs) for engine in both(bundle))
    assert sum(one[0].tokens == other[0].tokens for one, other in zip(fast, slow, strict=True)) >= 57
    full = run(NativeEngine(read_bundle(GOLDEN), 1), jobs)
    assert sum(one[0].tokens == other[0].tokens for one, other in zip(fast, full, strict=True)) >= 57


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_who_shares_the_batch(
    beam: int, threads: int, bundle_of: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle = shortened(bundle_of("for the matrix unit"), tmp_path / "short", 12)
    jobs = [Job(source, SearchOptions(beam, n_best=beam, alignments=True)) for source in sources(40, seed=5)]
    together = run(NativeEngine(bundle, 1), jobs)
    for seed in (1, 2):
        assert run(NativeEngine(bundle, threads), jobs, seed) == together  # to the bit


def test_a_list_shorter_than_the_beam_is_no_obstacle(bundle_of: Callable[..., Bundle], tmp_path: Path) -> None:
    bundle = shortened(bundle_of(), tmp_path / "short", 1)
    jobs = [Job(source, SearchOptions(40, n_best=5, max_length=4)) for source in ((9, 3), (3,), (10, 11, 3))]
    fast, slow = (run(engine, jobs) for engine in both(bundle))
    assert [len(found) for found in fast] == [len(found) for found in slow]
    for one, other in zip(fast, slow, strict=True):
        assert one[0].score == pytest.approx(other[0].score, abs=0.3)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process holds")
def test_words_of_sentences_that_left_are_given_back(bundle_of: Callable[..., Bundle], tmp_path: Path) -> None:
    engine = NativeEngine(shortened(bundle_of("for the matrix unit"), tmp_path / "short", 40), 2)
    jobs, sizes = [Job(source, SearchOptions(2, max_length=3)) for source in sources(500)], list[float]()
    for turn in range(6):
        for start in range(0, len(jobs), 50):
            engine.admit({turn * 1000 + start + i: job for i, job in enumerate(jobs[start : start + 50])})
            engine.drop(range(turn * 1000 + start, turn * 1000 + start + 25))
            while len(engine):
                engine.step()
        sizes.append(resident_megabytes())
    assert sizes[-1] - sizes[1] < 5  # what 250 sentences a turn would leave behind are 4 MB a turn
