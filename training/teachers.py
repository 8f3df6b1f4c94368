"""Which runs a recipe builds on: the one it starts from, its teachers, and theirs; found before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.config import check
from data.errors import UserError
from data.languages import languages_of, turned
from models.bundle import CONFIG, read_config
from training.config import Recipe, TeacherConfig, load_recipe
from training.recipe_files import beside

ROOT, VARIANT = "data.root=", "variant="  # the overrides that those take over which a recipe builds on


class Plan(NamedTuple):
    """A recipe, what its teachers do for it, and the runs whose mean weights it starts from, if it names a recipe."""

    recipe: Recipe
    lessons: tuple[Lesson, ...]
    starts: tuple[Plan, ...] = ()


class Teacher(NamedTuple):
    """Who translates: a run, which is trained first, or a bundle, which is there."""

    name: str
    directions: tuple[str, ...]  # that it was trained for
    origin: Plan | Path  # of the run, or the bundle's folder


class Lesson(NamedTuple):
    """What a teacher does for its student: translate the training text in some directions."""

    teacher: Teacher
    directions: tuple[str, ...]
    config: TeacherConfig  # how it translates


def in_order(plan: Plan) -> list[Plan]:
    """A plan and all that it builds on, each once, after what it builds on itself."""
    taught_by = (lesson.teacher.origin for lesson in plan.lessons)
    below = (*plan.starts, *(origin for origin in taught_by if isinstance(origin, Plan)))
    found: list[Plan] = []
    for one in (one for base in below for one in in_order(base)):
        if one not in found:
            found.append(one)
    return [*found, plan]


def load_plan(
    path: Path, overrides: Sequence[str] = (), students: tuple[str, ...] = (), handed_down: Sequence[str] = ()
) -> Plan:
    """Read a recipe and those that it builds on; of the overrides, they take over `data.root` and `variant` alone.

    Args:
        path: of the recipe.
        overrides: `section.key=value`, laid over it; and `variant=NUMBER`, which makes a variant of it (see `varied`).
        students: the names of the runs that build on it.
        handed_down: what it takes over from these; a variant of theirs only when it is not shared.
    Raises:
        UserError: naming file and key, when a recipe is bad, a teacher cannot translate what it should, or a run would
            build on itself.
    """
    recipe = load_recipe(path, [*without_variants(handed_down), *without_variants(overrides)])
    given = [*(without_variants(handed_down) if recipe.shared else handed_down), *overrides]
    recipe = varied(path, recipe, given)
    circle = " <- ".join((*students, recipe.name))
    check(
        recipe.name not in students,
        f"{path}: the run '{recipe.name}' would build on itself ({circle}): name another recipe, or give a teacher "
        f"another 'name' and no 'teachers' by its overrides",
    )
    inherited = [override for override in given if override.startswith((ROOT, VARIANT))]
    lessons: list[Lesson] = []
    for number, teacher in enumerate(recipe.teachers):
        try:
            lessons.append(load_lesson(path, recipe, teacher, inherited, students))
            check_name(lessons)
        except UserError as error:
            raise UserError(f"{path}: teachers[{number}]: {error}") from None
    return Plan(recipe, tuple(lessons), load_starts(path, recipe, inherited, students))


def without_variants(overrides: Sequence[str]) -> list[str]:
    """The overrides of a recipe's own keys."""
    return [override for override in overrides if not override.startswith(VARIANT)]


