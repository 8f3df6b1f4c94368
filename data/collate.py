"""Lists of ids to padded tensors. Shapes: B sentences, S source positions, T target positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from data.tokenizer import BOS, EOS, PAD


class Batch(NamedTuple):
    """Padded ids (int64) of B sentence pairs; T counts the pieces and eos (or bos).

    `pairs` are 1-based line numbers in the prepared data, counted through all shards in order.
    """

    source_BS: Tensor
    source_length_B: Tensor
    target_input_BT: Tensor
    target_output_BT: Tensor
    target_length_B: Tensor
    pairs: tuple[int, ...]


def collate(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], pad: int = PAD, pairs: Sequence[int] = ()
) -> Batch:
    """Pad on the right. Sources stand as `[tag] + pieces + [eos]`; bos and eos are added to targets here."""
    return Batch(
        source_BS=padded(sources, pad),
        source_length_B=torch.tensor([len(ids) for ids in sources]),
        target_input_BT=padded([[BOS, *ids] for ids in targets], pad),
        target_output_BT=padded([[*ids, EOS] for ids in targets], pad),
        target_length_B=torch.tensor([len(ids) + 1 for ids in targets]),
        pairs=tuple(pairs),
    )


def padded(rows: Sequence[Sequence[int]], pad: int) -> Tensor:
    """Rows of different lengths as one int64 matrix."""
    matrix = np.full((len(rows), max(map(len, rows))), pad, dtype=np.int64)
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return torch.from_numpy(matrix)
