"""What a training learns from: corpora, directions, rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from data.clean import CleanConfig
from data.config import check
from data.corpus import CorpusConfig
from data.errors import UserError
from data.monolingual import MonolingualConfig
from data.tokenizer import TokenizerConfig

LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z0-9]+)*")
DEV_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class TrainCorpusConfig(CorpusConfig):
    """A corpus to train on; `hold_out` of its pairs, chosen by their text alone, go to the dev set `hold_out_name`.

    No pair that shares either side's text with a held-out one stays in the training data. `synthetic` says that one
    side was made by a model: nothing is held out of such text, and the vocabulary is not learned from it, since it is
    poorer in words than what people write (Vanmassenhove et al. 2019) and repeats its other side. `repeat` trains on
    each pair, and learns the vocabulary from it, as if it stood there so often: a small corpus then counts for more.
    """

    hold_out: int = 0
    hold_out_name: str = "held-out"
    synthetic: bool = False
    repeat: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.hold_out >= 0, f"hold_out must be 0 or more, but is {self.hold_out}")
        check(self.repeat >= 1, f"repeat must be 1 or more, but is {self.repeat}")
        check(
            not (self.hold_out and self.synthetic), "hold_out of a synthetic corpus must be 0: nobody wrote its pairs"
        )


@dataclass(frozen=True)
class DataConfig:
    """What a training learns from. Relative corpus paths start at `root`; directions are spelled `de-en`."""

    languages: tuple[str, ...]
    directions: tuple[str, ...]
    train: tuple[TrainCorpusConfig, ...]
    root: Path = Path()
    dev: dict[str, CorpusConfig] = field(default_factory=dict)
    monolingual: tuple[MonolingualConfig, ...] = ()  # for teachers to translate beside the training text
    # lists of names: each may stand wherever another one of its list does that is a single capitalised word
    names: tuple[CorpusConfig, ...] = ()
    clean: CleanConfig = field(default_factory=CleanConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    shard_pairs: int = 200_000

    def __post_init__(self) -> None:
        for language in self.languages:
            check(LANGUAGE.fullmatch(language) is not None, f"language '{language}' must look like de or zh_Hant")
        for name in ("languages", "directions"):
            values = getattr(self, name)
            check(len(values) > 0, f"{name} is empty")
            check(len(set(values)) == len(values), f"{name} names one twice: {', '.join(values)}")
        check(len(self.train) > 0, "train is empty: name at least one corpus")
        real = not all(corpus.synthetic for corpus in self.train)
        check(real, "every train corpus is synthetic: name one that people wrote, to learn the vocabulary from")
        check(self.shard_pairs >= 1, f"shard_pairs must be 1 or more, but is {self.shard_pairs}")
        for one in self.monolingual:
            known = one.language in self.languages
            check(known, f"the language of {one.path} must be one of {', '.join(self.languages)}, not '{one.language}'")
        self._check_dev_names()
        self._check_directions()

    @property
    def corpora(self) -> tuple[CorpusConfig, ...]:
        """All that is parallel: corpora to train on, dev sets, lists of names."""
        return (*self.train, *self.dev.values(), *self.names)

    def _check_dev_names(self) -> None:
        held_out = {corpus.hold_out_name for corpus in self.train if corpus.hold_out}
        for name in (*self.dev, *held_out):
            check(DEV_NAME.fullmatch(name) is not None, f"dev set name '{name}' must be letters, digits, '_', '.', '-'")
        for name in held_out & self.dev.keys():
            raise UserError(f"dev set '{name}' is a file already: choose another hold_out_name")

    def _check_directions(self) -> None:
        wanted = []
        for direction in self.directions:
            pair = set(direction.split("-"))
            known = direction.count("-") == 1 and len(pair) == 2 and pair <= set(self.languages)
            check(
                known, f"direction '{direction}' must be two of the languages {', '.join(self.languages)}, like de-en"
            )
            served = any(set(corpus.languages) == pair for corpus in self.train)
            check(served, f"no train corpus has both languages of the direction '{direction}'")
            wanted.append(pair)
        for corpus in self.corpora:
            languages = "-".join(corpus.languages)
            serves = set(corpus.languages) in wanted
            check(serves, f"corpus {corpus.source} is {languages}, which serves none of {', '.join(self.directions)}")
