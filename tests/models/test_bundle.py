"""Bundles: what is written is what is read, and whatever is wrong is told in one sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from data.errors import UserError
from models import weights as module
from models.bundle import (
    COLUMN,
    CONFIG,
    FILES,
    MODEL,
    OUTLIER,
    PROJECTION,
    SCALE,
    SUMS,
    TOKENIZER,
    Bundle,
    Storage,
    read_bundle,
)
from models.hypotheses import SearchOptions
from models.search import translate_ids
from models.seq2seq import Seq2Seq
from models.weights import write_bundle
from mt_service.engine.native.pack import pack

GOLDEN = Path(__file__).parent / "golden"


def seal(folder: Path) -> None:
    """Make the sums right again, as somebody who tampers with a bundle could."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change config.json."""
    tree = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    change(tree)
    (folder / CONFIG).write_text(json.dumps(tree), encoding="utf-8")


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change model.safetensors."""
    tensors = load_file(folder / MODEL)
    change(tensors)
    (folder / MODEL).write_bytes(save(tensors))


@pytest.fixture(scope="module")
def golden() -> Bundle:
    return read_bundle(GOLDEN / "format-1")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A bundle to tamper with."""
    return Path(shutil.copytree(GOLDEN / "format-1", tmp_path / "copy"))


