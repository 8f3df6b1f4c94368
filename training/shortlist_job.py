"""`mt shortlist`: a bundle that looks for each sentence's words among those that its own words are translated with."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from data.config import check
from data.corpus import CorpusConfig, read
from data.files import atomic_folder, flush
from data.normalize import normalize
from data.tokenizer import Tokenizer
from models.bundle import FILES, SHORTLIST, Bundle, check_free, read_bundle, write_sums
from models.shortlist import Shortlist, read_shortlist, write_shortlist
from training.lexicon import Pair, learn, shortlist_of, within
from training.telemetry import say

LOOKED_AT = 2000  # pairs that say how long a sentence's list is, and what it lacks


class Text(NamedTuple):
    """Parallel text of one direction."""

    direction: str
    source: Path
    target: Path


def run(arguments: argparse.Namespace) -> int:
    """Learn a shortlist and write a bundle with it."""
    bundle, folder = read_bundle(arguments.bundle), arguments.output
    check_free(folder, arguments.force)
    check(arguments.most > 0, f"--most must be above 0, but is {arguments.most}")
    texts = [texts_of(direction, arguments.text) for direction in bundle.info.directions]
    found = [pairs_of(some, bundle.tokenizer) for some in texts]
    vocabulary = len(bundle.tokenizer)
    shortlist = shortlist_of([learn(pairs, vocabulary) for pairs in found], vocabulary, arguments.most)
    for direction, pairs in zip(bundle.info.directions, found, strict=True):
        say(f"{direction}: {describe(shortlist, pairs, vocabulary)}")
    write(bundle, shortlist, folder)
    say(f"wrote {folder}")
    return 0


def texts_of(direction: str, files: Sequence[tuple[Path, Path]]) -> list[Text]:
    """The files of a direction, by their suffixes.

    Raises:
        UserError: when there are none: nothing could be translated in that direction.
    """
    found = []
    for pair in files:
        for left, right in (pair, pair[::-1]):
            if f"{language(left)}-{language(right)}" == direction:
                found.append(Text(direction, left, right))
    one, other = direction.split("-")
    check(bool(found), f"the bundle translates {direction}: name text for it, such as --text text.{one} text.{other}")
    return found


def language(path: Path) -> str:
    """A file's suffix, before that of compression."""
    return Path(path.name.removesuffix(".gz")).suffix.removeprefix(".")


def pairs_of(texts: Sequence[Text], tokenizer: Tokenizer) -> list[Pair]:
    """The ids of a direction's pairs that have text on both sides, as many as are learned from."""
    pairs, skipped, direction = list[Pair](), 0, texts[0].direction
    source, target = direction.split("-")
    for text in texts:
        for line in read(CorpusConfig("text", (source, target), text.source, text.target), Path()):
            left, right = normalize(line.source), normalize(line.target)
            skipped += not (left and right)
            if left and right:
                pairs.append((tokenizer.encode_source(left, target), [*tokenizer.encode(right), tokenizer.eos_id]))
    check(bool(pairs), f"{texts[0].source} and {texts[0].target} hold no pair with text on both sides")
    used = within(pairs)
    say(f"{direction}: learning from {len(used):,} of {len(pairs):,} pairs; {skipped:,} had an empty side")
    return used


def describe(shortlist: Shortlist, pairs: Sequence[Pair], vocabulary: int) -> str:
    """How many pieces the translation of a sentence is looked for among, and how much of it is there."""
    looked_at = pairs[:: len(pairs) // LOOKED_AT + 1]
    lists = [shortlist.words(source) for source, _ in looked_at]
    inside = [numpy.isin(target, words).mean() for words, (_, target) in zip(lists, looked_at, strict=True)]
    mean = sum(map(len, lists)) / len(lists)
    share = 100 * float(numpy.mean(inside))
    return f"{mean:.0f} of {vocabulary:,} pieces for a sentence, with {share:.1f} % of its translation's"


def write(bundle: Bundle, shortlist: Shortlist, folder: Path) -> None:
    """A copy of the bundle with the shortlist, put in its place when it is complete and can be read."""
    with atomic_folder(folder) as temporary:
        for name in FILES:
            shutil.copyfile(bundle.folder / name, temporary / name)
            flush(temporary / name)
        write_shortlist(temporary / SHORTLIST, shortlist)
        write_sums(temporary)
        read_shortlist(temporary / SHORTLIST, len(read_bundle(temporary).tokenizer))
