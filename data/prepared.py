"""Prepared data on disk: shards, dev sets, lists of names, a tokenizer and the manifest that sums them up."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece

from data.config import check
from data.errors import UserError
from data.files import flush, sha256, write_json
from data.tokenizer import Tokenizer

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "tokenizer.model"
AGAIN = "prepare the data again, by mt prepare --force"


class Pair(NamedTuple):
    """A normalised sentence pair."""

    source_language: str
    target_language: str
    source: str
    target: str

    @property
    def direction(self) -> str:
        return f"{self.source_language}-{self.target_language}"

    def swapped(self) -> Pair:
        """The same pair in the other direction."""
        return Pair(self.target_language, self.source_language, self.target, self.source)


@dataclass(frozen=True)
class Prepared:
    """What a training reads. `dev` holds a pair once per asked direction; shards hold every pair once."""

    folder: Path
    tokenizer: Tokenizer
    manifest: dict[str, Any]
    dev: dict[str, list[Pair]]
    directions: tuple[str, ...]
    names: list[list[Pair]]  # whichever of a list stands in a pair, another of it may take its place

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Read a folder of prepared data and verify the sum of every file.

        Raises:
            UserError: if it is no such folder, has another format, or a file is missing or altered.
        """
        manifest = verify(folder)
        directions = tuple(manifest["config"]["directions"])
        dev = {name: expand(read_pairs(folder / dev_file(name)), directions) for name in manifest["dev"]}
        names = [read_pairs(folder / names_file(number)) for number in range(len(manifest.get("names", ())))]
        return cls(folder, Tokenizer.load(folder / MODEL), manifest, dev, directions, names)

    @property
    def shards(self) -> int:
        """The number of shards."""
        return len(self.shard_sizes)

    @property
    def shard_sizes(self) -> list[int]:
        """The number of pairs of each shard."""
        return list(self.manifest["shards"])

    def shard(self, number: int) -> list[Pair]:
        """Read one shard."""
        return read_pairs(self.folder / shard_file(number))

    def first_line(self, shard: int) -> int:
        """The 1-based line number of a shard's first pair, counted through all shards in order."""
        return 1 + sum(self.shard_sizes[:shard])


def shard_file(number: int) -> str:
    """The name of a shard's file."""
    return f"train-{number:05d}.tsv"


def dev_file(name: str) -> str:
    """The name of a dev set's file."""
    return f"dev-{name}.tsv"


def names_file(number: int) -> str:
    """The name of a list of names' file."""
    return f"names-{number}.tsv"


def read_pairs(path: Path) -> list[Pair]:
    """Read a file of prepared pairs."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        return [Pair(*line.rstrip("\n").split("\t")) for line in stream]


def to_line(pair: Pair) -> str:
    """A pair as a line of a prepared file; normalised text holds neither tabs nor line ends."""
    return "\t".join(pair) + "\n"


def expand(pairs: Sequence[Pair], directions: Iterable[str]) -> list[Pair]:
    """Each pair in every asked direction that it can serve, one direction after the other."""
    both = [(pair, pair.swapped()) for pair in pairs]
    return [one for direction in directions for pair in both for one in pair if one.direction == direction]


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Sum up the files of a finished folder, flush them and write its manifest."""
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        flush(folder / name)
    sums = {name: sha256(folder / name) for name in names}
    versions = {"sentencepiece": sentencepiece.__version__, "python": platform.python_version()}
    write_json(folder / MANIFEST, {"format": FORMAT, **content, "versions": versions, "files": sums})


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of prepared data; UserError if there is none that this version understands."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{folder} holds no prepared data: cannot read {path}: {error}") from None
    made = manifest.get("format") if isinstance(manifest, dict) else None
    check(made == FORMAT, f"{path} has format {made}, but this version reads {FORMAT}: {AGAIN}")
    whole = {"config", "sources", "files"} <= manifest.keys()
    check(whole, f"{path} was altered since it was prepared: {AGAIN}")
    return dict(manifest)


def verify(folder: Path) -> dict[str, Any]:
    """Read the manifest and check the sum of every file that it names."""
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        path = folder / name
        check(path.is_file(), f"{path} is missing: {AGAIN}")
        check(sha256(path) == expected, f"{path} was altered since it was prepared: {AGAIN}")
    return manifest