@pytest.mark.parametrize("record", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_bundles_of_older_versions_translate_as_they_did(record: Path) -> None:
    bundle = read_bundle(record.with_suffix(""))
    for case in json.loads(record.read_text(encoding="utf-8")):
        assert bundle.tokenizer.encode_source(case["text"], "bb") == case["source"]
        (found,) = translate_ids(bundle.network(), [case["source"]], SearchOptions(beam=4, n_best=2), bundle.specials)
        assert [list(one.tokens) for one in found] == [tokens for tokens, _ in case["best"]]
        assert [one.score for one in found] == pytest.approx([score for _, score in case["best"]], abs=1e-3)


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_weights_come_back_as_exact_as_their_storage(golden: Bundle, tmp_path: Path, storage: Storage) -> None:
    network = golden.network()
    written = write_bundle(tmp_path / "new", network, golden.folder / TOKENIZER, golden.info, storage)
    for (name, before), after in zip(network.named_parameters(), written.network().parameters(), strict=True):
        if storage == "float32" or before.dim() != 2:
            assert torch.equal(before, after), name
        elif storage == "bfloat16":
            assert torch.equal(before.bfloat16().float(), after), name
        else:
            step = before.abs().amax(1, keepdim=True) / 127
            assert bool(((before - after).abs() <= step / 2 + 1e-7).all()), name


def test_a_network_from_a_bundle_is_tied_whole_and_without_gradients(golden: Bundle) -> None:
    network = golden.network()
    assert network.source_weight is network.output_weight
    assert not any(part.is_meta or part.requires_grad for part in network.parameters())
    assert not network.training


def test_a_bundle_holds_five_files_that_everybody_may_read(golden: Bundle, tmp_path: Path) -> None:
    write_bundle(tmp_path / "new", golden.network(), golden.folder / TOKENIZER, golden.info, "int8")
    files = {path.name: path for path in (tmp_path / "new").iterdir()}
    assert set(files) == {*FILES, SUMS}
    assert all(path.stat().st_mode & stat.S_IROTH for path in files.values())


TAMPERED: dict[str, tuple[Callable[[Path], object], bool, str]] = {
    "a file is missing": (lambda one: (one / TOKENIZER).unlink(), False, "is no complete bundle: tokenizer.model miss"),
    "weights were altered": (
        lambda one: rewrite(one, lambda w: w.popitem()),
        False,
        "model.safetensors was altered or",
    ),
    "the config was altered": (
        lambda one: edit(one, lambda c: c.update(storage="float32")),
        False,
        "config.json was al",
    ),
    "sums name other files": (lambda one: (one / SUMS).write_text("00  ../x\n"), False, "SHA256SUMS, line 1: expected"),
    "sums lack a file": (lambda one: (one / SUMS).write_text(""), False, "SHA256SUMS lists no sum for config.json"),
    "the format is newer": (
        lambda one: edit(one, lambda c: c.update(format=99)),
        True,
        "has bundle format 99, but this",
    ),
    "the config is no JSON": (lambda one: (one / CONFIG).write_text("{"), True, "config.json is no JSON"),
    "the config is a list": (lambda one: (one / CONFIG).write_text("[]"), True, "has bundle format None"),
    "a key is unknown": (
        lambda one: edit(one, lambda c: c["architecture"].update(hidden_code="x")),
        True,
        "unknown key 'architecture.hidden_code'",
    ),
    "a direction has no tag": (
        lambda one: edit(one, lambda c: c["info"].update(languages=["aa", "zz"], directions=["aa-zz"])),
        True,
        "offers aa-zz, but the tokenizer knows aa, bb",
    ),
    "the vocabulary is another": (
        lambda one: edit(one, lambda c: c["architecture"].update(vocabulary_size=301)),
        True,
        "has 300 pieces, but config.json says 301",
    ),
    "a tensor is missing": (
        lambda one: rewrite(one, lambda w: w.pop("output_bias")),
        True,
        "lacks the tensor 'output_bias'",
    ),
    "a tensor is superfluous": (
        lambda one: rewrite(one, lambda w: w.update(extra=torch.zeros(1))),
        True,
        "holds tensors that config.json does not call for: extra",
    ),
    "a tensor has another shape": (
        lambda one: rewrite(one, lambda w: w.update(output_bias=torch.zeros(7))),
        True,
        "tensor 'output_bias' is F32 [7], but config.json calls for F32 [300]",
    ),
    "a tensor has another type": (
        lambda one: rewrite(one, lambda w: w.update(output_bias=torch.zeros(300).half())),
        True,
        "tensor 'output_bias' is F16 [300], but config.json calls for F32 [300]",
    ),
    "a number is none": (
        lambda one: rewrite(one, lambda w: w["output_bias"].fill_(float("nan"))),
        True,
        "tensor 'output_bias' holds numbers that are not finite",
    ),
    "the config is too deep": (lambda one: (one / CONFIG).write_text("[" * 200_000), True, "config.json is no JSON"),
    "the network is larger than any memory": (
        lambda one: edit(one, lambda c: c["architecture"]["encoder"].update(hidden=2**62)),
        True,
        "config.json: 'architecture' is of a network that cannot be made",
    ),
    "ids are another tokenizer's": (
        lambda one: edit(one, lambda c: c["special_ids"].update(eos=77)),
        True,
        "config.json has other special_ids than the tokenizer",
    ),
    "its shortlist was lost": (
        lambda one: (one / SUMS).write_text((one / SUMS).read_text() + "00  shortlist.safetensors\n"),
        False,
        "lacks shortlist.safetensors, which SHA256SUMS lists",
    ),
    "no search has such a beam": (
        lambda one: edit(one, lambda c: c["info"].update(beam=0)),
        True,
        "'beam' must be",
    ),
    "a beam is too wide": (
        lambda one: edit(one, lambda c: c["info"].update(beam=2**32)),
        True,
        "'beam' must be",
    ),
    "a stack is too deep": (
        lambda one: edit(one, lambda c: c["architecture"]["decoder"].update(layers=2100)),
        True,
        "'layers' must be from 1 to 256, but is 2100",
    ),
    "a name cannot be shown": (
        lambda one: edit(one, lambda c: c["info"].update(name="x\ud800")),
        True,
        "'name' must be printable text, but is 'x\\ud800'",
    ),
    "a scale is too large": (
        lambda one: rewrite(one, lambda w: w["source_weight.scale"].fill_(3e38)),
        True,
        "tensor 'source_weight.scale' holds numbers that are not finite",
    ),
    "what is unsure is no number": (
        lambda one: edit(one, lambda c: c["info"].update(unsure_below={"aa-bb": float("nan")})),
        True,
        "'info.unsure_below.aa-bb' must be a finite number, but is nan",
    ),
    "no search has such a penalty": (
        lambda one: edit(one, lambda c: c["info"].update(length_penalty=99)),
        True,
        "'length_penalty' must be from -5 to 5",
    ),
    "no search has such a ratio": (
        lambda one: edit(one, lambda c: c["info"].update(length_ratio=float("inf"))),
        True,
        "'info.length_ratio' must be a finite number",
    ),
    "a ratio is too large": (
        lambda one: edit(one, lambda c: c["info"].update(length_ratio=1e300)),
        True,
        "'length_ratio' must be from 0 and at most 1000",
    ),
    "a number is too large": (
        lambda one: edit(one, lambda c: c["info"].update(length_penalty=10**400)),
        True,
        "'info.length_penalty' is too large a number",
    ),
    "outliers where there are none": (
        lambda one: edit(one, lambda c: c.update(outliers=["source_weight"])),
        True,
        "'outliers' may name projections of blocks, but has 'source_weight'",
    ),
    "outliers of floats": (
        lambda one: edit(one, lambda c: c.update(storage="float32", outliers=["encoder.blocks.0.project.weight"])),
        True,
        "there are no outliers in the storage float32",
    ),
    "the weights are no safetensors": (lambda one: (one / MODEL).write_bytes(b"\x80\x04."), True, "cannot be read"),
    "the tokenizer is nonsense": (lambda one: (one / TOKENIZER).write_bytes(b"\x00" * 40), True, "tokenizer.model"),
}


@pytest.mark.parametrize("case", sorted(TAMPERED))
def test_a_bad_bundle_is_refused_in_one_sentence(copy: Path, case: str) -> None:
    tamper, sealed, message = TAMPERED[case]
    tamper(copy)
    if sealed:
        seal(copy)
    with pytest.raises(UserError) as caught:
        read_bundle(copy).network()
    assert message in str(caught.value)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def with_outliers(folder: Path, golden: Bundle) -> Path:
    """A bundle whose blocks' projections pass units on; the folder it is written to."""
    encoder = dataclasses.replace(golden.config.architecture.encoder, hidden=32)
    network = Seq2Seq(dataclasses.replace(golden.config.architecture, encoder=encoder))
    with torch.no_grad():
        for name, part in network.named_parameters():
            if PROJECTION.fullmatch(name):
                part.mul_(0.1).add_(torch.eye(*part.shape))
    return write_bundle(folder, network, golden.folder / TOKENIZER, golden.info, "int8").folder


PROJECTED = "encoder.blocks.0.project.weight"
TAMPERED_OUTLIERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "before the first column": (
        lambda one: rewrite(one, lambda w: w[PROJECTED + COLUMN].fill_(-1)),
        f"'{PROJECTED}{COLUMN}' names columns that '{PROJECTED}' does not have",
    ),
    "behind the last column": (
        lambda one: rewrite(one, lambda w: w[PROJECTED + COLUMN].fill_(64)),
        f"'{PROJECTED}{COLUMN}' names columns that '{PROJECTED}' does not have",
    ),
    "no numbers": (
        lambda one: rewrite(one, lambda w: w[PROJECTED + OUTLIER].fill_(float("nan"))),
        f"'{PROJECTED}{OUTLIER}' holds numbers that are not finite",
    ),
    "finite but for their sums": (
        lambda one: rewrite(one, lambda w: (w[PROJECTED + OUTLIER].fill_(3.4e38), w[PROJECTED + SCALE].fill_(2e36))),
        f"'{PROJECTED}{OUTLIER}' holds numbers that are not finite",
    ),
    "not listed": (
        lambda one: edit(one, lambda c: c.update(outliers=[])),
        f"holds tensors that config.json does not call for: {PROJECTED}{COLUMN}",
    ),
    "not there": (
        lambda one: rewrite(one, lambda w: w.pop(PROJECTED + OUTLIER)),
        f"lacks the tensor '{PROJECTED}{OUTLIER}'",
    ),
    "of a block that is not there": (
        lambda one: edit(one, lambda c: c["outliers"].append("encoder.blocks.00.project.weight")),
        "config.json: 'outliers' has 'encoder.blocks.00.project.weight', but the architecture has no such matrix",
    ),
    "of a name in two lines": (
        lambda one: edit(one, lambda c: c["outliers"].append("a\nb\ud800")),
        "config.json: 'outliers' may name projections of blocks, but has 'a\\nb\\ud800'",
    ),
}


