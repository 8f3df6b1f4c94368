"""The compiled engine as other processors would have it: compiled for them, or with their instructions emulated."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from test_native_engine import bundle_of as bundle_of  # a fixture
from test_native_engine import check_products, compiler, run, sources

from models.bundle import Bundle
from models.device import cpu_flags
from models.hypotheses import Hypothesis, SearchOptions
from models.native.compiler import UnavailableError, compile_library
from mt_service.engine.interface import Job
from mt_service.engine.native import build
from mt_service.engine.native import engine as module
from mt_service.engine.native.build import SOURCE, library
from mt_service.engine.native.engine import NativeEngine
from mt_service.engine.native.structures import declare

pytestmark = pytest.mark.skipif(compiler is None, reason="no C compiler on this machine")
HERE = Path(__file__).parent
EMULATED_VNNI = ("-include", str(HERE / "emulated_vnni.h"))
TUNINGS = [
    ("-march=x86-64",),
    ("-march=haswell",),
    ("-march=haswell", *EMULATED_VNNI),
    ("-march=haswell", *EMULATED_VNNI, "-include", str(HERE.parent / "emulated_tiles.h")),
    ("-march=native", "-mno-amx-int8"),
    ("-march=armv8-a",),
    ("-march=armv8.2-a+dotprod",),
    ("-march=native", "-O1"),
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """A library without instructions that not all processors of this kind have; its rows have eight bits."""
    place = tmp_path_factory.mktemp("plain") / "plain.so"
    assert compiler
    compile_library(compiler, SOURCE, place, [("-mno-avx2",), ()])
    return declare(ctypes.CDLL(str(place)))


@pytest.mark.parametrize("tuning", TUNINGS, ids=lambda tuning: " ".join(Path(one).name for one in tuning))
def test_other_processors_compute_the_same(
    tuning: tuple[str, ...],
    plain: ctypes.CDLL,
    tmp_path: Path,
    bundle_of: Callable[..., Bundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "haswell" in tuning[0] and "avx2" not in cpu_flags():
        pytest.skip("this processor has no AVX2")
    assert compiler
    try:
        compile_library(compiler, SOURCE, tmp_path / "other.so", [tuning])
    except UnavailableError:
        pytest.skip(f"the C compiler does not know {tuning[0]}")
    other = declare(ctypes.CDLL(str(tmp_path / "other.so")))
    assert build.correct(other)
    for rows in (1, 7, 33):
        check_products(other, rows, 144, 128)
    jobs = [Job(source, SearchOptions(beam=3)) for source in sources(8, seed=6)]
    bundle = bundle_of("for the matrix unit")
    found, expected = (run_with(made, bundle, jobs, monkeypatch) for made in (other, plain))
    exact = other.mt_instructions() != b"AVX2"  # which rounds rows to seven bits
    agreeing = sum(row[0].tokens == other_row[0].tokens for row, other_row in zip(found, expected, strict=True))
    assert agreeing >= (len(jobs) if exact else 0.5 * len(jobs))
    for row, other_row in zip(found, expected, strict=True):
        # sums in another order may round one input to the next whole number: 1.4e-5 was seen
        assert row[0].score == pytest.approx(other_row[0].score, abs=1e-4 if exact else 0.3)


def run_with(
    made: ctypes.CDLL, bundle: Bundle, jobs: Sequence[Job], monkeypatch: pytest.MonkeyPatch
) -> list[list[Hypothesis]]:
    with monkeypatch.context() as patched:
        patched.setattr(module, "library", lambda: made)
        return run(NativeEngine(bundle, 1), jobs)


def test_the_matrix_unit_is_used_where_there_is_one() -> None:
    if "amx_int8" not in cpu_flags() or "__AMX_INT8__" not in known_to_the_compiler():
        pytest.skip("this processor has no matrix unit, or the C compiler does not know it")
    assert library().mt_instructions() == b"AMX"


def known_to_the_compiler() -> str:
    command = [str(compiler), "-march=native", "-dM", "-E", "-x", "c", "/dev/null"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
