"""From corpora to a folder of prepared data, which appears whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data.clean import CorpusReport, to_json, to_text
from data.config import build, check, placeless, plain
from data.corpus import CorpusConfig, check_there, read
from data.errors import UserError
from data.files import atomic_folder, copy, sha256, write_text
from data.normalize import normalize
from data.prepared import (
    MANIFEST,
    MODEL,
    Pair,
    Prepared,
    dev_file,
    names_file,
    read_manifest,
    to_line,
    verify,
    write_manifest,
)
from data.renaming import can_be_found
from data.selection import check_sides, clean_into, hold_out, progress, real_texts, trained_on, write_shards
from data.sources import DataConfig, TrainCorpusConfig
from data.tokenizer import Tokenizer, train_tokenizer

__all__ = ["DataConfig", "Pair", "Prepared", "TrainCorpusConfig", "Use", "prepare"]


class Use(NamedTuple):
    """A run that was trained on prepared data, and can neither go on nor be exported without them."""

    run: Path
    files: Mapping[str, str]  # their sums at that time, as far as they are known


def prepare(
    config: DataConfig,
    folder: Path,
    seed: int,
    force: bool = False,
    vocabulary: Path | None = None,
    use: Use | None = None,
) -> Prepared:
    """Read, normalise, clean, hold out, shard and learn the vocabulary; or reuse a folder made from the same.

    Args:
        config: corpora and rules.
        folder: what to make.
        seed: decides how pairs spread over shards, and what the vocabulary is learned from.
        force: make it anew, in place of prepared data that stands there.
        vocabulary: a tokenizer's file to take as it is; none is learned then, whatever `config.tokenizer` says.
        use: what depends on what stands there, so that `force` mends it, and makes nothing else of it.
    Raises:
        UserError: for bad corpora (before anything is written), or a folder that holds something else.
    """
    origin = origin_of(config, seed, vocabulary)
    check(folder.is_dir() or not folder.exists(), f"{folder} is a file: name a folder for the prepared data")
    if folder.exists() and any(folder.iterdir()) and not (force and (folder / MANIFEST).is_file()):
        differing = differences(read_manifest(folder), origin)
        check(
            not differing,
            f"{folder} was prepared from something else ({', '.join(differing)} differ): choose another 'name', or, "
            f"where no run was trained on it, replace it by mt prepare --force",
        )
        return Prepared.load(folder)
    if force and use is not None and is_whole(folder, origin, use.run):
        return Prepared.load(folder)
    for corpus in config.corpora:
        lines = sum(1 for _ in progress(read(corpus, config.root), f"checking {corpus.source}"))
        for path in corpus.files(config.root):
            origin["sources"][str(path)]["lines"] = lines
    with atomic_folder(folder) as temporary:
        fill(temporary, config, origin, seed, vocabulary)
        if force and use is not None and use.files:
            check_same(temporary, folder, use)
    return Prepared.load(folder)


def is_whole(folder: Path, origin: dict[str, Any], run: Path) -> bool:
    """Whether what a run was trained on stands in a folder as it was prepared.

    Raises:
        UserError: when something else would be prepared now.
    """
    try:
        differing = differences(read_manifest(folder), origin)
    except UserError:
        return False
    check(
        not differing,
        f"{run} was trained on {folder}, which would become something else ({', '.join(differing)} differ): choose "
        f"another 'name', or remove the folder of that run first",
    )
    try:
        verify(folder)
    except UserError:
        return False
    return True


def check_same(made: Path, folder: Path, use: Use) -> None:
    """Raise UserError, naming the files that differ, unless what was made anew is what a run was trained on."""
    sums = read_manifest(made)["files"]
    differing = sorted(name for name in sums.keys() | use.files.keys() if sums.get(name) != use.files.get(name))
    check(
        not differing,
        f"{use.run} was trained on {folder} as it was, which cannot be made again ({', '.join(differing[:3])} differ), "
        f"so it stays: choose another 'name', or remove the folder of that run first",
    )


def origin_of(config: DataConfig, seed: int, vocabulary: Path | None) -> dict[str, Any]:
    """Everything that the prepared data depends on, for its manifest."""
    sources = {str(path): {"sha256": sha256(path)} for path in corpus_files(config)}
    given = {} if vocabulary is None else {"vocabulary": sha256(vocabulary)}
    return {"seed": seed, "config": plain(config), "sources": sources, **given}


def corpus_files(config: DataConfig) -> list[Path]:
    """The files of all corpora; UserError for one that is missing."""
    paths = [path for corpus in config.corpora for path in corpus.files(config.root)]
    for path in paths:
        check_there(path, "corpus")
    return paths


def differences(manifest: dict[str, Any], origin: dict[str, Any]) -> list[str]:
    """Which parts of the origin differ from a manifest's; where the same corpora lie does not matter."""
    kept = plain(build(DataConfig, manifest["config"]))  # keys that came after it take their defaults
    old, new = (placeless(config) for config in (kept, origin["config"]))
    names = [f"data.{key}" for key in sorted(new) if old[key] != new[key]]
    names.extend(key for key in ("seed", "vocabulary") if manifest.get(key) != origin.get(key))
    sums = [[source["sha256"] for source in one["sources"].values()] for one in (manifest, origin)]
    if sums[0] != sums[1]:
        names.append("corpus files")
    return names


