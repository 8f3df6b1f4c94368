"""What engines share: sentences with the same options are searched for together, one group after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from models.hypotheses import Hypothesis, SearchOptions
from mt_service.engine.interface import Job

SPREAD = 8  # source lengths that differ by more are encoded apart, so that little is padding


class Steps(Protocol):
    """A search for sentences that leave between steps."""

    def step(self) -> Mapping[Any, list[Hypothesis]]:
        """Advance all by one word; return the n-best lists of those that end."""

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences."""

    def __len__(self) -> int:
        """Sentences under way."""


class Search(Steps, Protocol):
    """One that sentences join by their ids, such as models.search.BeamSearch."""

    def add(self, keys: Sequence[int], sources: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]]) -> None:
        """Let sentences join, each with the ids that its hypotheses begin with."""


S = TypeVar("S", bound=Steps)


def by_length(jobs: Mapping[int, Job]) -> list[list[int]]:
    """Keys in groups of similar source length."""
    groups: list[list[int]] = []
    for key in sorted(jobs, key=lambda key: len(jobs[key].source)):
        if not groups or len(jobs[key].source) - len(jobs[groups[-1][0]].source) > SPREAD:
            groups.append([])
        groups[-1].append(key)
    return groups


def by_options(
    jobs: Mapping[int, Job], group_of: Callable[[SearchOptions], SearchOptions]
) -> dict[SearchOptions, dict[int, Job]]:
    """Jobs by what their searches have in common."""
    groups: dict[SearchOptions, dict[int, Job]] = {}
    for key, job in jobs.items():
        groups.setdefault(group_of(job.search), {})[key] = job
    return groups


class Groups(Generic[S]):
    """One search per set of options; all advance in turn.

    Args:
        description: of what computes, and in which numbers.
        pads: whether sentences of similar length should join together.
    """

    def __init__(self, description: str, pads: bool = True) -> None:
        self.description, self.pads = description, pads
        self.searches: dict[SearchOptions, S] = {}

    def make_search(self, options: SearchOptions) -> S:
        """An empty search with some options."""
        raise NotImplementedError

    def search_for(self, options: SearchOptions) -> S:
        """The search with some options, which is made if there is none."""
        if options not in self.searches:
            self.searches[options] = self.make_search(options)
        return self.searches[options]

    def __len__(self) -> int:
        """Sentences under way."""
        return sum(map(len, self.searches.values()))

    @property
    def rows(self) -> int:
        """Hypotheses under way: a beam for each sentence."""
        return sum(len(search) * options.beam for options, search in self.searches.items())

    def step(self) -> dict[int, list[Hypothesis]]:
        """Advance every search by one word."""
        results: dict[int, list[Hypothesis]] = {}
        for search in self.searches.values():
            results.update(search.step())
        self.forget_empty()
        return results

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences in whichever search they are."""
        unwanted = list(keys)
        if unwanted:
            for search in self.searches.values():
                search.drop(unwanted)
            self.forget_empty()

    def forget_empty(self) -> None:
        """Let searches go that nobody is in."""
        for options in [options for options, search in self.searches.items() if not len(search)]:
            del self.searches[options]


class GroupedEngine(Groups[Search]):
    """An engine of such searches."""

    def admit(self, jobs: Mapping[int, Job]) -> None:
        """Encode sentences and let them join the search with their options."""
        for options, members in by_options(jobs, lambda options: options).items():
            search = self.search_for(options)
            for keys in by_length(members) if self.pads else [list(members)]:
                jobs_of_keys = [members[key] for key in keys]
                search.add(keys, [job.source for job in jobs_of_keys], [job.prefix for job in jobs_of_keys])