def varied(path: Path, recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The variant of a recipe that is asked for: it is drawn from another seed, and its run has a name of its own.

    With the seed that it has anyway it is itself.

    Raises:
        UserError: for a variant that is no number.
    """
    variants = [override.removeprefix(VARIANT) for override in overrides if override.startswith(VARIANT)]
    if not variants:
        return recipe
    number = variants[-1]
    check(number.isdecimal(), f"{path}: 'variant' must be a whole number, which becomes the seed, but is '{number}'")
    if int(number) == recipe.seed:
        return recipe
    return dataclasses.replace(recipe, seed=int(number), name=f"{recipe.name}-{int(number)}")


def load_starts(path: Path, recipe: Recipe, inherited: Sequence[str], students: tuple[str, ...]) -> tuple[Plan, ...]:
    """Read the recipe that `start_from` names, if it is one, once for each of its variants: these are trained first."""
    if recipe.start_from is None or recipe.start_from.suffix != ".toml":
        return ()
    variants = [[f"{VARIANT}{number}"] for number in recipe.start_variants] or [[]]
    try:
        file = beside(path, "start_from", recipe.start_from)
        return tuple(load_plan(file, chosen, (*students, recipe.name), inherited) for chosen in variants)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def load_lesson(
    path: Path, student: Recipe, teacher: TeacherConfig, inherited: Sequence[str], students: tuple[str, ...]
) -> Lesson:
    """Read a teacher's recipe, or what its bundle says of itself, and find out what it can translate."""
    if teacher.bundle is not None:
        known = bundled(teacher.bundle)
    else:
        assert teacher.recipe is not None  # the configuration has one of both
        file = beside(path, "recipe", teacher.recipe)
        plan = load_plan(file, teacher.overrides, (*students, student.name), inherited)
        known = Teacher(plan.recipe.name, plan.recipe.data.directions, plan)
    return Lesson(known, directions_of(teacher, known, student), teacher)


def bundled(folder: Path) -> Teacher:
    """A bundle as a teacher; it goes by its folder's name.

    Raises:
        UserError: when it is none, or another version's.
    """
    check((folder / CONFIG).is_file(), f"'bundle' {folder} is no bundle: there is no {CONFIG} in it")
    place = folder.resolve()  # so that one bundle is one teacher, by whatever path
    return Teacher(place.name, read_config(folder / CONFIG).info.directions, place)


def directions_of(teacher: TeacherConfig, known: Teacher, student: Recipe) -> tuple[str, ...]:
    """The directions to translate: those asked for, or all of the student's language pairs that the teacher knows.

    One that translates monolingual text alone does so from the languages of that.
    """
    pairs = [set(languages_of(direction)) for direction in student.data.directions]
    useful = tuple(direction for direction in known.directions if set(languages_of(direction)) in pairs)
    check(
        bool(useful),
        f"'{known.name}' translates {', '.join(known.directions)}, which is of no use to '{student.name}', "
        f"trained for {', '.join(student.data.directions)}: name another teacher",
    )
    if teacher.translates == "monolingual":
        languages = {text.language for text in student.data.monolingual}
        useful = tuple(direction for direction in useful if languages_of(direction)[0] in languages)
        check(
            bool(useful),
            f"'translates' is monolingual, but 'data.monolingual' of '{student.name}' has no text that '{known.name}' "
            f"translates from: name one, or leave out 'translates'",
        )
    for direction in teacher.directions or useful:
        back = turned(direction)
        check(
            teacher.choose != "reranked" or back in known.directions,
            f"'choose' reranked needs a teacher that translates both ways, but '{known.name}' translates "
            f"{', '.join(known.directions)}: choose best, or name another teacher",
        )
    for direction in teacher.directions:
        check(
            direction in useful,
            f"'directions' has {direction}, but what '{known.name}' can translate for '{student.name}' is: "
            f"{', '.join(useful)}",
        )
    return teacher.directions or useful


def check_name(lessons: Sequence[Lesson]) -> None:
    """Refuse a teacher by another one's name; the same one may come again for other directions, which lie apart."""
    *before, (newest, directions, _) = lessons
    bundle = f"'{newest.name}' is a teacher already, and bundles go by their folders' names: rename this one's"
    run = (
        f"the run '{newest.name}' is a teacher already: give this one another 'name', and another 'seed', by its "
        f"overrides"
    )
    for teacher, taken, _ in before:
        if teacher.name == newest.name:
            check(teacher == newest, bundle if isinstance(newest.origin, Path) else run)
            twice = [direction for direction in directions if direction in taken]
            check(
                not twice,
                f"'{newest.name}' is a teacher already and translates {', '.join(twice)} there: name other "
                f"'directions' in each",
            )