def fill(folder: Path, config: DataConfig, origin: dict[str, Any], seed: int, vocabulary: Path | None) -> None:
    """Write everything that prepared data consists of."""
    if vocabulary is not None:
        take_vocabulary(vocabulary, config.languages, folder / MODEL)
    spool = folder / "spool.tmp"
    reports = clean_into(spool, config)
    held_out = hold_out(spool, config, reports)
    shards = write_shards(spool, folder, config, held_out, reports, seed)
    files = {name: read_uncleaned(corpus, config.root, reports) for name, corpus in config.dev.items()}
    check_sides(config, files)
    if vocabulary is None:
        words = progress(real_texts(spool, config, held_out), "learning the vocabulary")
        learn(words, config, folder / MODEL, seed, reports)
    names = [read_names(corpus, config.root, reports) for corpus in config.names]
    for name, overlap in trained_on(spool, held_out, files).items():
        if any(overlap):
            half = f", and one side of {overlap.sides} others" if overlap.sides else ""
            told = f"dev set {name}: {overlap.pairs} of its {len(files[name])} pairs are trained on too{half}"
            print(f"{told}, so its scores say less", file=sys.stderr)
    spool.unlink()
    dev = held_out.dev | files
    for name, pairs in dev.items():
        write_text(folder / dev_file(name), "".join(map(to_line, pairs)))
    for number, pairs in enumerate(names):
        write_text(folder / names_file(number), "".join(map(to_line, pairs)))
    write_text(folder / "cleaning.json", to_json(reports))
    write_text(folder / "cleaning.txt", to_text(reports))
    print(to_text(reports), end="", file=sys.stderr)
    cleaning = [report.counts() for report in reports]
    counts = {"shards": shards, "dev": {name: len(pairs) for name, pairs in dev.items()}, "names": [*map(len, names)]}
    write_manifest(folder, {**origin, "cleaning": cleaning, **counts})


def learn(words: Iterator[str], config: DataConfig, path: Path, seed: int, reports: Sequence[CorpusReport]) -> None:
    """Learn a vocabulary; where there is too little text for it, tell first what became of the text."""
    try:
        train_tokenizer(words, config.languages, config.tokenizer, path, seed)
    except UserError:
        print(to_text(reports), end="", file=sys.stderr)
        raise


def take_vocabulary(vocabulary: Path, languages: Sequence[str], path: Path) -> None:
    """Copy a tokenizer's file, if it knows all languages."""
    known = Tokenizer.load(vocabulary).languages
    unknown = ", ".join(sorted(set(languages) - set(known)))
    check(not unknown, f"{vocabulary} knows {', '.join(known)} alone, not {unknown}: learn a vocabulary of your own")
    copy(vocabulary, path)


def read_names(corpus: CorpusConfig, root: Path, reports: list[CorpusReport]) -> list[Pair]:
    """A list of names; UserError for one none of whose names could be found in a pair."""
    pairs = read_uncleaned(corpus, root, reports)
    check(
        any(map(can_be_found, pairs)),
        f"no line of {corpus.source} has one capitalised word of three letters or more on both sides, so no other name "
        f"could take its place: leave it out of 'data.names'",
    )
    return pairs


def read_uncleaned(corpus: CorpusConfig, root: Path, reports: list[CorpusReport]) -> list[Pair]:
    """A corpus, normalised; no rule applies to it but that pairs with an empty side go, which is reported."""
    report = CorpusReport(str(corpus.source))
    reports.append(report)
    pairs = []
    for line in read(corpus, root):
        pair = Pair(*corpus.languages, normalize(line.source), normalize(line.target))
        report.read += 1
        if pair.source and pair.target:
            pairs.append(pair)
        else:
            report.drop("empty", line.number)
    check(len(pairs) > 0, f"every pair of {corpus.source} has an empty side")
    return pairs
