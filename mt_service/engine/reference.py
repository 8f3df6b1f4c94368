"""The engine in plain torch: simple, for every network and device, and the oracle of faster ones."""

from __future__ import annotations

from models.hypotheses import SearchOptions, Specials
from models.search import BeamSearch
from models.seq2seq import Seq2Seq
from models.shortlist import Shortlist
from mt_service.engine.grouped import GroupedEngine


class ReferenceEngine(GroupedEngine):
    """The network as it is.

    Args:
        network: any, on any device.
        specials: ids that are treated apart.
        shortlist: of the words that each source may be translated with; None allows all.
    """

    def __init__(self, network: Seq2Seq, specials: Specials, shortlist: Shortlist | None = None) -> None:
        weight = network.output_weight
        numbers = str(weight.dtype).removeprefix("torch.")
        super().__init__(f"{numbers} on {weight.device.type}")
        self.network, self.specials, self.shortlist = network, specials, shortlist

    def make_search(self, options: SearchOptions) -> BeamSearch:
        """An empty search with some options."""
        return BeamSearch(self.network, options, self.specials, self.shortlist)
