"""Bundles: a trained network, its tokenizer and all that serving needs, in a folder that is verified before use.

The format is described in docs/bundle-format.md. Nothing in a bundle names code.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from data.config import build, check, plain
from data.errors import UserError
from data.files import flush, sha256, write_json, write_text
from data.tokenizer import Tokenizer
from models.card import model_card
from models.cells import EchoState
from models.config import ModelConfig
from models.info import BundleInfo
from models.quantization import dequantize_rows, quantize_rows
from models.search import Specials
from models.seq2seq import Seq2Seq, kept_tensors

FORMAT = 1
CONFIG, MODEL, TOKENIZER, CARD, SUMS = (
    "config.json",
    "model.safetensors",
    "tokenizer.model",
    "MODEL_CARD.md",
    "SHA256SUMS",
)
FILES = (CONFIG, MODEL, TOKENIZER, CARD)
SCALE = ".scale"
Storage = Literal["float32", "bfloat16", "int8"]
DTYPES = {"float32": "F32", "bfloat16": "BF16", "int8": "I8"}
FROZEN = {torch.float32: "F32", torch.int32: "I32"}


@dataclass(frozen=True)
class BundleConfig:
    """What config.json holds."""

    format: int
    storage: Storage  # of matrices; vectors are always float32
    architecture: ModelConfig
    info: BundleInfo
    special_ids: dict[str, int] = field(default_factory=dict)


class Entry(NamedTuple):
    """A tensor as it stands on disk."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle; weights are read when a network is made."""

    folder: Path
    config: BundleConfig
    tokenizer: Tokenizer

    @property
    def info(self) -> BundleInfo:
        """Name, directions, scores and provenance."""
        return self.config.info

    @property
    def specials(self) -> Specials:
        """Ids that search treats apart."""
        return specials_of(self.tokenizer)

    def network(self, device: str | torch.device = "cpu") -> Seq2Seq:
        """The network in float32, in evaluation mode and without gradients."""
        stored = load_file(self.folder / MODEL)
        weights = {
            name: dequantize_rows(tensor, stored[name + SCALE]) if tensor.dtype == torch.int8 else widen(tensor)
            for name, tensor in stored.items()
            if not name.endswith(SCALE)
        }
        network = blank_network(self.config.architecture)
        network.load_state_dict(weights, strict=False, assign=True)
        network.tie()
        for cell in network.modules():
            if isinstance(cell, EchoState):
                cell.verify(self.folder / MODEL)
        return network.to(device).eval().requires_grad_(False)


def widen(tensor: Tensor) -> Tensor:
    """Numbers as float32; integers, which count units, as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor


def specials_of(tokenizer: Tokenizer) -> Specials:
    """The ids of a tokenizer that search treats apart: control symbols are never produced."""
    forbidden = (tokenizer.unk_id, *(tokenizer.tag_id(language) for language in tokenizer.languages))
    return Specials(tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, forbidden)


def blank_network(config: ModelConfig) -> Seq2Seq:
    """A network whose parameters have shapes but no memory."""
    with torch.device("meta"):
        return Seq2Seq(config)


def expected_entries(config: BundleConfig) -> dict[str, Entry]:
    """Every tensor that the architecture needs, as its storage puts it on disk."""
    entries: dict[str, Entry] = {}
    network = blank_network(config.architecture)
    for name, part in network.named_parameters():
        matrix = part.dim() == 2
        entries[name] = Entry(DTYPES[config.storage] if matrix else "F32", tuple(part.shape))
        if matrix and config.storage == "int8":
            entries[name + SCALE] = Entry("F32", (part.shape[0],))
    for name, frozen in network.named_buffers():
        entries[name] = Entry(FROZEN[frozen.dtype], tuple(frozen.shape))
    return entries


def stored_tensors(network: Seq2Seq, storage: Storage) -> dict[str, Tensor]:
    """The network's parameters as `storage` puts them on disk, tied ones once; what is frozen stays exact."""
    tensors: dict[str, Tensor] = {}
    for name, part in network.named_parameters():
        weight = part.detach().cpu().float().contiguous()
        if weight.dim() == 2 and storage == "int8":
            tensors[name], tensors[name + SCALE] = quantize_rows(weight)
        else:
            tensors[name] = weight.bfloat16() if weight.dim() == 2 and storage == "bfloat16" else weight
    for name, frozen in network.named_buffers():
        tensors[name] = widen(frozen.cpu()).contiguous()
    return tensors


