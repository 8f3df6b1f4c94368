"""Which pairs of the corpora are trained on: cleaning, holding out, and spreading over shards."""

from __future__ import annotations

import heapq
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from tqdm import tqdm

from data.clean import Candidate, Cleaner, CorpusReport, candidate, key_of
from data.config import check
from data.corpus import read
from data.files import may_open
from data.normalize import normalize
from data.prepared import Pair, shard_file, to_line
from data.sides import SAMPLE, other_language
from data.sources import DataConfig

HELD_OUT, OVERLAP = "held_out", "held_out_overlap"
EXCHANGED = 0.5  # of a dev set, in the other language: more than chance or untranslated text
T = TypeVar("T")


class Kept(NamedTuple):
    """A pair that passed cleaning, with the index of its corpus and its line number there."""

    corpus: int
    number: int
    pair: Pair


class HeldOut(NamedTuple):
    """Pairs kept from training: where they stood, each side's (language, text), and the dev sets they make."""

    places: set[tuple[int, int]]
    texts: set[tuple[str, str]]
    dev: dict[str, list[Pair]]

    def rule(self, kept: Kept) -> str | None:
        """Why a pair must not be trained on; None keeps it."""
        if (kept.corpus, kept.number) in self.places:
            return HELD_OUT
        return None if self.texts.isdisjoint(sides(kept.pair)) else OVERLAP


def progress(items: Iterable[T], what: str) -> Iterator[T]:
    """Pass items through, with a rate on standard error if that is a terminal."""
    return iter(tqdm(items, desc=what, unit="", unit_scale=True, file=sys.stderr, disable=None))


def clean(config: DataConfig, reports: list[CorpusReport]) -> Iterator[Kept]:
    """Normalise and clean every train corpus; yield what is kept, and add a report of each corpus to `reports`.

    What people wrote comes first, so that of duplicates theirs is kept.

    Raises:
        UserError: if nothing of a corpus is left that people wrote; a synthetic one may hold nothing new.
    """
    cleaner = Cleaner(config.clean, other_language(samples(config)) if config.clean.language else None)
    made = [CorpusReport(str(corpus.source)) for corpus in config.train]
    reports.extend(made)
    for index, corpus in sorted(enumerate(config.train), key=lambda one: one[1].synthetic):
        report = made[index]
        for line in progress(read(corpus, config.root), f"cleaning {corpus.source}"):
            found = candidate(line.source, line.target, corpus.languages)
            report.read += 1
            rule = cleaner(found)
            if rule:
                report.drop(rule, line.number)
            else:
                yield Kept(index, line.number, Pair(*corpus.languages, found.source, found.target))
        rules, some = ", ".join(report.dropped), report.kept > 0 or corpus.synthetic
        check(some, f"no pair of {corpus.source} is left after cleaning; rules that dropped: {rules}")


def samples(config: DataConfig) -> Iterator[Candidate]:
    """The first pairs of each corpus that people wrote."""
    for corpus in config.train:
        if not corpus.synthetic:
            for line in islice(read(corpus, config.root), SAMPLE):
                yield candidate(line.source, line.target, corpus.languages)


def clean_into(spool: Path, config: DataConfig) -> list[CorpusReport]:
    """Write what cleaning keeps to `spool`; return the reports."""
    reports: list[CorpusReport] = []
    with spool.open("w", encoding="utf-8", newline="\n") as stream:
        for index, number, pair in clean(config, reports):
            stream.write(f"{index}\t{number}\t{to_line(pair)}")
    return reports


def read_spool(spool: Path) -> Iterator[Kept]:
    """Read back what clean_into wrote."""
    with spool.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            index, number, *pair = line.rstrip("\n").split("\t")
            yield Kept(int(index), int(number), Pair(*pair))


def hold_out(spool: Path, config: DataConfig, reports: Sequence[CorpusReport]) -> HeldOut:
    """Choose, corpus by corpus, which of the pairs kept make dev sets: those whose hashes are least.

    So they are the same whatever the seed, and, unless another corpus of that one holds the same pair, none is in the
    training data of another run that this one builds on.
    """
    held = HeldOut(set(), set(), {})
    for index, (corpus, report) in enumerate(zip(config.train, reports, strict=True)):
        fits = not corpus.hold_out or corpus.hold_out < report.kept
        rules = f" ({', '.join(report.dropped)})" if report.dropped else ""
        check(
            fits,
            f"hold_out = {corpus.hold_out} leaves nothing of {corpus.source}, of whose {report.read:,} pairs cleaning "
            f"kept {report.kept:,}{rules}: hold out fewer",
        )
        if corpus.hold_out:
            hashed = ((key_of(to_line(kept.pair)), kept.number) for kept in read_spool(spool) if kept.corpus == index)
            held.places.update((index, number) for _, number in heapq.nsmallest(corpus.hold_out, hashed))
    for index, number, pair in read_spool(spool) if held.places else ():
        if (index, number) in held.places:
            held.texts.update(sides(pair))
            held.dev.setdefault(config.train[index].hold_out_name, []).append(pair)
    return held


