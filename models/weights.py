"""A bundle's weights as torch tensors: reading, verifying and writing."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from data.config import plain
from data.files import atomic_folder, flush, write_json, write_text
from data.tokenizer import Tokenizer
from models.bundle import (
    CARD,
    CONFIG,
    DTYPES,
    FORMAT,
    MODEL,
    SCALE,
    TOKENIZER,
    Bundle,
    BundleConfig,
    Entry,
    Storage,
    check_free,
    read_bundle,
    verify_tensors,
    write_sums,
)
from models.card import model_card
from models.cells import Cell
from models.config import ModelConfig
from models.info import BundleInfo
from models.quantization import dequantize_rows, quantize_rows
from models.seq2seq import Seq2Seq, kept_tensors

FROZEN = {torch.float32: "F32", torch.int32: "I32"}


def load_network(path: Path, config: BundleConfig, device: str) -> Seq2Seq:
    """The network in float32, in evaluation mode and without gradients; its tensors are verified before any is read."""
    verify_tensors(path, expected_entries(config))
    stored = load_file(path)
    weights = {
        name: dequantize_rows(tensor, stored[name + SCALE]) if tensor.dtype == torch.int8 else widen(tensor)
        for name, tensor in stored.items()
        if not name.endswith(SCALE)
    }
    network = blank_network(config.architecture)
    network.load_state_dict(weights, strict=False, assign=True)
    network.tie()
    for cell in network.modules():
        if isinstance(cell, Cell):
            cell.verify(path)
    return network.to(device).eval().requires_grad_(False)


def widen(tensor: Tensor) -> Tensor:
    """Numbers as float32; integers, which count units, as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor


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
    check_free(folder, force)
    with atomic_folder(folder) as temporary:
        fill(temporary, network, tokenizer_file, info, storage)
        verify_tensors(temporary / MODEL, expected_entries(read_bundle(temporary).config))
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
    write_sums(folder)
