"""What a bundle says of itself beside its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from data.config import check
from models.hypotheses import SearchOptions


@dataclass(frozen=True)
class Score:
    """A result with all that is needed to reproduce it."""

    set: str
    direction: str
    metric: str
    score: float
    signature: str  # sacreBLEU's
    beam: int
    length_penalty: float


@dataclass(frozen=True)
class BundleInfo:
    """Name, directions, search defaults, provenance and scores."""

    name: str
    languages: tuple[str, ...]
    directions: tuple[str, ...]  # spelled de-en
    beam: int = 5
    length_penalty: float = 1.0
    length_ratio: float = 0.0  # words per source word up to which a search rewards length; 0: any length
    placeholders: bool = False  # whether the network has learned to carry placeholder symbols over
    # per direction: the log-probability per word below which a translation is doubtful; none named, none is
    unsure_below: dict[str, float] = field(default_factory=dict)
    # per language: pieces a letter above which a text is hardly in it; none named, any text may be
    foreign_above: dict[str, float] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)  # recipe, data, versions, seed, code
    licence: str = ""  # of the model, as its data demand
    attribution: str = ""
    notes: tuple[str, ...] = ()  # known weaknesses and uses, a sentence each

    def __post_init__(self) -> None:
        check(self.name != "", "'name' is empty")
        check(self.name.isprintable(), f"'name' must be printable text, but is {self.name!a}")
        self.search(self.beam)  # refuses what no search can do
        for direction in self.directions:
            source, dash, target = direction.partition("-")
            known = dash and source in self.languages and target in self.languages
            check(bool(known), f"direction '{direction}' must be two of {', '.join(self.languages)}, like de-en")
        for field_name, offered in (("unsure_below", self.directions), ("foreign_above", self.languages)):
            for name in getattr(self, field_name):
                check(name in offered, f"'{field_name}' names '{name}'; offered: {', '.join(offered)}")

    def search(
        self, beam: int | None = None, n_best: int = 1, length_penalty: float | None = None, alignments: bool = False
    ) -> SearchOptions:
        """The search that is asked for; None takes the bundle's own.

        Raises:
            UserError: for options that make no sense.
        """
        return SearchOptions(
            beam=max(self.beam, n_best) if beam is None else beam,
            n_best=n_best,
            length_penalty=self.length_penalty if length_penalty is None else length_penalty,
            alignments=alignments,
            length_ratio=self.length_ratio,
        )
