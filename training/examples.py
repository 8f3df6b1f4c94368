"""Sentences with references, as an export is tuned and measured on: dev sets and test sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.config import check
from data.corpus import all_lines
from data.prepare import Pair, Prepared
from training.evaluation import bleu_for


class Example(NamedTuple):
    """Sentences of one set in one direction."""

    name: str
    direction: str
    sources: list[str]
    references: list[str]

    @property
    def target(self) -> str:
        """The language that is translated to."""
        return self.direction.partition("-")[2]


def dev_examples(prepared: Prepared) -> list[Example]:
    """Every dev set in every direction."""
    groups: dict[tuple[str, str], list[Pair]] = {}
    for name, pairs in prepared.dev.items():
        for pair in pairs:
            groups.setdefault((f"{name} dev", pair.direction), []).append(pair)
    return [
        Example(name, direction, [pair.source for pair in pairs], [pair.target for pair in pairs])
        for (name, direction), pairs in groups.items()
    ]


def read_test_set(text: str, directions: Sequence[str]) -> Example:
    """A test set from `NAME=SOURCE,TARGET,de-en`, in one of some directions."""
    name, _, rest = text.partition("=")
    parts = rest.split(",")
    check(bool(name) and len(parts) == 3, f"--test {text}: expected NAME=SOURCE,TARGET,de-en")
    files = [Path(part) for part in parts[:2]]
    for path in files:
        check(path.is_file(), f"--test {text}: there is no file {path}")
    offered = ", ".join(directions)
    check(parts[2] in directions, f"--test {text}: {parts[2]} is no direction that is trained; there are: {offered}")
    sources, references = map(all_lines, files)
    check(bool(sources or references), f"--test {text}: {files[0]} is empty: there is nothing to score")
    check(
        len(sources) == len(references),
        f"--test {text}: {files[0]} has {len(sources)} lines, but {files[1]} has {len(references)}",
    )
    return Example(name, parts[2], sources, references)


def first(example: Example, count: int) -> Example:
    """The first sentences of an example."""
    return example._replace(sources=example.sources[:count], references=example.references[:count])


def bleu(found: Sequence[str], example: Example) -> float:
    """BLEU of translations."""
    return float(bleu_for(example.target).corpus_score(list(found), [example.references]).score)
