"""What can be asked of a translator, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from data.glossary import Glossary
from mt_service.alignment import Alignment
from mt_service.excerpts import named

FOREIGN = "in a language that the model does not read, as it seems"


@dataclass(frozen=True)
class Options:
    """How to translate; None takes the bundle's own default."""

    source: str
    target: str
    beam: int | None = None
    n_best: int = 1
    length_penalty: float | None = None
    alignments: bool = False
    split: bool = True  # into sentences
    glossary: Glossary | None = None  # whose terms come before those of the translator's own

    @property
    def direction(self) -> str:
        """Spelled de-en."""
        return f"{self.source}-{self.target}"


class Alternative(NamedTuple):
    """One of the n best translations of a text."""

    text: str
    score: float


class Translation(NamedTuple):
    """A translated text."""

    text: str
    score: float  # length-normalised log-probability; the mean over sentences
    alternatives: list[Alternative]  # the n best, the translation itself first
    alignment: Alignment | None
    tokens: int  # of the translation, an end of sentence counted for each
    sentences: int  # that were searched for
    warnings: list[str]
    doubtful: Sequence[str] = ()  # sentences of the text that the network is unsure of
    foreign: Sequence[str] = ()  # texts that seem to be in none of the network's languages

    @property
    def remarks(self) -> list[str]:
        """All that is to be said of it."""
        told = {FOREIGN: self.foreign, "the model is unsure of": self.doubtful}
        return [*self.warnings, *(f"{what}: {named(which)}" for what, which in told.items() if which)]
