"""What the scheduler and an engine say to each other: ids only, never text; and this module needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from models.hypotheses import Hypothesis, SearchOptions


class Job(NamedTuple):
    """One sentence to translate."""

    source: tuple[int, ...]  # tag, pieces, eos; never empty
    search: SearchOptions
    prefix: tuple[int, ...] = ()  # ids that every hypothesis begins with; with eos at its end, it is only scored


class Engine(Protocol):
    """Searches for many sentences at once; they join and leave between steps.

    What a sentence gives must not depend on those that share the batch. Only one thread calls an engine.
    """

    description: str  # of what computes, and in which numbers
    pads: bool  # whether sentences of similar length should join together

    def admit(self, jobs: Mapping[int, Job]) -> None:
        """Let sentences join at the next step, under keys that are not in use."""

    def step(self) -> Mapping[int, Sequence[Hypothesis]]:
        """Advance every sentence by a token, or a few that take no time worth mentioning; return the n-best lists of
        those that end, best first."""

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences that nobody waits for; unknown keys are ignored."""

    def __len__(self) -> int:
        """Sentences under way."""

    @property
    def rows(self) -> int:
        """Hypotheses under way: a beam for each sentence."""


@dataclass(frozen=True)
class Limits:
    """How much runs and waits at once."""

    rows: int = 256  # hypotheses in an engine: a beam for each sentence
    tokens: int = 16_384  # source tokens in an engine
    queue: int = 4096  # sentences waiting
    patience: float = 0.05  # seconds between two times that sentences join a well-filled batch
    age: float = 0.5  # seconds after which a sentence no longer waits for others of its length


class OverloadError(Exception):
    """The server cannot take or finish a request now; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFullError(OverloadError):
    """As many sentences wait as may."""


class DrainingError(OverloadError):
    """The server is about to stop and takes nothing new."""


class DeadlineError(Exception):
    """The time a request may take is over."""


class EngineError(Exception):
    """The engine failed in a step; the sentences in it are lost, later ones are not."""
