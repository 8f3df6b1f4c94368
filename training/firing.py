"""Which feed-forward units of a network fire, and how strongly.

Legend: P positions, F units of a feed-forward part.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from data.lexicon import Pair
from models.pruning import feed_forwards
from models.seq2seq import Seq2Seq


class Firing(NamedTuple):
    """What the units of a part did over some text."""

    positions: int
    times_F: Tensor  # at how many positions each fired
    square_F: Tensor  # sum of its squared activations

    def plus(self, other: Firing) -> Firing:
        """Over more text."""
        return Firing(self.positions + other.positions, self.times_F + other.times_F, self.square_F + other.square_F)


@torch.inference_mode()
def firing(network: Seq2Seq, pairs: Sequence[Pair], bos: int) -> dict[str, Firing]:
    """Watch rectified units over some pairs, one at a time so that no padding counts; by the name of their part.

    Args:
        network: in evaluation mode.
        pairs: ids of a source, and of its translation with the end.
        bos: the id before the first one.
    """
    found = dict[str, Firing]()

    def watch(name: str) -> Any:
        def add(_module: nn.Module, _inputs: Any, sum_XF: Tensor) -> None:
            active_PF = torch.relu(sum_XF).double().flatten(0, -2)
            now = Firing(len(active_PF), (active_PF > 0).sum(0), active_PF.square().sum(0))
            found[name] = found[name].plus(now) if name in found else now

        return add

    hooks = [part.expand.register_forward_hook(watch(name)) for name, part in feed_forwards(network).items()]
    for source, target in tqdm(pairs, unit="pair", file=sys.stderr) if hooks else ():
        network(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[bos, *target[:-1]]]))
    for hook in hooks:
        hook.remove()
    return found
