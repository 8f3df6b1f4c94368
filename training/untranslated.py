"""What a teacher is to translate: training text that people wrote, and text in one language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from data.clean import CorpusReport, to_text
from data.files import sha256
from data.languages import languages_of
from data.monolingual import MonolingualConfig, files_of, fingerprint, read_monolingual, scored_in
from data.selection import distinct_sources, real_texts_in, references_of
from data.sources import DataConfig
from training.config import TeacherConfig
from training.telemetry import say


def texts_for(config: TeacherConfig, data: DataConfig, direction: str) -> Iterator[tuple[str, Sequence[str]]]:
    """What a teacher is to translate, each text once; where it chooses, beside what people made of it."""
    files, training = monolingual_files(config, data, direction), config.translates != "monolingual"
    if training:
        yield from written(config, data, direction)
    if files:
        seen = set(map(fingerprint, real_texts_in(data, files[0].language)))
        yield from ((text, ()) for text in monolingual_texts(files, data, seen))


def written(config: TeacherConfig, data: DataConfig, direction: str) -> Iterator[tuple[str, Sequence[str]]]:
    """The training text that people wrote in a direction's source language, each once, and its references if wanted."""
    if config.choose == "closest":
        yield from references_of(data, direction).items()
    else:
        yield from ((text, ()) for text in distinct_sources(data, direction))


def monolingual_texts(files: Sequence[MonolingualConfig], data: DataConfig, seen: set[bytes]) -> Iterator[str]:
    """What is new in some files of one language; tells what is left out."""
    scored = scored_in(files[0].language, data.root, data.dev.values())
    reports = [CorpusReport(str(one.path)) for one in files]
    for one, report in zip(files, reports, strict=True):
        yield from read_monolingual(one, data.root, scored, seen, report)
    say(to_text(reports).rstrip())


def monolingual_files(config: TeacherConfig, data: DataConfig, direction: str) -> list[MonolingualConfig]:
    """Those in a direction's source language, if a teacher translates any."""
    language, _ = languages_of(direction)
    return [one for one in data.monolingual if one.language == language and config.translates != "training"]


def monolingual_sums(config: TeacherConfig, data: DataConfig, direction: str) -> list[dict[str, Any]]:
    """What the monolingual part of a direction's translations depends on beside the training text."""
    files = [file for one in monolingual_files(config, data, direction) for file in files_of(one, data.root)]
    dev = [file for corpus in data.dev.values() for file in corpus.files(data.root)] if files else []
    return [{file.name: sha256(file)} for file in (*files, *dev)]
