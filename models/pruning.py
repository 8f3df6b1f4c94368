"""Feed-forward units taken out of a network.

A rectified unit that never fires adds nothing, whatever its weights; without it the network says the same (network
trimming, Hu et al. 2016).

Legend: F units of a feed-forward part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from data.config import check
from models.bundle import SCALE
from models.config import ModelConfig
from models.recurrent import FeedForward
from models.seq2seq import Seq2Seq

STACKS = ("encoder", "decoder")
STEP = 16  # units that the compiled engine multiplies with at once


class Units(NamedTuple):
    """Feed-forward units of each block of the encoder and of the decoder."""

    encoder: int
    decoder: int

    def of(self, name: str) -> int:
        """Those of a feed-forward part."""
        return self.encoder if name.startswith("encoder.") else self.decoder

    def rounded_up(self) -> Units:
        """As many as the compiled engine takes, or some more."""
        return Units(*(-(-count // STEP) * STEP for count in self))


def units_of(config: ModelConfig) -> Units:
    """Those that a network has."""
    return Units(config.encoder.feed_forward, config.decoder.feed_forward)


def feed_forwards(network: Seq2Seq) -> dict[str, FeedForward]:
    """A network's feed-forward parts, by their names."""
    return {name: part for name, part in network.named_modules() if isinstance(part, FeedForward)}


def smaller(config: ModelConfig, units: Units) -> ModelConfig:
    """A configuration with fewer feed-forward units.

    Raises:
        UserError: when it has fewer already.
    """
    for stack, count, most in zip(STACKS, units, units_of(config), strict=True):
        check(0 <= count <= most, f"--{stack}-units must be from 0 to the {most:,} that the bundle has, but is {count}")
    encoder = dataclasses.replace(config.encoder, feed_forward=units.encoder)
    return dataclasses.replace(
        config, encoder=encoder, decoder=dataclasses.replace(config.decoder, feed_forward=units.decoder)
    )


def keep(stored: Mapping[str, Tensor], worth: Mapping[str, Tensor], units: Units) -> dict[str, Tensor]:
    """A bundle's tensors with the units of the highest worth alone, as they are stored: nothing is rounded anew.

    Args:
        stored: all tensors by their names in the bundle.
        worth: of each unit [F], by the name of its feed-forward part.
        units: how many each part keeps; a part without any is left out with its normalisation.
    """
    tensors = dict(stored)
    for name, worth_F in worth.items():
        count = units.of(name)
        kept_F = worth_F.argsort(descending=True, stable=True)[:count].sort().values
        expand, contract = f"{name}.expand", f"{name}.contract"
        for part in (f"{expand}.weight", f"{expand}.weight{SCALE}", f"{expand}.bias"):
            if part in tensors:
                tensors[part] = tensors[part][kept_F].contiguous()
        tensors[f"{contract}.weight"] = tensors[f"{contract}.weight"][:, kept_F].contiguous()
        if not count:
            tensors = {part: tensor for part, tensor in tensors.items() if not part.startswith(f"{name}.")}
    return tensors


def shrink(network: Seq2Seq, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """A trained network's weights without the feed-forward units for which another network has no room.

    Those stay whose weights from the input and to the output are longest, multiplied: units that never fire stay short.

    Args:
        network: the other one.
        weights: the trained one's.
    Returns:
        Weights by name, and the names of the parts that lost units.
    """
    units, worth = units_of(network.config), dict[str, Tensor]()
    for expand, weight_FD in weights.items():
        name, dot, rest = expand.rpartition(".expand.weight")
        if dot and not rest and len(weight_FD) > units.of(name):
            worth[name] = weight_FD.norm(dim=1) * weights[f"{name}.contract.weight"].norm(dim=0)
    return keep(weights, worth, units), sorted(worth)
