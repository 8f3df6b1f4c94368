"""Endless batches of about equal size: shuffled, bucketed by length, the same for the same seed and position."""

from __future__ import annotations

import logging
import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data.careless import Texts, dashed_off
from data.collate import Batch, collate
from data.config import check
from data.elsewhere import Elsewhere
from data.errors import UserError
from data.languages import languages_of, parts_sentences_by_spaces
from data.placeholders import substitute
from data.prepared import Pair, Prepared, shard_file
from data.renaming import renamed
from data.renumbering import renumbered
from data.terms import Terms, with_capitals, with_emphasis, with_terms, with_words
from data.tokenizer import EOS, Tokenizer

log = logging.getLogger(__name__)
LISTED = 5  # line numbers of over-long pairs in the log
EXTRA = 2  # ids that a source has beside its pieces: tag and eos


@dataclass(frozen=True)
class BatchingConfig:
    """How batches are made.

    tokens: the most that sentences times the longest padded side of a batch may be, special ids included.
    max_length: pairs with more pieces on a side are left out.
    sampling: subword sampling, the alpha of data.subwords.sampler; 0 is off.
    placeholder_rate: the share of pairs that get placeholder symbols, in place of spans that both sides share and at
        their ends.
    number_rate: the share of pairs in whose place pairs with numbers come, which are other ones each time.
    name_rate: the share of pairs whose shared names become other ones each time, mostly made up, and whose names that
        stand in a list become others of that.
    term_rate: the share of pairs that get symbols in place of a word or two and of what translates them, as terms of a
        glossary do.
    word_rate: the share of pairs in whose place one of their words and what translates it come, since people look
        words up.
    capitals_rate: the share of pairs that are in capitals as a whole, or in which a word and what translates it are.
    emphasis_rate: the share of pairs with marks of emphasis, or of a link, around a word and what translates it.
    careless_rate: the share of pairs whose texts, where they are read, are as people type them carelessly.
    concatenation_rate: the share of pairs that another random one is appended to, which makes long sentences of short
        ones (Nguyen et al. 2021, Data Augmentation by Concatenation for Low-Resource Translation).
    copy_rate: the share of pairs whose source is the target itself, so that what is in the target language stays
        as it is (Currey et al. 2017, Copied Monolingual Data Improves Low-Resource NMT).
    bucket_noise: how many pieces the lengths that share a batch may differ by; 0 pads least.
    """

    tokens: int = 4096
    max_length: int = 100
    sampling: float = 0.0
    placeholder_rate: float = 0.0
    number_rate: float = 0.0
    name_rate: float = 0.0
    term_rate: float = 0.0
    word_rate: float = 0.0
    capitals_rate: float = 0.0
    emphasis_rate: float = 0.0
    careless_rate: float = 0.0
    concatenation_rate: float = 0.0
    copy_rate: float = 0.0
    bucket_noise: float = 1.0

    def __post_init__(self) -> None:
        check(self.max_length >= 1, f"max_length must be 1 or more, but is {self.max_length}")
        least = self.max_length + EXTRA
        check(self.tokens >= least, f"tokens = {self.tokens} cannot hold one pair of max_length; it must be >= {least}")
        check(0 <= self.sampling < 1, f"sampling must be at least 0 and less than 1, but is {self.sampling}")
        for name in (one for one in vars(self) if one.endswith("_rate")):
            check(0 <= getattr(self, name) <= 1, f"{name} must lie in 0..1, but is {getattr(self, name)}")
        check(self.bucket_noise >= 0, f"bucket_noise must be 0 or more, but is {self.bucket_noise}")

    @property
    def symbol_rate(self) -> float:
        """The larger one of the shares of pairs that get symbols."""
        return max(self.placeholder_rate, self.term_rate)


class Position(NamedTuple):
    """Where a stream stands; `batch` counts this rank's batches of the shard."""

    epoch: int
    shard: int
    batch: int


class Example(NamedTuple):
    """A pair of the shard in one direction: the indices of its texts, and its longest side with special ids."""

    source: int
    target: int
    tag: int
    length: int


class Shard(NamedTuple):
    """A shard as encoded for one epoch.

    Of n pairs, pair i's texts are 2i (source) and 2i + 1 (target) in `ids` as they are written, and 2n more as they are
    read, which may be less careful.
    """

    ids: list[array[int]]
    batches: list[list[Example]]
    too_long: list[int]


