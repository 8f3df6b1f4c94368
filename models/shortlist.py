"""Lexical shortlists: the few words that a source id is ever translated with; NumPy alone, so serving needs no torch.

A network then computes the probabilities of a sentence's candidates alone, some hundreds instead of all of its
vocabulary (Schwenk et al. 2007; Jean et al. 2015; L'Hostis et al. 2016).

Legend: V source ids, N entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from data.config import check
from data.errors import UserError
from data.files import flush

Array: TypeAlias = NDArray[Any]


class Shortlist(NamedTuple):
    """For source id i, the target ids word_N[start_V[i] : start_V[i + 1]], ascending."""

    start_V: Array  # int32, and one more than there are ids
    word_N: Array  # int32

    def words(self, source: Sequence[int]) -> Array:
        """The target ids that a source may be translated with, ascending; the end may be missing."""
        return numpy.unique(numpy.concatenate([self.word_N[self.start_V[i] : self.start_V[i + 1]] for i in source]))


def read_shortlist(path: Path, vocabulary: int) -> Shortlist:
    """A shortlist's file.

    Raises:
        UserError: when it cannot be read, or is not one for so many ids.
    """
    try:
        found = Shortlist(*map(load_file(path).__getitem__, Shortlist._fields))
    except (OSError, SafetensorError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}; make it again with mt shortlist") from None
    start_V, word_N = found
    fits = all(part.dtype == numpy.int32 and part.ndim == 1 for part in found) and len(start_V) == vocabulary + 1
    fits = fits and start_V[0] == 0 and start_V[-1] == len(word_N) and bool((start_V[:-1] <= start_V[1:]).all())
    fits = fits and bool(((word_N >= 0) & (word_N < vocabulary)).all())
    check(fits, f"{path} is no shortlist for {vocabulary} pieces: make it again with mt shortlist")
    return found


def write_shortlist(path: Path, shortlist: Shortlist) -> None:
    """Write a shortlist's file, and all of it."""
    path.write_bytes(save(shortlist._asdict()))  # save_file would bar all other users
    flush(path)
