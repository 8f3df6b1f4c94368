"""The compiled engine: encoding, steps and search in C, for sentences that join and leave between steps."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy

from models.bundle import Bundle
from models.hypotheses import Hypothesis, SearchOptions
from mt_service.engine.grouped import GroupedEngine, Search
from mt_service.engine.native.build import library
from mt_service.engine.native.pack import pack
from mt_service.engine.native.structures import Kept, Options

Ids: TypeAlias = Sequence[int]
Array: TypeAlias = "ctypes.Array[ctypes.c_int32]"
SLICE = 0.001  # seconds that nobody need join or leave in; for a lone sentence, steps are shorter than what Python adds


class NativeSearch:
    """A search for sentences that share their options; what models.search.BeamSearch does."""

    def __init__(self, engine: int, options: SearchOptions) -> None:
        self.library, self.options = library(), options
        chosen = Options(options.beam, options.n_best, options.alignments, options.length_penalty)
        self.handle = self.library.mt_open_search(engine, ctypes.byref(chosen))
        if not self.handle:
            raise MemoryError("no memory for a search")
        weakref.finalize(self, self.library.mt_close_search, self.handle).atexit = False  # a thread may still search
        self.sources: dict[int, tuple[int, int]] = {}  # lengths of each sentence's source and prefix
        self.places: Array = (ctypes.c_int32 * 0)()  # this and what follows is written to in C, again and again
        self.words: Array = (ctypes.c_int32 * 0)()
        self.key, self.complete, self.scores = ctypes.c_int64(), ctypes.c_int32(), (ctypes.c_float * 2)()

    def __len__(self) -> int:
        """Sentences under way."""
        return len(self.sources)

    def add(self, keys: Sequence[int], sources: Sequence[Ids], prefixes: Sequence[Ids]) -> None:
        """Encode sentences and let them join."""
        lengths, given = list(map(len, sources)), list(map(len, prefixes))
        limits = [self.options.limit(length, begun) for length, begun in zip(lengths, given, strict=True)]
        arrays = (
            numpy.array(keys, numpy.int64),
            one_after_another(sources),
            numpy.array(lengths, numpy.int32),
            numpy.array(limits, numpy.int32),
            numpy.array([self.options.rewarded(length) for length in lengths], numpy.int32),
            one_after_another(prefixes),
            numpy.array(given, numpy.int32),
        )
        if not self.library.mt_add(self.handle, len(keys), *(array.ctypes.data for array in arrays)):
            raise MemoryError(f"no memory for {len(keys)} more sentences")
        self.sources.update(zip(keys, zip(lengths, given, strict=True), strict=True))

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences."""
        unwanted = [key for key in keys if self.sources.pop(key, None) is not None]
        array = numpy.array(unwanted, numpy.int64)
        self.library.mt_drop(self.handle, len(unwanted), array.ctypes.data)

    def step(self) -> dict[int, list[Hypothesis]]:
        """Advance all by one word, or by a few within `SLICE`; return the n-best lists of those that end."""
        self.places = with_room(self.places, len(self.sources))
        count = self.library.mt_step(self.handle, self.places, SLICE)
        if count < 0:
            raise MemoryError("no memory for a step")
        return dict(map(self.ended, self.places[:count]))

    def ended(self, place: int) -> tuple[int, list[Hypothesis]]:
        """A sentence that ended: its key and its n-best list, best first."""
        count = self.library.mt_ended(self.handle, place, ctypes.byref(self.key))
        key = self.key.value
        lengths = self.sources.pop(key)
        return key, [self.hypothesis(place, rank, *lengths) for rank in range(count)]

    def hypothesis(self, place: int, rank: int, source: int, given: int) -> Hypothesis:
        """One hypothesis."""
        most = self.options.limit(source, given) + 1
        self.words = words = with_room(self.words, most)
        weights: Any = numpy.empty((most, source), numpy.float32) if self.options.alignments else None
        count = self.library.mt_hypothesis(
            self.handle,
            place,
            rank,
            self.scores,
            ctypes.byref(self.complete),
            words,
            None if weights is None else weights.ctypes.data,
        )
        finished = bool(self.complete.value)
        alignment = None if weights is None else tuple(map(tuple, weights[: count + finished].tolist()))
        return Hypothesis(tuple(words[:count]), self.scores[0], self.scores[1], alignment, finished)


def with_room(array: Array, size: int) -> Array:
    """An array for so many numbers: the one that there is, if it will do."""
    return array if len(array) >= size else (ctypes.c_int32 * (2 * size))()


def one_after_another(rows: Sequence[Ids]) -> numpy.typing.NDArray[numpy.int32]:
    """All ids in one array."""
    return numpy.array(list(chain.from_iterable(rows)), numpy.int32)


class NativeEngine(GroupedEngine):
    """8-bit products in compiled code.

    Args:
        bundle: of a kind that `pack.fits` accepts.
        threads: that share each step.
    Raises:
        UserError: for a bundle whose tensors are not those of its architecture.
        UnavailableError: where nothing can be compiled.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        compiled, network = library(), pack(bundle)
        handle = compiled.mt_open_engine(ctypes.byref(network.structure), threads)
        if not handle:
            raise MemoryError("no memory for an engine")
        numbers = f"8-bit integers, compiled for {compiled.mt_instructions().decode()}, threads: {threads}"
        super().__init__(numbers, pads=False)
        self.handle: int = handle
        weakref.finalize(self, close, compiled, handle, self.searches, network).atexit = False  # as with searches

    def make_search(self, options: SearchOptions) -> NativeSearch:
        """An empty search with some options."""
        return NativeSearch(self.handle, options)


def close(compiled: ctypes.CDLL, engine: int, searches: dict[SearchOptions, Search], _network: Kept) -> None:
    """Let go of an engine, after its searches and before its network."""
    searches.clear()
    compiled.mt_close_engine(engine)
