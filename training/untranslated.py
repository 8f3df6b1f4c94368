"""What a teacher is to translate: training text that people wrote, and text in one language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from data.clean import CorpusReport, to_text
from data.files import sha256
from data.monolingual import MonolingualConfig, files_of, fingerprint, read_monolingual
from data.selection import distinct_sources, references_of
from data.sources import DataConfig
from training.config import TeacherConfig
from training.telemetry import say


def texts_for(config: TeacherConfig, data: DataConfig, direction: str) -> Iterator[tuple[str, Sequence[str]]]:
    """What a teacher is to translate, each text once; where it chooses, beside what people made of it."""
    if config.translates != "monolingual" and config.choose == "closest":
        yield from references_of(data, direction).items()
    elif config.translates != "monolingual":
        yield from ((text, ()) for text in distinct_sources(data, direction))
    if config.translates != "training":
        yield from ((text, ()) for text in monolingual_texts(data, direction))


def monolingual_texts(data: DataConfig, direction: str) -> Iterator[str]:
    """The monolingual texts in a direction's source language that the training text lacks; tells what is left out."""
    files, reports = monolingual_files(data, direction), list[CorpusReport]()
    seen = {fingerprint(text) for text in distinct_sources(data, direction)} if files else set()
    for one in files:
        reports.append(CorpusReport(str(one.path)))
        yield from read_monolingual(one, data.root, data.dev.values(), seen, reports[-1])
    if reports:
        say(to_text(reports).rstrip())


def monolingual_files(data: DataConfig, direction: str) -> list[MonolingualConfig]:
    """Those in a direction's source language."""
    language, _ = direction.split("-")
    return [one for one in data.monolingual if one.language == language]


def monolingual_sums(data: DataConfig, direction: str, config: TeacherConfig) -> list[dict[str, Any]]:
    """What a direction's monolingual text depends on beside the training text, if a teacher translates any."""
    if config.translates == "training":
        return []
    files = [file for one in monolingual_files(data, direction) for file in files_of(one, data.root)]
    dev = [file for corpus in data.dev.values() for file in corpus.files(data.root)] if files else []
    return [{file.name: sha256(file)} for file in (*files, *dev)]
