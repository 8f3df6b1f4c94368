"""The engine in plain torch: simple, and the oracle of faster ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from models.search import BeamSearch, Hypothesis, SearchOptions, Specials
from models.seq2seq import Seq2Seq
from mt_service.engine.interface import Job

SPREAD = 8  # source lengths that differ by more are encoded apart, so that little is padding


def options_of(job: Job) -> SearchOptions:
    """The search that a job asks for.

    Raises:
        UserError: for options that make no sense.
    """
    return SearchOptions(job.beam, job.n_best, job.length_penalty, max_length=job.max_length, alignments=job.alignments)


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

    def __len__(self) -> int:
        """Sentences under way."""
        return sum(map(len, self.searches.values()))

    @property
    def rows(self) -> int:
        """Hypotheses under way."""
        return sum(len(search) * options.beam for options, search in self.searches.items())

    def admit(self, jobs: Mapping[int, Job]) -> None:
        """Encode sentences and let them join the search with their options."""
        searches: dict[SearchOptions, dict[int, Job]] = {}
        for key, job in jobs.items():
            searches.setdefault(options_of(job), {})[key] = job
        for options, members in searches.items():
            search = self.searches.setdefault(options, BeamSearch(self.network, options, self.specials))
            for keys in by_length(members):
                search.add(keys, [members[key].source for key in keys])

    def step(self) -> dict[int, list[Hypothesis]]:
        """Advance every search by one token."""
        results: dict[int, list[Hypothesis]] = {}
        for options, search in list(self.searches.items()):
            results.update(cast(dict[int, list[Hypothesis]], search.step()))
            if not len(search):
                del self.searches[options]
        return results

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences in whichever search they are."""
        unwanted = list(keys)
        if unwanted:
            for search in self.searches.values():
                search.drop(unwanted)
