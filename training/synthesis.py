"""Parallel text that teachers make: one side is what people wrote, the other what a teacher makes of it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data.config import check, plain
from data.errors import UserError
from data.files import atomic_folder, flush, sha256, write_json
from data.languages import languages_of
from data.sources import DataConfig, TrainCorpusConfig
from models.bundle import MODEL, TOKENIZER, Bundle, read_bundle
from training.checkpoint import BEST, resolve
from training.closest import write_closest
from training.config import Recipe, TeacherConfig
from training.export import export
from training.export_job import add_arguments
from training.in_parts import forget_parts, parts_folder, translate_parts
from training.run_folder import CHECKPOINTS
from training.teachers import Lesson, Plan, Teacher
from training.telemetry import say
from training.untranslated import monolingual_sums, texts_for

BUNDLE, CORPORA, MANIFEST, CANDIDATES = "bundle", "corpora", "manifest.json", "candidates"


class Wish(NamedTuple):
    """What a teacher is asked for."""

    direction: str
    beam: int
    n_best: int = 1
    rerank: bool = False  # by reading backwards


# Translates a file's lines into as many lines of another, or into an n-best list as Moses writes them: bundle, wish,
# source file, target file.
Translate = Callable[[Path, Wish, Path, Path], None]


def folder_of(student: Recipe, lesson: Lesson, direction: str) -> Path:
    """Where a teacher's translations for a student lie, from the folder of all corpora on."""
    return Path(student.name) / lesson.teacher.name / direction


def with_synthetic(plan: Plan, home: Path) -> DataConfig:
    """A recipe's data with the corpora that its teachers make, after the real ones: of duplicates the real one stays.

    A pair serves every direction of the student that has its languages, whichever side is real.
    """
    made = [
        corpus_of(folder_of(plan.recipe, lesson, direction), direction, home)
        for lesson in plan.lessons
        for direction in lesson.directions
    ]
    return dataclasses.replace(plan.recipe.data, train=(*plan.recipe.data.train, *made))


def corpus_of(folder: Path, direction: str, home: Path) -> TrainCorpusConfig:
    """One direction's translations as a corpus."""
    source, target = languages_of(direction)
    return TrainCorpusConfig(
        format="text",
        languages=(source, target),
        source=folder / source,
        target=folder / target,
        root=(home / CORPORA).resolve(),
        synthetic=True,
    )


def synthesize(student: Recipe, lesson: Lesson, home: Path, translate: Translate) -> None:
    """Let a trained teacher translate the student's texts into `home/corpora/STUDENT/TEACHER/DIRECTION`.

    What was made before by the same teacher from the same text is kept, of a direction that was interrupted the parts
    that were whole; a direction appears whole or not at all.

    Raises:
        UserError: when the teacher cannot be exported, or something else lies where its translations belong.
    """
    teacher, bundle = lesson.teacher.name, bundle_of(lesson.teacher, home)
    for direction in lesson.directions:
        origin = origin_of(student.data, teacher, direction, lesson.config, bundle)
        folder = home / CORPORA / folder_of(student, lesson, direction)
        foreign = folder.exists() and not (folder / MANIFEST).is_file()
        check(not foreign, f"{folder} holds something else than translations: move it away, or choose another 'name'")
        if is_made_from(folder, origin):
            say(f"translations by {teacher} are kept: {folder}")
            forget_parts(folder)
            continue
        parts = parts_folder(folder, origin)
        with atomic_folder(folder) as temporary:
            translate_direction(temporary, student.data, direction, lesson.config, bundle, translate, parts)
            sums = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
            write_json(temporary / MANIFEST, {**origin, "files": sums})
        forget_parts(folder)
        say(f"translations by {teacher}: {folder}")


def translate_direction(
    folder: Path,
    data: DataConfig,
    direction: str,
    config: TeacherConfig,
    bundle: Bundle,
    translate: Translate,
    parts: Path,
) -> None:
    """Write a direction's real side, and its translation, into files named by language.

    Parts of the translation wait in a folder of their own, where whoever is killed finds them again.
    """
    source, target = (folder / language for language in languages_of(direction))
    references, texts = dict[str, Sequence[str]](), 0
    with source.open("w", encoding="utf-8", newline="\n") as stream:
        for text, wanted in texts_for(config, data, direction):
            stream.write(text + "\n")
            texts += 1
            if config.choose == "closest":
                references[text] = wanted
    flush(source)
    check(texts > 0, f"no corpus that people wrote serves {direction}: leave it out of the teacher's 'directions'")
    say(f"{bundle.info.name} translates {texts:,} texts, {direction}, beam {config.beam}")
    if config.choose != "closest":
        wish = Wish(direction, config.beam, rerank=config.choose == "reranked")
        translate_parts(lambda some, made: translate(bundle.folder, wish, some, made), source, target, parts)
        flush(target)
        return
    candidates = folder / CANDIDATES
    translate(bundle.folder, Wish(direction, config.beam, config.beam), source, candidates)
    write_closest(candidates, source, references, target.name, target)
    candidates.unlink()


def origin_of(data: DataConfig, teacher: str, direction: str, config: TeacherConfig, bundle: Bundle) -> dict[str, Any]:
    """Everything that a teacher's translations depend on, as JSON has it."""
    corpora = [
        {"languages": list(corpus.languages), "files": {str(path): sha256(file)}}
        for corpus in data.train
        if not corpus.synthetic
        for path, file in zip((corpus.source, corpus.target), corpus.files(data.root), strict=False)  # some have one
    ]
    search, monolingual = bundle.info.search(config.beam), monolingual_sums(config, data, direction)
    return {
        "direction": direction,
        "teacher": {"name": teacher, **{name: sha256(bundle.folder / name) for name in (MODEL, TOKENIZER)}},
        "search": {name: getattr(search, name) for name in ("beam", "length_penalty", "length_ratio")},
        "choose": config.choose,
        "clean": plain(data.clean),
        "sources": corpora,
        **({"translates": config.translates, "monolingual": monolingual} if monolingual else {}),
    }


def is_made_from(folder: Path, origin: dict[str, Any]) -> bool:
    """Whether a folder holds what was made from this origin, unaltered."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = manifest.pop("files")
        return manifest == origin and all(sha256(folder / name) == expected for name, expected in files.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def bundle_of(teacher: Teacher, home: Path) -> Bundle:
    """What a teacher translates with."""
    if isinstance(teacher.origin, Path):
        return read_bundle(teacher.origin)
    return export_once(home / "runs" / teacher.name)


def export_once(run: Path) -> Bundle:
    """A finished run's best weights as a bundle in the run's own folder, written when it is not there yet.

    Raises:
        UserError: when no bundle translates as the network does.
    """
    folder = run / BUNDLE
    found = read_whole(folder)
    if found is not None and found.info.training.get("update") == int(resolve(run / CHECKPOINTS, BEST).name):
        return found
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    for storage in ([], ["--storage", "float32"]):
        if export(parser.parse_args(["--force", *storage, "--", str(run), str(folder)])) == 0:
            return read_bundle(folder)
    raise UserError(f"{run} cannot teach: no bundle of it translates as its network does")


def read_whole(folder: Path) -> Bundle | None:
    """A bundle, if there is an undamaged one."""
    try:
        return read_bundle(folder)
    except UserError:
        return None
