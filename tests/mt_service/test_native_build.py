"""Getting to the compiled engine: which bundles it takes, how it is compiled and kept, and what serves without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from data.errors import UserError
from models.bundle import FILES, MODEL, SUMS, TOKENIZER, Bundle, read_bundle
from models.config import AttentionConfig, DecoderConfig, ModelConfig
from models.info import BundleInfo
from models.native.compiler import COMPILERS, UnavailableError
from models.seq2seq import Seq2Seq
from models.weights import write_bundle
from mt_service import registry
from mt_service.engine.native.engine import NativeEngine
from mt_service.engine.native.pack import fits, pack
from mt_service.engine.reference import ReferenceEngine
from mt_service.registry import make_engine
from mt_service.settings import Settings

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
pytestmark = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C compiler on this machine")
INFO = BundleInfo("toy", ("aa", "bb"), ("aa-bb",))
VOCABULARY = 300  # the golden tokenizer's


def reseal(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Bundle:
    """A copy of a bundle whose tensors were changed, and whose sums are right again."""
    import hashlib

    tensors = load_file(folder / MODEL)
    change(tensors)
    (folder / MODEL).write_bytes(save(tensors))
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return read_bundle(folder)


CHANGES: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "lacks the tensor 'output_bias'": lambda w: w.pop("output_bias"),
    "holds tensors that config.json does not call for: extra": lambda w: w.update(extra=torch.zeros(1)),
    r"'output_bias' is F32 \[7\], but config.json calls for F32 \[300\]": lambda w: w.update(
        output_bias=torch.zeros(7)
    ),
    r"'output_bias' is F16 \[300\], but": lambda w: w.update(output_bias=torch.zeros(300).half()),
}


@pytest.mark.parametrize("message", sorted(CHANGES))
def test_a_bundle_with_other_tensors_is_refused(message: str, tmp_path: Path) -> None:
    bundle = reseal(Path(shutil.copytree(GOLDEN, tmp_path / "copy")), CHANGES[message])
    with pytest.raises(UserError, match=message):
        pack(bundle)


@pytest.mark.parametrize("kind", ["additive", "mean"])
def test_networks_of_other_kinds_are_left_to_the_reference(
    kind: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = ModelConfig(VOCABULARY, 16, attention=AttentionConfig(kind=kind), decoder=DecoderConfig(hidden=16))
    network = Seq2Seq(config).eval().requires_grad_(False)
    bundle = write_bundle(tmp_path / "other", network, GOLDEN / TOKENIZER, INFO)
    assert not fits(config)
    assert isinstance(make_engine(bundle, Settings()), ReferenceEngine)
    assert "is translated slowly, by the reference engine: its network is of a kind" in caplog.text
    with pytest.raises(UserError, match="engine 'native' cannot serve toy: its network is of a kind"):
        make_engine(bundle, Settings(engine="native"))


def test_the_engine_that_is_wished_for_is_made() -> None:
    bundle = read_bundle(GOLDEN)
    assert isinstance(make_engine(bundle, Settings()), NativeEngine)
    assert isinstance(make_engine(bundle, Settings(engine="native", threads=2)), NativeEngine)
    assert isinstance(make_engine(bundle, Settings(engine="reference")), ReferenceEngine)


def test_without_a_compiler_the_reference_translates(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: object) -> None:
        raise UnavailableError("there is no C compiler (cc, gcc, clang)")

    monkeypatch.setattr(registry, "NativeEngine", missing)
    assert isinstance(make_engine(read_bundle(GOLDEN), Settings()), ReferenceEngine)
    assert "there is no C compiler (cc, gcc, clang); install one" in caplog.text
    with pytest.raises(UserError, match="cannot serve toy: there is no C compiler"):
        make_engine(read_bundle(GOLDEN), Settings(engine="native"))


AT_WORK = """
import random, sys, time
from pathlib import Path
from models.bundle import read_bundle
from models.hypotheses import SearchOptions
from mt_service.engine.interface import Job, Limits
from mt_service.engine.native.engine import NativeEngine
from mt_service.engine.worker import Worker
bundle = read_bundle(Path(sys.argv[1]))
worker = Worker(lambda: NativeEngine(bundle, 2), Limits(rows=4096, tokens=10**6))
jobs = [Job((*random.choices(range(8, 300), k=60), 3), SearchOptions(8, max_length=200)) for _ in range(2000)]
worker.submit("a", jobs, time.monotonic() + 1e6)
time.sleep(0.2 + random.random() * 0.1)
"""


def test_a_process_may_end_while_its_engine_computes() -> None:
    for _ in range(3):
        command = [sys.executable, "-c", AT_WORK, str(GOLDEN)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_translating_needs_no_torch() -> None:
    script = (
        "import sys; from mt_service.cli import main;"
        "code = main(['translate', '--source', 'de', '--target', 'en', '--quiet', '--device', 'cpu']);"
        "sys.exit(code or ('torch' in sys.modules and 9))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MT_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="Guten Tag.\n",
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
