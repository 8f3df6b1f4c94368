"""The engine in plain torch: simple, and the oracle of faster ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from models.search import BeamSearch, Hypothesis, SearchOptions, Specials
from models.seq2seq import Seq2Seq
from mt_service.engine.interface import Job

SPREAD = 8  # source lengths that differ by more are encoded apart, so that little is padding


def by_length(jobs: Mapping[int, Job]) -> list[list[int]]:
    """Keys in groups of similar source length."""
    groups: list[list[int]] = []
    for key in sorted(jobs, key=lambda key: len(jobs[key].source)):
        if not groups or len(jobs[key].source) - len(jobs[groups[-1][0]].source) > SPREAD:
            groups.append([])
        groups[-1].append(key)
    return groups


class ReferenceEngine:
    """One search per set of options; all advance in turn."""

    def __init__(self, network: Seq2Seq, specials: Specials) -> None:
        self.network, self.specials = network, specials
        self.searches: dict[SearchOptions, BeamSearch] = {}

    def admit(self, jobs: Mapping[int, Job]) -> None:
        """Encode sentences and let them join the search with their options."""
        for keys in by_length(jobs):
            groups: dict[SearchOptions, list[int]] = {}
            for key in keys:
                job = jobs[key]
                options = SearchOptions(job.beam, job.n_best, job.length_penalty, alignments=job.alignments)
                groups.setdefault(options, []).append(key)
            for options, members in groups.items():
                search = self.searches.setdefault(options, BeamSearch(self.network, options, self.specials))
                search.add(members, [jobs[key].source for key in members])

    def step(self) -> dict[int, Sequence[Hypothesis]]:
        """Advance every search by one word."""
        results: dict[int, Sequence[Hypothesis]] = {}
        for options, search in list(self.searches.items()):
            results.update({int(str(key)): found for key, found in search.step().items()})
            if not len(search):
                del self.searches[options]
        return results

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences in whichever search they are."""
        listed = list(keys)
        for search in self.searches.values():
            search.drop(listed)