class BatchStream:
    """Batches without end, a pure function of seed, position, rank and world size.

    Rank r of w takes batches r, r + w, ... of each shard; the last batches of a shard that do not go round are left
    out, other ones in every epoch, so that all ranks step equally often. `dropped` counts the pairs met so far that
    are over max_length; each shard's are logged once. With `ahead`, another process encodes the next shard while the
    batches of one are taken, which costs memory for both.
    """

    def __init__(
        self, prepared: Prepared, config: BatchingConfig, seed: int, rank: int = 0, world: int = 1, ahead: bool = False
    ) -> None:
        check(0 <= rank < world, f"rank must lie in 0..{world - 1}, but is {rank}")
        self.position = Position(0, 0, 0)
        self._prepared, self._config, self._seed, self._rank, self._world = prepared, config, seed, rank, world
        self._ahead = ahead
        self._next: tuple[tuple[int, int], Elsewhere[..., Shard]] | None = None
        self._key = (-1, -1)
        self._shard = Shard([], [], [])
        self._too_long: dict[int, set[int]] = {}

    @property
    def dropped(self) -> int:
        """How many pairs of the shards met so far were too long."""
        return sum(map(len, self._too_long.values()))

    def seek(self, position: Position) -> None:
        """Go to a position; UserError if the data has no such shard."""
        shards = self._prepared.shards
        check(0 <= position.shard < shards, f"cannot resume at shard {position.shard}: the data has {shards} shards")
        self.position = position

    def close(self) -> None:
        """Let go of shards, and of the process that encodes the next one; another batch brings them back."""
        self._key, self._shard = (-1, -1), Shard([], [], [])
        if self._next is not None:
            self._next[1].stop()
            self._next = None

    def __iter__(self) -> BatchStream:
        return self

    def __next__(self) -> Batch:
        """Return this rank's next batch.

        Raises:
            UserError: if a whole epoch holds no batch for every rank.
        """
        for _ in range(self._prepared.shards + 1):
            epoch, shard, batch = self.position
            self._load(epoch, shard)
            rounds = len(self._shard.batches) // self._world
            following = Position(*self._after(epoch, shard), 0)
            if batch < rounds:
                self.position = Position(epoch, shard, batch + 1) if batch + 1 < rounds else following
                return self._collate(shard, self._shard.batches[batch * self._world + self._rank])
            self.position = following
        raise UserError(
            f"no epoch of {self._prepared.folder} fills one batch for each of {self._world} ranks "
            f"({self.dropped} pairs are over max_length = {self._config.max_length}): lower tokens or raise max_length"
        )

    def _load(self, epoch: int, shard: int) -> None:
        if self._key == (epoch, shard):
            return
        self._shard = self._take_next(epoch, shard) or encode_shard(
            self._prepared, self._config, self._seed, epoch, shard
        )
        self._key = (epoch, shard)
        if self._ahead:
            following = self._after(epoch, shard)
            arguments = self._prepared.folder, self._config, self._seed, *following
            self._next = following, Elsewhere(encode_folder, *arguments)
        if shard not in self._too_long and self._shard.too_long and self._rank == 0:
            self._report(shard)
        self._too_long.setdefault(shard, set()).update(self._shard.too_long)

    def _after(self, epoch: int, shard: int) -> tuple[int, int]:
        """The epoch and shard that follow."""
        return (epoch, shard + 1) if shard + 1 < self._prepared.shards else (epoch + 1, 0)

    def _take_next(self, epoch: int, shard: int) -> Shard | None:
        """The shard that another process encoded, if it is this one, and the process was not killed."""
        if self._next is None:
            return None
        (key, coming), self._next = self._next, None
        if key != (epoch, shard):
            coming.stop()
            return None
        try:
            return coming.result()
        except EOFError:
            log.warning("the process that encoded %s is gone; it is encoded here", shard_file(shard))
            return None

    def _report(self, shard: int) -> None:
        lines = self._shard.too_long
        first = ", ".join(str(index + 1) for index in lines[:LISTED]) + (", ..." if len(lines) > LISTED else "")
        log.warning(
            "%d of %d pairs of %s are over max_length = %d pieces and left out: lines %s",
            *(len(lines), self._prepared.shard_sizes[shard], shard_file(shard), self._config.max_length, first),
        )

    def _collate(self, shard: int, examples: Sequence[Example]) -> Batch:
        ids, first = self._shard.ids, self._prepared.first_line(shard)
        sources = [[one.tag, *ids[one.source], EOS] for one in examples]
        pairs = [first + one.target // 2 for one in examples]
        return collate(sources, [ids[one.target] for one in examples], pairs=pairs)


def encode_shard(prepared: Prepared, config: BatchingConfig, seed: int, epoch: int, shard: int) -> Shard:
    """Encode a shard and cut it into shuffled batches; depends on nothing but the arguments."""
    rng = random.Random(f"{seed}-{epoch}-{shard}")
    listed, tokenizer = prepared.shard(shard), prepared.tokenizer
    pairs, read, written = varied(listed, prepared, config, rng)
    alone = encoded(read, written, tokenizer, config, rng)
    ids = concatenated(alone, pairs, config, rng) if config.concatenation_rate else alone
    fits = [max(len(ids[j]) for j in places(i, len(pairs))) <= config.max_length for i in range(len(pairs))]
    tags = {direction: tokenizer.tag_id(languages_of(direction)[1]) for direction in prepared.directions}
    examples = [one for i, pair in enumerate(pairs) if fits[i] for one in directed(i, pair, tags, ids)]
    examples = copied(examples, ids, config.copy_rate, rng) if config.copy_rate else examples
    batches = cut(examples, config, rng)
    return Shard(ids, batches, [i for i, fit in enumerate(fits) if not fit and pairs[i] is listed[i]])


def encode_folder(folder: Path, config: BatchingConfig, seed: int, epoch: int, shard: int) -> Shard:
    """The same for a folder of prepared data, in a process that has not read it yet."""
    return encode_shard(Prepared.load(folder), config, seed, epoch, shard)


def varied(
    listed: Sequence[Pair], prepared: Prepared, config: BatchingConfig, rng: random.Random
) -> tuple[Sequence[Pair], list[Texts], list[Texts]]:
    """Pairs with other numbers, names, symbols, emphasis and capitals; their texts as they are read, and as written."""
    symbols, rate = prepared.tokenizer.placeholders, config.placeholder_rate
    pairs = renamed(renumbered(listed, config.number_rate, rng), config.name_rate, rng, prepared.names)
    large = frozenset[int]()
    if config.word_rate or config.term_rate or config.capitals_rate or config.emphasis_rate:
        terms = Terms(pairs)
        small = with_words(pairs, terms, config.word_rate, rng)
        small = with_terms(small, terms, config.term_rate, symbols, rng)
        small = with_emphasis(small, terms, config.emphasis_rate, symbols, rng)
        pairs = with_capitals(small, terms, config.capitals_rate, rng)
        large = frozenset(i for i, pair in enumerate(pairs) if pair is not small[i])
    texts = [substitute(pair.source, pair.target, symbols, rng, rate) for pair in pairs]
    return pairs, *dashed_off(texts, [pair[:2] for pair in pairs], config.careless_rate, rng, large)


def encoded(
    read: Sequence[Texts], written: Sequence[Texts], tokenizer: Tokenizer, config: BatchingConfig, rng: random.Random
) -> list[array[int]]:
    """The ids of pairs' texts as they are written, and then as they are read; most of these are the same objects."""
    flat, others = [[text for pair in pairs for text in pair] for pairs in (written, read)]
    changed = [i for i, text in enumerate(others) if text != flat[i]]
    found = tokenizer.encode_batch([*flat, *(others[i] for i in changed)], config.sampling, rng)
    ids = [array("i", one) for one in found]
    reading = ids[: len(flat)]
    for i, one in zip(changed, ids[len(flat) :], strict=True):
        reading[i] = one
    return [*ids[: len(flat)], *reading]


def places(index: int, pairs: int) -> tuple[int, int, int, int]:
    """Where the ids of one of some pairs stand: source and target as they are written, and as they are read."""
    written, read = 2 * index, 2 * (index + pairs)
    return written, written + 1, read, read + 1


def concatenated(
    ids: Sequence[array[int]], pairs: Sequence[Pair], config: BatchingConfig, rng: random.Random
) -> list[array[int]]:
    """Append to some pairs another one of the same languages, where both are within max_length; their texts' ids.

    A text's first id begins with a space, so pairs of languages that put none between sentences stay alone.
    """
    partners: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        partners.setdefault(pair.direction, []).append(index)
    longer = list(ids)
    for index, pair in enumerate(pairs):
        if rng.random() < config.concatenation_rate and all(map(parts_sentences_by_spaces, pair[:2])):
            own, other = (places(i, len(pairs)) for i in (index, rng.choice(partners[pair.direction])))
            both = {i: ids[i] + ids[j] for i, j in zip(own, other, strict=True)}
            if max(map(len, both.values())) <= config.max_length:
                for i, joined in both.items():
                    longer[i] = joined
    return longer


def directed(index: int, pair: Pair, tags: Mapping[str, int], ids: Sequence[Sequence[int]]) -> list[Example]:
    """A pair in every direction with a tag. Tag and eos lengthen the source, eos the target."""
    left, right, left_read, right_read = places(index, len(ids) // 4)
    examples = []
    if tag := tags.get(pair.direction):
        examples.append(Example(left_read, right, tag, max(len(ids[left_read]) + EXTRA, len(ids[right]) + 1)))
    if tag := tags.get(pair.swapped().direction):
        examples.append(Example(right_read, left, tag, max(len(ids[right_read]) + EXTRA, len(ids[left]) + 1)))
    return examples


def copied(examples: Sequence[Example], ids: Sequence[Sequence[int]], rate: float, rng: random.Random) -> list[Example]:
    """Examples, of which some have their target as it is read for a source."""
    found = list(examples)
    for place, one in enumerate(examples):
        if rng.random() < rate:
            source = one.target + len(ids) // 2
            length = max(len(ids[source]) + EXTRA, len(ids[one.target]) + 1)
            found[place] = one._replace(source=source, length=length)
    return found


def cut(examples: list[Example], config: BatchingConfig, rng: random.Random) -> list[list[Example]]:
    """Sort by length, noise added, and cut where the padded size would exceed the budget; shuffle the batches."""
    rng.shuffle(examples)
    examples.sort(key=lambda one: one.length + config.bucket_noise * rng.random())
    batches: list[list[Example]] = []
    longest = 0
    for one in examples:
        longest = max(longest, one.length)
        if not batches or longest * (len(batches[-1]) + 1) > config.tokens:
            batches.append([])
            longest = one.length
        batches[-1].append(one)
    rng.shuffle(batches)
    return batches
