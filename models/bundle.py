"""Bundles: a trained network, its tokenizer and all that serving needs, in a folder that is verified before use.

Legend: R rows, C columns.

The format is described in docs/bundle-format.md. Nothing in a bundle names code. Weights are read and written by
weights.py, which needs torch; this module does not.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from safetensors import SafetensorError, safe_open

from data.config import build, check
from data.errors import UserError
from data.files import sha256, write_text
from data.tokenizer import Tokenizer
from models.config import ModelConfig
from models.hypotheses import Specials
from models.info import BundleInfo
from models.quantization import LARGEST, LEVELS, Matrix, Outliers
from models.shortlist import Shortlist, read_shortlist

if TYPE_CHECKING:
    from models.seq2seq import Seq2Seq

FORMAT = 1
CONFIG, MODEL, TOKENIZER, CARD, SUMS = (
    "config.json",
    "model.safetensors",
    "tokenizer.model",
    "MODEL_CARD.md",
    "SHA256SUMS",
)
FILES = (CONFIG, MODEL, TOKENIZER, CARD)
SHIPPED = Path(__file__).parent / "pretrained"
SHORTLIST = "shortlist.safetensors"  # which a bundle need not have
SCALE, OUTLIER, COLUMN = ".scale", ".outlier", ".column"
PROJECTION = re.compile(r"(encoder\.blocks|decoder\.block_list)\.\d+\.project\.weight")
Storage = Literal["float32", "bfloat16", "int8"]
DTYPES = {"float32": "F32", "bfloat16": "BF16", "int8": "I8"}


@dataclass(frozen=True)
class BundleConfig:
    """What config.json holds."""

    format: int
    storage: Storage  # of matrices; vectors are always float32
    architecture: ModelConfig
    info: BundleInfo
    special_ids: dict[str, int] = field(default_factory=dict)
    outliers: tuple[str, ...] = ()  # projections of blocks the largest weight of whose rows is stored apart

    def __post_init__(self) -> None:
        check(self.storage == "int8" or not self.outliers, f"there are no outliers in the storage {self.storage}")
        for name in self.outliers:
            check(bool(PROJECTION.fullmatch(name)), f"'outliers' may name projections of blocks, but has {name[:80]!a}")


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

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The symbols that the network carries over, whatever they stand for."""
        return self.tokenizer.placeholders if self.info.placeholders else ()

    @property
    def has_shortlist(self) -> bool:
        """Whether there are words that a sentence is never translated with."""
        return (self.folder / SHORTLIST).exists()

    @property
    def shortlist(self) -> Shortlist | None:
        """The words that each source id may be translated with, if the bundle limits them.

        Raises:
            UserError: when the file is none for its tokenizer.
        """
        return read_shortlist(self.folder / SHORTLIST, len(self.tokenizer)) if self.has_shortlist else None

    def network(self, device: str = "cpu") -> Seq2Seq:
        """The network in float32, in evaluation mode and without gradients.

        Raises:
            UserError: for a tensor that is missing, superfluous or of another shape or type.
        """
        from models.weights import load_network  # torch is not needed to serve with the compiled engine

        return load_network(self.folder / MODEL, self.config, device)


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """A tokenizer's control symbols by name."""
    own = {"pad": tokenizer.pad_id, "unk": tokenizer.unk_id, "bos": tokenizer.bos_id, "eos": tokenizer.eos_id}
    return own | {f"<2{language}>": tokenizer.tag_id(language) for language in tokenizer.languages}


def shipped_bundles() -> list[Path]:
    """The folders of the bundles that come along."""
    return sorted(path.parent for path in SHIPPED.glob(f"*/{CONFIG}"))


def shipped_glossaries() -> list[Path]:
    """The set phrases that come along with them, as glossaries."""
    return sorted(SHIPPED.glob("*-phrases.*.tsv"))


def shipped_dictionaries() -> list[Path]:
    """The single words that come along with them."""
    return sorted(SHIPPED.glob("*-words.*.tsv"))


def specials_of(tokenizer: Tokenizer) -> Specials:
    """The ids of a tokenizer that search treats apart: control symbols are never produced."""
    forbidden = (tokenizer.unk_id, *(tokenizer.tag_id(language) for language in tokenizer.languages))
    return Specials(tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, forbidden)


def read_bundle(folder: Path) -> Bundle:
    """Verify a bundle's files and make its tokenizer ready; tensors are compared with the architecture when a network
    is made of them.

    Raises:
        UserError: one sentence about what is wrong: a missing or altered file, a newer format, an unknown key,
            a tokenizer of another size.
    """
    why = "it is a file, and a bundle is a folder" if folder.is_file() else "there is no such folder"
    check(folder.is_dir(), f"{folder} is no bundle: {why}")
    verify_sums(folder)
    config = read_config(folder / CONFIG)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    vocabulary = config.architecture.vocabulary_size
    check(
        len(tokenizer) == vocabulary,
        f"{folder / TOKENIZER} has {len(tokenizer)} pieces, but {CONFIG} says {vocabulary}: they are of two bundles",
    )
    stated = config.special_ids.items() <= special_ids(tokenizer).items()
    check(stated, f"{folder / CONFIG} has other special_ids than the tokenizer: they are of two bundles")
    for direction in config.info.directions:
        source, _, target = direction.partition("-")
        known = {source, target} <= set(tokenizer.languages)
        check(known, f"{folder / CONFIG} offers {direction}, but the tokenizer knows {', '.join(tokenizer.languages)}")
    return Bundle(folder, config, tokenizer)


