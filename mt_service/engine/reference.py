"""The engine in plain torch: simple, for every network and device, and the oracle of faster ones."""

from __future__ import annotations

from models.search import BeamSearch, Specials
from models.seq2seq import Seq2Seq
from mt_service.engine.grouped import GroupedEngine


class ReferenceEngine(GroupedEngine):
    """The network as it is.

    Args:
        network: any, on any device.
        specials: ids that are treated apart.
    """

    def __init__(self, network: Seq2Seq, specials: Specials) -> None:
        weight = network.output_weight
        numbers = str(weight.dtype).removeprefix("torch.")
        super().__init__(lambda options: BeamSearch(network, options, specials), f"{numbers} on {weight.device.type}")
