"""A trained network's embeddings for another vocabulary: pieces that are new begin as the mean of what spelled them.

Legend: V pieces, D model width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from data.tokenizer import Tokenizer

TABLES = ("source_weight", "target_weight", "output_weight", "output_bias")  # have a row for each piece


def spellings(old: Tokenizer, new: Tokenizer) -> list[list[int]]:
    """For each piece of a new vocabulary, the ids of the old pieces that it is made of; its own, if it was there."""
    known = {piece: number for number, piece in enumerate(old.pieces(range(len(old))))}
    tags = [old.tag_id(language) for language in old.languages]
    asked = {new.tag_id(language) for language in new.languages}
    pieces = enumerate(new.pieces(range(len(new))))
    return [tags if i in asked and piece not in known else spelled(piece, known) for i, piece in pieces]


def spelled(piece: str, known: Mapping[str, int]) -> list[int]:
    """A piece in the longest known ones, from left to right; in bytes, where no other holds a character."""
    if piece in known:
        return [known[piece]]
    ids, position = list[int](), 0
    while position < len(piece):
        ends = (end for end in range(len(piece), position, -1) if piece[position:end] in known)
        end = next(ends, position)
        if end > position:
            ids.append(known[piece[position:end]])
        else:
            end = position + 1
            ids += [known[f"<0x{byte:02X}>"] for byte in piece[position].encode()]
        position = end
    return ids


@torch.no_grad()
def with_vocabulary(weights: Mapping[str, Tensor], old: Tokenizer, new: Tokenizer) -> dict[str, Tensor]:
    """A network's weights with embeddings and output layer for another vocabulary."""
    rows = spellings(old, new)

    def respelled(table_VD: Tensor) -> Tensor:
        return torch.stack([table_VD[ids].mean(0) for ids in rows])

    return {name: respelled(tensor) if name in TABLES else tensor for name, tensor in weights.items()}