def check_free(folder: Path, force: bool) -> None:
    """Refuse to replace a bundle that is there already, unless that is said.

    Raises:
        UserError: when the folder exists and `force` is not given, or it holds what is no part of a bundle.
    """
    check(force or not folder.exists(), f"{folder} exists already: choose another folder, or --force to replace it")
    check(folder.is_dir() or not folder.exists(), f"{folder} is no folder: choose another place")
    ours = {*FILES, SHORTLIST, SUMS}
    others = sorted(path.name for path in folder.iterdir() if path.name not in ours) if folder.exists() else []
    check(not others, f"{folder} is not replaced, since it holds more than a bundle: {', '.join(others[:3])}")


def files_of(folder: Path) -> tuple[str, ...]:
    """The files of a bundle whose sums are kept: a shortlist counts when it is there."""
    return (*FILES, SHORTLIST) if (folder / SHORTLIST).exists() else FILES


def write_sums(folder: Path) -> None:
    """Write the sums of a bundle's files, all of which are there."""
    write_text(folder / SUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in files_of(folder)))


def verify_sums(folder: Path) -> None:
    """Check that the bundle holds the files it should, unaltered."""
    missing = [name for name in (*FILES, SUMS) if not (folder / name).is_file()]
    check(not missing, f"{folder} is no complete bundle: {', '.join(missing)} missing; export or copy it again")
    sums, known = dict[str, str](), (*FILES, SHORTLIST)
    for name in (SUMS, *files_of(folder)):
        check(os.access(folder / name, os.R_OK), f"{folder / name} may not be read by this user: mend its permissions")
    for number, line in enumerate((folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        value, _, name = line.partition("  ")
        check(name in known, f"{folder / SUMS}, line {number}: expected a SHA-256 and one of {', '.join(known)}")
        sums[name] = value
    for name in dict.fromkeys((*files_of(folder), *sums)):
        check((folder / name).is_file(), f"{folder} lacks {name}, which {SUMS} lists; export or copy the bundle again")
        check(name in sums, f"{folder / SUMS} lists no sum for {name}; export or copy the bundle again")
        check(
            sha256(folder / name) == sums[name],
            f"{folder / name} was altered or damaged: its SHA-256 is not that of {SUMS}",
        )


def read_config(path: Path) -> BundleConfig:
    """Read config.json; the format's number is looked at first, since it decides which keys there are."""
    try:
        tree: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {error}") from None
    found = tree.get("format") if isinstance(tree, dict) else None
    check(
        found == FORMAT, f"{path} has bundle format {found}, but this version reads {FORMAT}: upgrade, or export again"
    )
    try:
        return build(BundleConfig, tree)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def check_finite(path: Path, name: str, finite: bool) -> None:
    """Refuse a tensor with NaN or infinity: all that is computed with it would be nothing."""
    check(finite, f"{path}: tensor '{name}' holds numbers that are not finite: its training failed, or it was altered")


def check_outliers(path: Path, name: str, matrix: Matrix, outliers: Outliers) -> None:
    """Refuse outliers that stand beside their matrix, or make weights that are not finite."""
    inside = bool(((outliers.column_R >= 0) & (outliers.column_R < matrix.integer_RC.shape[1])).all())
    check(inside, f"{path}: tensor '{name}{COLUMN}' names columns that '{name}' does not have")
    largest_R = matrix.scale_R.astype(float) * LEVELS + abs(outliers.value_R.astype(float))
    check_finite(path, name + OUTLIER, bool((largest_R < LARGEST).all()))


def check_named(path: Path, outliers: Iterable[str], matrices: Container[str]) -> None:
    """Refuse outliers of what is no matrix of the network."""
    for name in outliers:
        check(name in matrices, f"{path}: 'outliers' has '{name}', but the architecture has no such matrix")


def verify_tensors(path: Path, expected: dict[str, Entry]) -> None:
    """Compare every tensor's name, shape and type with what the architecture needs, by the file's header alone."""
    try:
        with safe_open(path, framework="numpy") as stream:
            slices = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118 - no mapping
            found = {name: Entry(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    for name, entry in expected.items():
        check(name in found, f"{path} lacks the tensor '{name}' that {CONFIG} calls for")
        check(found[name] == entry, f"{path}: tensor '{name}' is {found[name]}, but {CONFIG} calls for {entry}")
    extra = sorted(found.keys() - expected.keys())
    check(not extra, f"{path} holds tensors that {CONFIG} does not call for: {', '.join(extra[:5])}")
