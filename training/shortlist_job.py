"""`mt shortlist`: a bundle that looks for each sentence's words among those that its own words are translated with."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy
from safetensors.torch import load_file
from tqdm import tqdm

from data.config import check
from data.lexicon import Lexicon, Pair, added, counts, lexicon_of, parts
from models.bundle import MODEL, SHORTLIST, TOKENIZER, Bundle, check_free, read_bundle
from models.shortlist import Shortlist, write_shortlist
from models.weights import Contents, write_contents
from training.parallel import read_texts
from training.telemetry import say

LOOKED_AT = 2000  # pairs of each direction, or a tenth, that are not learned from and say what a list lacks


class Text(NamedTuple):
    """Pairs of a direction."""

    learned: Sequence[Pair]
    looked_at: Sequence[Pair]


def run(arguments: argparse.Namespace) -> int:
    """Learn a shortlist and write a bundle with it."""
    bundle, folder = read_bundle(arguments.bundle), arguments.output
    check_free(folder, arguments.force)
    check(arguments.most > 0, f"--most must be above 0, but is {arguments.most}")
    vocabulary = len(bundle.tokenizer)
    texts = {direction: split(pairs) for direction, pairs in read_texts(bundle, arguments.text).items()}
    lexicons = [lexicon(text.learned, vocabulary, direction) for direction, text in texts.items()]
    shortlist = shortlist_of(lexicons, vocabulary, arguments.most)
    for direction, text in texts.items():
        say(f"{direction}: {describe(shortlist, text.looked_at, vocabulary)}")
    write(bundle, shortlist, folder, arguments.force)
    say(f"wrote {folder}")
    return 0


def split(pairs: Sequence[Pair]) -> Text:
    """Keep some pairs from all over the text back; all serve for both where there are few."""
    step = max(10, len(pairs) // LOOKED_AT)
    learned = [pair for number, pair in enumerate(pairs, start=1) if number % step]
    return Text(learned, pairs[step - 1 :: step]) if len(pairs) >= step else Text(pairs, pairs)


def lexicon(pairs: Sequence[Pair], vocabulary: int, direction: str) -> Lexicon:
    """What pairs tell, part by part, with progress."""
    bar = tqdm(parts(pairs), desc=f"{direction}: learning from {len(pairs):,} pairs", unit="part", file=sys.stderr)
    return lexicon_of(reduce(added, (counts(part, vocabulary) for part in bar)), vocabulary)


def shortlist_of(lexicons: Iterable[Lexicon], vocabulary: int, most: int) -> Shortlist:
    """For each source id its `most` likeliest target ids in each lexicon, and itself, since names are copied."""
    itself_V = numpy.arange(vocabulary)
    keys = [itself_V * vocabulary + itself_V]
    for source_N, target_N, probability_N in lexicons:
        order_N = numpy.lexsort((-probability_N, source_N))
        ordered_N = source_N[order_N]
        rank_N = numpy.arange(len(ordered_N)) - numpy.searchsorted(ordered_N, ordered_N)
        likely_N = order_N[rank_N < most]
        keys.append(source_N[likely_N] * vocabulary + target_N[likely_N])
    key_N = numpy.unique(numpy.concatenate(keys))
    start_V = numpy.searchsorted(key_N, numpy.arange(vocabulary + 1) * vocabulary)
    return Shortlist(start_V.astype(numpy.int32), (key_N % vocabulary).astype(numpy.int32))


def describe(shortlist: Shortlist, pairs: Sequence[Pair], vocabulary: int) -> str:
    """How many pieces the translation of a sentence is looked for among, and how much of it is there."""
    lists = [shortlist.words(source) for source, _ in pairs]
    inside = [numpy.isin(target, words).mean() for words, (_, target) in zip(lists, pairs, strict=True)]
    mean = sum(map(len, lists)) / len(lists)
    share = 100 * float(numpy.mean(inside))
    return f"{mean:.0f} of {vocabulary:,} pieces for a sentence, with {share:.1f} % of its translation's"


def write(bundle: Bundle, shortlist: Shortlist, folder: Path, force: bool) -> None:
    """Write the bundle with the shortlist; scores and how sure it is were measured without one, and go."""
    info = dataclasses.replace(bundle.config.info, scores=(), unsure_below={})
    contents = Contents(load_file(bundle.folder / MODEL), bundle.config.architecture, bundle.config.storage, info)
    with tempfile.TemporaryDirectory() as place:
        write_shortlist(Path(place) / SHORTLIST, shortlist)
        write_contents(folder, contents, bundle.folder / TOKENIZER, Path(place) / SHORTLIST, force)
