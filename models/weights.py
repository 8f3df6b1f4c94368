"""A bundle's weights as torch tensors: reading, verifying and writing.

Legend: R rows, C columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from data.config import plain
from data.errors import UserError
from data.files import atomic_folder, copy, flush, write_json, write_text
from data.tokenizer import Tokenizer
from models.bundle import (
    CARD,
    COLUMN,
    CONFIG,
    DTYPES,
    FORMAT,
    MODEL,
    OUTLIER,
    PROJECTION,
    SCALE,
    SHORTLIST,
    TOKENIZER,
    Bundle,
    BundleConfig,
    Entry,
    Storage,
    check_finite,
    check_free,
    check_named,
    check_outliers,
    read_bundle,
    special_ids,
    verify_tensors,
    write_sums,
)
from models.card import model_card
from models.cells import Cell
from models.config import ModelConfig
from models.info import BundleInfo
from models.quantization import (
    LEVELS,
    Array,
    Matrix,
    Outliers,
    dequantize_rows,
    quantize_rows,
    round_projection,
)
from models.seq2seq import Seq2Seq

FROZEN = {torch.float32: "F32", torch.int32: "I32"}


def load_network(path: Path, config: BundleConfig, device: str) -> Seq2Seq:
    """The network in float32, in evaluation mode and without gradients; its tensors are verified before any is read."""
    try:
        expected = expected_entries(config)
    except UserError as error:
        raise UserError(f"{path.with_name(CONFIG)}: {error}") from None
    check_named(path.with_name(CONFIG), config.outliers, expected)
    verify_tensors(path, expected)
    stored = load_file(path)
    for name, tensor in stored.items():
        largest = tensor * LEVELS if name.endswith(SCALE) else tensor
        check_finite(path, name, bool(largest.isfinite().all()))
    for name in config.outliers:
        check_outliers(path, name, matrix_of(stored, name), outliers_of(stored, name))
    network = blank_network(config.architecture)
    network.load_state_dict(restored(stored), strict=False, assign=True)
    network.tie()
    for cell in network.modules():
        if isinstance(cell, Cell):
            cell.verify(path)
    return network.to(device).eval().requires_grad_(False)


def restored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a bundle's tensors stand for, in float32; integers, which count units, as they are."""
    return {name: exact(stored, name) for name in stored if not name.endswith((SCALE, OUTLIER, COLUMN))}


def exact(stored: Mapping[str, Tensor], name: str) -> Tensor:
    """One tensor from all that stands for it."""
    if stored[name].dtype != torch.int8:
        return widen(stored[name])
    outliers = outliers_of(stored, name) if name + OUTLIER in stored else None
    return torch.from_numpy(dequantize_rows(matrix_of(stored, name), outliers))


def matrix_of(stored: Mapping[str, Tensor], name: str) -> Matrix:
    """A matrix in 8 bits as it is stored."""
    return Matrix(stored[name].numpy(), stored[name + SCALE].numpy())


def outliers_of(stored: Mapping[str, Tensor], name: str) -> Outliers:
    """The outliers of a matrix as they are stored."""
    return Outliers(stored[name + OUTLIER].numpy(), stored[name + COLUMN].numpy())


def widen(tensor: Tensor) -> Tensor:
    """Numbers as float32; integers, which count units, as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor


def blank_network(config: ModelConfig) -> Seq2Seq:
    """A network whose parameters have shapes but no memory.

    Raises:
        UserError: when it would be larger than any memory.
    """
    try:
        with torch.device("meta"):
            return Seq2Seq(config)
    except (RuntimeError, TypeError, OverflowError) as error:
        raise UserError(f"'architecture' is of a network that cannot be made: {error}".splitlines()[0]) from None


def expected_entries(config: BundleConfig) -> dict[str, Entry]:
    """Every tensor that the architecture needs, as its storage puts it on disk."""
    entries: dict[str, Entry] = {}
    network = blank_network(config.architecture)
    for name, part in network.named_parameters():
        matrix = part.dim() == 2
        entries[name] = Entry(DTYPES[config.storage] if matrix else "F32", tuple(part.shape))
        if matrix and config.storage == "int8":
            entries[name + SCALE] = Entry("F32", (part.shape[0],))
    for name in entries.keys() & config.outliers:
        entries[name + OUTLIER] = Entry("F32", entries[name].shape[:1])
        entries[name + COLUMN] = Entry("I32", entries[name].shape[:1])
    for name, frozen in network.named_buffers():
        entries[name] = Entry(FROZEN[frozen.dtype], tuple(frozen.shape))
    return entries


def stored_tensors(network: Seq2Seq, storage: Storage) -> dict[str, Tensor]:
    """The network's parameters as `storage` puts them on disk, tied ones once; what is frozen stays exact."""
    tensors: dict[str, Tensor] = {}
    for name, part in network.named_parameters():
        weight = part.detach().cpu().float().contiguous()
        if weight.dim() == 2 and storage == "int8":
            tensors |= rounded(name, weight.numpy())
        else:
            tensors[name] = weight.bfloat16() if weight.dim() == 2 and storage == "bfloat16" else weight
    for name, frozen in network.named_buffers():
        tensors[name] = widen(frozen.cpu()).contiguous()
    return tensors