def write_bundle(
    folder: Path,
    network: Seq2Seq,
    tokenizer_file: Path,
    info: BundleInfo,
    storage: Storage = "float32",
    force: bool = False,
) -> Bundle:
    """Write a bundle beside its place, read it back, and only then put it there.

    Raises:
        UserError: when the folder exists and `force` is not given; with `force` the old bundle stays until the new
            one is complete.
    """
    check(force or not folder.exists(), f"{folder} exists already: choose another folder, or --force to replace it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        fill(temporary, network, tokenizer_file, info, storage)
        read_bundle(temporary)
        replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return read_bundle(folder)


def fill(folder: Path, network: Seq2Seq, tokenizer_file: Path, info: BundleInfo, storage: Storage) -> None:
    """Write all files of a bundle, the sums last."""
    shutil.copyfile(tokenizer_file, folder / TOKENIZER)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    special_ids = {"pad": tokenizer.pad_id, "unk": tokenizer.unk_id, "bos": tokenizer.bos_id, "eos": tokenizer.eos_id}
    special_ids.update({f"<2{language}>": tokenizer.tag_id(language) for language in tokenizer.languages})
    (folder / MODEL).write_bytes(save(stored_tensors(network, storage)))  # save_file would bar all other users
    for name in (TOKENIZER, MODEL):
        flush(folder / name)
    write_json(folder / CONFIG, plain(BundleConfig(FORMAT, storage, network.config, info, special_ids)))
    parameters = sum(part.numel() for part in kept_tensors(network).values() if part.is_floating_point())
    write_text(folder / CARD, model_card(info, storage, parameters, len(tokenizer)))
    write_text(folder / SUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in FILES))


def replace(new: Path, folder: Path) -> None:
    """Rename a finished folder into place; an old one is moved away first and removed last."""
    old = new.with_suffix(".old")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def read_bundle(folder: Path) -> Bundle:
    """Verify a bundle and make its tokenizer ready; weights stay on disk.

    Raises:
        UserError: one sentence about what is wrong: a missing or altered file, a newer format, an unknown key,
            a tensor that is missing, superfluous or of another shape or type, a tokenizer of another size.
    """
    check(folder.is_dir(), f"{folder} is no bundle: there is no such folder")
    verify_sums(folder)
    config = read_config(folder / CONFIG)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    vocabulary = config.architecture.vocabulary_size
    check(
        len(tokenizer) == vocabulary,
        f"{folder / TOKENIZER} has {len(tokenizer)} pieces, but {CONFIG} says {vocabulary}: they are of two bundles",
    )
    for direction in config.info.directions:
        source, _, target = direction.partition("-")
        known = {source, target} <= set(tokenizer.languages)
        check(known, f"{folder / CONFIG} offers {direction}, but the tokenizer knows {', '.join(tokenizer.languages)}")
    verify_tensors(folder / MODEL, expected_entries(config))
    return Bundle(folder, config, tokenizer)


def verify_sums(folder: Path) -> None:
    """Check that the bundle holds the files it should, unaltered."""
    missing = [name for name in (*FILES, SUMS) if not (folder / name).is_file()]
    check(not missing, f"{folder} is no complete bundle: {', '.join(missing)} missing; export or copy it again")
    sums: dict[str, str] = {}
    for number, line in enumerate((folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        value, _, name = line.partition("  ")
        check(name in FILES, f"{folder / SUMS}, line {number}: expected a SHA-256 and one of {', '.join(FILES)}")
        sums[name] = value
    for name in FILES:
        check(name in sums, f"{folder / SUMS} lists no sum for {name}; export or copy the bundle again")
        check(
            sha256(folder / name) == sums[name],
            f"{folder / name} was altered or damaged: its SHA-256 is not that of {SUMS}",
        )


def read_config(path: Path) -> BundleConfig:
    """Read config.json; the format's number is looked at first, since it decides which keys there are."""
    try:
        tree: Any = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path} is no JSON: {error}") from None
    found = tree.get("format") if isinstance(tree, dict) else None
    check(
        found == FORMAT, f"{path} has bundle format {found}, but this version reads {FORMAT}: upgrade, or export again"
    )
    try:
        return build(BundleConfig, tree)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def verify_tensors(path: Path, expected: dict[str, Entry]) -> None:
    """Compare every tensor's name, shape and type with what the architecture needs, by the file's header alone."""
    try:
        with safe_open(path, framework="pt") as stream:
            slices = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118 - no mapping
            found = {name: Entry(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    for name, entry in expected.items():
        check(name in found, f"{path} lacks the tensor '{name}' that {CONFIG} calls for")
        check(found[name] == entry, f"{path}: tensor '{name}' is {found[name]}, but {CONFIG} calls for {entry}")
    extra = sorted(found.keys() - expected.keys())
    check(not extra, f"{path} holds tensors that {CONFIG} does not call for: {', '.join(extra[:5])}")
