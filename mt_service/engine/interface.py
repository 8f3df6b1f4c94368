"""What the scheduler and an engine say to each other: ids only, never text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Job(NamedTuple):
    """One sentence to translate."""

    source: tuple[int, ...]  # tag, pieces, eos
    beam: int = 5
    n_best: int = 1
    length_penalty: float = 1.0
    alignments: bool = False


class Engine(Protocol):
    """Searches for many sentences at once; they join and leave between steps."""

    def admit(self, jobs: Mapping[int, Job]) -> None:
        """Let sentences join at the next step."""

    def step(self) -> Mapping[int, Sequence[Any]]:
        """Advance every sentence by one word; return the n-best lists of those that end."""

    def drop(self, keys: Iterable[int]) -> None:
        """Stop sentences that nobody waits for."""


@dataclass(frozen=True)
class Limits:
    """How much runs and waits at once."""

    rows: int = 256  # hypotheses in an engine: sentences times beam
    queue: int = 4096  # sentences waiting
    patience: float = 0.05  # seconds that a sentence waits for others to join with


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