def check_sides(config: DataConfig, dev: Mapping[str, Sequence[Pair]]) -> None:
    """Compare the languages of dev sets with those of the text to train on.

    Raises:
        UserError: naming a dev set many of whose sides are in the language of the other one.
    """
    if not (config.clean.language and dev):
        return
    wrong = other_language(samples(config))
    for name, pairs in dev.items():
        corpus = config.dev[name]
        count = sum(wrong(candidate(pair.source, pair.target, corpus.languages)) for pair in pairs)
        check(
            count <= EXCHANGED * len(pairs),
            f"dev set {name}: {count} of its {len(pairs)} pairs have a side in the language that the text to train on "
            f"has on the other: exchange source and target of {corpus.source}, or of that text",
        )


class Overlap(NamedTuple):
    """Of a dev set, the pairs that stand in the training data, either way round, and others of which one side does."""

    pairs: int
    sides: int


def trained_on(spool: Path, held: HeldOut, dev: Mapping[str, Sequence[Pair]]) -> dict[str, Overlap]:
    """What the training data has of each dev set."""
    wanted = {one for pairs in dev.values() for pair in pairs for one in (pair, pair.swapped())}
    texts = {side for pair in wanted for side in sides(pair)}
    found, met = set[Pair](), set[tuple[str, str]]()
    for kept in read_spool(spool):
        some = texts.intersection(sides(kept.pair))
        if some and not held.rule(kept):
            met |= some
            found |= wanted & {kept.pair}
    overlaps = {}
    for name, pairs in dev.items():
        whole = [not found.isdisjoint((pair, pair.swapped())) for pair in pairs]
        partly = sum(not met.isdisjoint(sides(pair)) for pair, both in zip(pairs, whole, strict=True) if not both)
        overlaps[name] = Overlap(sum(whole), partly)
    return overlaps


def sides(pair: Pair) -> tuple[tuple[str, str], tuple[str, str]]:
    """Each side's language and text."""
    return (pair.source_language, pair.source), (pair.target_language, pair.target)


def write_shards(
    spool: Path, folder: Path, config: DataConfig, held: HeldOut, reports: Sequence[CorpusReport], seed: int
) -> list[int]:
    """Spread the pairs to train on over shards at random, so that every shard mixes all corpora; return their sizes.

    Pairs that are held out, or share a text with one that is, are entered in the reports.
    """
    rng = random.Random(seed)
    pairs = sum(report.kept * corpus.repeat for corpus, report in zip(config.train, reports, strict=True))
    sizes = [0] * -(-pairs // config.shard_pairs)
    check(
        may_open(len(sizes)),
        f"{len(sizes):,} shards are written at once, but the system allows no process that many open files: set "
        f"'data.shard_pairs' above {config.shard_pairs:,}",
    )
    with ExitStack() as stack:
        paths = [folder / shard_file(number) for number in range(len(sizes))]
        streams = [stack.enter_context(path.open("w", encoding="utf-8", newline="\n")) for path in paths]
        for kept in read_spool(spool):
            if rule := held.rule(kept):
                reports[kept.corpus].drop(rule, kept.number)
            else:
                for _ in range(config.train[kept.corpus].repeat):
                    shard = rng.randrange(len(sizes))
                    streams[shard].write(to_line(kept.pair))
                    sizes[shard] += 1
    check(sum(sizes) > 0, "no pair is left to train on: hold out fewer")
    return sizes


def real_texts(spool: Path, config: DataConfig, held: HeldOut) -> Iterator[str]:
    """Both sides of every pair to train on that people wrote, as often as it is trained on."""
    for kept in read_spool(spool):
        corpus = config.train[kept.corpus]
        if not corpus.synthetic and not held.rule(kept):
            yield from (kept.pair.source, kept.pair.target) * corpus.repeat


def real_texts_in(config: DataConfig, language: str) -> Iterator[str]:
    """What people wrote in a language, whatever it is paired with; cleaning's rules and holding out aside."""
    for corpus in config.train:
        if language in corpus.languages and not corpus.synthetic:
            side = corpus.languages.index(language)
            yield from (normalize((line.source, line.target)[side]) for line in read(corpus, config.root))


def real_pairs(config: DataConfig, direction: str) -> Iterator[Pair]:
    """What people wrote in a direction's two languages, as pairs of that direction.

    Pairs that cleaning drops are left out; what will be held out is not known here.
    """
    for index, _, pair in clean(config, []):
        there = pair if pair.direction == direction else pair.swapped()
        if not config.train[index].synthetic and there.direction == direction:
            yield there


def references_of(config: DataConfig, direction: str) -> dict[str, list[str]]:
    """The targets of each of `distinct_sources`, in that order."""
    found: dict[str, list[str]] = {}
    for there in real_pairs(config, direction):
        found.setdefault(there.source, []).append(there.target)
    return found


def distinct_sources(config: DataConfig, direction: str) -> Iterator[str]:
    """The sources of `real_pairs`, each text once."""
    seen: set[bytes] = set()
    for there in real_pairs(config, direction):
        key = key_of(there.source)
        if key not in seen:
            seen.add(key)
            yield there.source