@pytest.mark.parametrize("case", sorted(TAMPERED_OUTLIERS))
def test_bad_outliers_are_refused_by_both_readers(case: str, golden: Bundle, tmp_path: Path) -> None:
    folder = with_outliers(tmp_path / "new", golden)
    tamper, message = TAMPERED_OUTLIERS[case]
    tamper(folder)
    seal(folder)
    for reading in (lambda: read_bundle(folder).network(), lambda: pack(read_bundle(folder))):
        with pytest.raises(UserError, match=re.escape(message)) as caught:
            reading()
        assert "\n" not in str(caught.value)


def test_bundles_without_outliers_are_as_older_versions_read_them(golden: Bundle, tmp_path: Path) -> None:
    written = write_bundle(tmp_path / "new", golden.network(), golden.folder / TOKENIZER, golden.info, "int8")
    keys = [json.loads((one / CONFIG).read_text(encoding="utf-8")).keys() for one in (golden.folder, written.folder)]
    assert keys[0] == keys[1]


def test_a_bundle_written_from_a_bundle_has_the_same_outliers(golden: Bundle, tmp_path: Path) -> None:
    bundle = read_bundle(with_outliers(tmp_path / "new", golden))
    again = write_bundle(tmp_path / "again", bundle.network(), bundle.folder / TOKENIZER, bundle.info, "int8")
    assert again.config.outliers == bundle.config.outliers
    assert len(again.config.outliers) == bundle.config.architecture.encoder.layers
    for one, other in zip(bundle.network().parameters(), again.network().parameters(), strict=True):
        assert torch.equal(one, other)


