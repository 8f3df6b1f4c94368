"""An engine that says what it reads, backwards, so that tests see what became of symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.bundle import Bundle, read_bundle
from models.hypotheses import Hypothesis
from mt_service.engine.interface import Job


class Backwards:
    """Says the words of its source from the last to the first; its best hypothesis lacks all symbols."""

    description = "backwards"
    pads = True

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.tokenizer = bundle, bundle.tokenizer
        self.jobs: dict[int, Job] = {}
        self.read: list[tuple[str, str]] = []  # sources, and targets that were given

    def admit(self, jobs: Mapping[int, Job]) -> None:
        self.jobs.update(jobs)

    def step(self) -> dict[int, list[Hypothesis]]:
        found = {key: [self.hypothesis(text, job) for text in self.texts(job)] for key, job in self.jobs.items()}
        self.jobs.clear()
        return found

    def texts(self, job: Job) -> list[str]:
        words = self.tokenizer.decode(job.source[1:]).split()[::-1]
        self.read.append((" ".join(words[::-1]), self.tokenizer.decode(job.prefix)))
        bare = [word for word in words if word not in self.tokenizer.placeholders]
        return [" ".join(bare), " ".join(words)][: job.search.n_best]

    def hypothesis(self, text: str, job: Job) -> Hypothesis:
        tokens = tuple(self.tokenizer.encode(text))
        weight = 1.0 / len(job.source)
        rows = ((weight,) * len(job.source),) * (len(tokens) + 1)
        return Hypothesis(tokens, -1.0, -1.0, rows if job.search.alignments else None)

    def drop(self, keys: Iterable[int]) -> None:
        for key in keys:
            self.jobs.pop(key, None)

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def rows(self) -> int:
        return len(self.jobs)


def both_ways(golden: Path, placeholders: bool) -> Bundle:
    """The golden bundle, said to translate back as well, and to carry its two symbols over or not."""
    made = read_bundle(golden)
    info = dataclasses.replace(made.info, placeholders=placeholders, directions=("aa-bb", "bb-aa"))
    return dataclasses.replace(made, config=dataclasses.replace(made.config, info=info))
