"""Subword regularisation whose randomness is passed in: the same generator gives the same pieces in every process.

SentencePiece samples too, but from a generator of its own that some of its versions seed differently in every
process; a resumed training would then see other data than an uninterrupted one.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise, repeat
from typing import NamedTuple

import sentencepiece

from data.normalize import SPACE_MARK

CACHED_WORDS = 200_000
N_BEST = 16
NEVER = -math.inf

SampleWord = Callable[[str, random.Random], Sequence[int]]


class Plain(NamedTuple):
    """A word's ids without sampling, and the places where its merges happened, one after the other."""

    ids: tuple[int, ...]
    merges: tuple[int, ...]


def sampler(processor: sentencepiece.SentencePieceProcessor, alpha: float) -> Callable[[str, random.Random], list[int]]:
    """Return a function that encodes a normalised text at random.

    For BPE, `alpha` is the probability that a merge is dropped (BPE-dropout, Provilkov et al. 2020). For unigram, it
    is the exponent that smooths the distribution over a word's 16 best segmentations (Kudo 2018): 0 is uniform.
    """
    word = bpe_dropout(processor, alpha) if is_bpe(processor) else unigram_sampling(processor, alpha)

    def encode(text: str, rng: random.Random) -> list[int]:
        ids: list[int] = []
        for part in text.split(" "):
            ids.extend(word(part, rng))
        return ids if text else []

    return encode


def is_bpe(processor: sentencepiece.SentencePieceProcessor) -> bool:
    """Whether the model's learned pieces carry merge ranks (0, -1, -2, ...) and not log-probabilities."""
    return all(processor.get_score(i).is_integer() for i in learned(processor))


def learned(processor: sentencepiece.SentencePieceProcessor) -> list[int]:
    """The ids of the pieces that stand for text and were learned."""
    special = (processor.is_control, processor.is_unknown, processor.is_byte, processor.is_unused)
    return [i for i in range(len(processor)) if not any(test(i) for test in special)]


def bpe_dropout(processor: sentencepiece.SentencePieceProcessor, alpha: float) -> SampleWord:
    """Encode one word by greedy merging in which every possible merge is dropped with probability `alpha`."""
    ids_of = {processor.id_to_piece(i): i for i in learned(processor)}
    scores = {piece: processor.get_score(i) for piece, i in ids_of.items()}
    bytes_of = [processor.piece_to_id(f"<0x{byte:02X}>") for byte in range(256)]
    log_keep = math.log1p(-alpha)

    def to_ids(symbols: Sequence[str]) -> list[int]:
        if all(symbol in ids_of for symbol in symbols):
            return [ids_of[symbol] for symbol in symbols]
        known = [[ids_of[s]] if s in ids_of else [bytes_of[byte] for byte in s.encode()] for s in symbols]
        return list(chain.from_iterable(known))

    @lru_cache(CACHED_WORDS)
    def plain(word: str) -> Plain:
        symbols = list(word)
        merges = merge(symbols, scores, repeat(False))
        return Plain(tuple(to_ids(symbols)), tuple(merges))

    def sample(word: str, rng: random.Random) -> Sequence[int]:
        word = SPACE_MARK + word
        ids, merges = plain(word)
        # Most words lose no merge: draw at once how many survive before the first is dropped.
        survive = int(math.log(1.0 - rng.random()) / log_keep)
        if survive >= len(merges):
            return ids
        symbols = list(word)
        for place in merges[:survive]:
            symbols[place] += symbols.pop(place + 1)
        merge(symbols, scores, chain([True], iter(lambda: rng.random() < alpha, None)))
        return to_ids(symbols)

    return sample


def merge(symbols: list[str], scores: dict[str, float], drops: Iterator[bool]) -> list[int]:
    """Merge neighbours in place until no merge is left, the best first, of equals the leftmost; return the places.

    Each time a merge is about to be taken, `drops` says whether the next best of that step must stand in for it.
    """
    places = []
    score_of = scores.get
    pairs = [score_of(left + right, NEVER) for left, right in pairwise(symbols)]
    while pairs:
        candidates = pairs
        while (score := max(candidates)) > NEVER and next(drops):
            candidates = candidates.copy()
            candidates[candidates.index(score)] = NEVER
        if score == NEVER:
            break
        best = candidates.index(score)
        merged = symbols[best] = symbols[best] + symbols.pop(best + 1)
        del pairs[best]
        if best:
            pairs[best - 1] = score_of(symbols[best - 1] + merged, NEVER)
        if best < len(pairs):
            pairs[best] = score_of(merged + symbols[best + 1], NEVER)
        places.append(best)
    return places


def unigram_sampling(processor: sentencepiece.SentencePieceProcessor, alpha: float) -> SampleWord:
    """Draw one of a word's best segmentations with probability proportional to p ** alpha."""

    @lru_cache(CACHED_WORDS)
    def choices(word: str) -> tuple[list[list[int]], list[float]]:
        segmentations = processor.nbest_encode(word, nbest_size=N_BEST, out_type=int)
        scores = [sum(processor.get_score(i) for i in ids) for ids in segmentations]
        weights = [math.exp(alpha * (score - max(scores))) for score in scores]
        return segmentations, [part / sum(weights) for part in accumulate(weights)]

    def sample(word: str, rng: random.Random) -> Sequence[int]:
        segmentations, cumulative = choices(word)
        return segmentations[bisect(cumulative, rng.random(), hi=len(cumulative) - 1)]

    return sample