def test_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        read_bundle(tmp_path / "nowhere")


def test_overwriting_needs_force(golden: Bundle, copy: Path) -> None:
    network = golden.network()
    with pytest.raises(UserError, match="exists already"):
        write_bundle(copy, network, golden.folder / TOKENIZER, golden.info)
    assert write_bundle(copy, network, golden.folder / TOKENIZER, golden.info, force=True).config.storage == "float32"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("name", ["notes.txt", "other bundle"])
def test_what_is_more_than_a_bundle_is_not_replaced_even_by_force(golden: Bundle, copy: Path, name: str) -> None:
    (copy / name).mkdir()
    with pytest.raises(UserError, match=f"copy is not replaced, since it holds more than a bundle: {name}"):
        write_bundle(copy, golden.network(), golden.folder / TOKENIZER, golden.info, force=True)
    assert read_bundle(copy).config.storage == "int8"


def test_a_file_is_not_replaced_by_a_bundle(golden: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="file is no folder: choose another place"):
        write_bundle(tmp_path / "file", golden.network(), golden.folder / TOKENIZER, golden.info, force=True)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_write_that_fails_leaves_the_old_bundle(golden: Bundle, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    network: Seq2Seq = golden.network()
    monkeypatch.setattr(module, "write_json", fail)
    with pytest.raises(OSError, match="full"):
        write_bundle(copy, network, golden.folder / TOKENIZER, golden.info, force=True)
    assert read_bundle(copy).config.storage == "int8"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]