def rounded(name: str, weight_RC: Array) -> dict[str, Tensor]:
    """A matrix in 8 bits, its outliers apart where it is a projection that has some."""
    matrix, outliers = round_projection(weight_RC) if PROJECTION.fullmatch(name) else (quantize_rows(weight_RC), None)
    parts = {name: matrix.integer_RC, name + SCALE: matrix.scale_R}
    if outliers is not None:
        parts |= {name + OUTLIER: outliers.value_R, name + COLUMN: outliers.column_R}
    return {part: torch.from_numpy(array) for part, array in parts.items()}


class Contents(NamedTuple):
    """What a bundle holds beside its tokenizer."""

    tensors: dict[str, Tensor]  # as they are stored
    architecture: ModelConfig
    storage: Storage
    info: BundleInfo


def write_bundle(
    folder: Path,
    network: Seq2Seq,
    tokenizer_file: Path,
    info: BundleInfo,
    storage: Storage = "float32",
    force: bool = False,
) -> Bundle:
    """Write a network as a bundle; see `write_contents`."""
    contents = Contents(stored_tensors(network, storage), network.config, storage, info)
    return write_contents(folder, contents, tokenizer_file, force=force)


def write_contents(
    folder: Path, contents: Contents, tokenizer_file: Path, shortlist: Path | None = None, force: bool = False
) -> Bundle:
    """Write a bundle beside its place, read it back, and only then put it there.

    Args:
        folder: the bundle's.
        contents: of the bundle.
        tokenizer_file: is copied.
        shortlist: of another bundle with the same tokenizer; is copied.
        force: replace what stands in the folder.
    Raises:
        UserError: when the folder exists and `force` is not given; with `force` the old bundle stays until the new
            one is complete.
    """
    check_free(folder, force)
    with atomic_folder(folder) as temporary:
        if shortlist is not None:
            copy(shortlist, temporary / SHORTLIST)
        fill(temporary, contents, tokenizer_file)
        verify_tensors(temporary / MODEL, expected_entries(read_bundle(temporary).config))
    return read_bundle(folder)


def fill(folder: Path, contents: Contents, tokenizer_file: Path) -> None:
    """Write all files of a bundle but the shortlist, the sums last."""
    tensors, architecture, storage, info = contents
    copy(tokenizer_file, folder / TOKENIZER)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    (folder / MODEL).write_bytes(save(tensors))  # save_file would bar all other users
    flush(folder / MODEL)
    outliers = tuple(sorted(name.removesuffix(OUTLIER) for name in tensors if name.endswith(OUTLIER)))
    config = plain(BundleConfig(FORMAT, storage, architecture, info, special_ids(tokenizer), outliers))
    if not outliers:
        del config["outliers"]  # a key that older readers do not know
    write_json(folder / CONFIG, config)
    write_text(folder / CARD, model_card(info, storage, parameters(tensors), len(tokenizer)))
    write_sums(folder)


def parameters(tensors: Mapping[str, Tensor]) -> int:
    """How many numbers stored tensors stand for; what counts units, scales and outliers, are none."""
    counted = [
        part for name, part in tensors.items() if part.dtype != torch.int32 and not name.endswith((SCALE, OUTLIER))
    ]
    return sum(part.numel() for part in counted)
