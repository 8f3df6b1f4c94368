"""Recipes as files: one may build on another's settings (`extends`), and name others beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.config import check, override, read_toml
from data.errors import UserError
from models.bundle import CONFIG

RECIPE = "recipe.json"  # of a run
EXTENDS, SHARED = "extends", "shared"
MORE = "+"  # ends a key whose list goes on the list of the recipe that is extended
NETWORK_IN = {CONFIG: "architecture", RECIPE: "model"}  # where a bundle and a run tell theirs
ROOT, HERE = "root", "{recipe}"  # where corpora's paths start; in that, the folder of the recipe that says so


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], list[Path]]:
    """Read a recipe's settings, laid over those of the recipe that its `extends` names, if it names one, and so on.

    Sections are laid over each other key by key; a list whose key ends in +, as `train+`, goes on the other's list; any
    other value, lists included, takes the place of the other's. `shared` is not taken over. Where nothing else is said,
    the network is that of the folder that `start_from` names.

    Args:
        path: of the recipe.
        overrides: `section.key=value`, laid over all.
    Returns:
        The settings, whose paths of other recipes start at the folder of `path`, and the files they are from.
    Raises:
        UserError: naming the file, when one is missing or malformed, recipes extend each other in a circle, or
            + ends the key of what is no list.
    """
    base_chosen = [one for one in overrides if one.partition("=")[0].strip() == EXTENDS]
    tree, files, folder = read_toml(path, base_chosen), [path], Path()
    while (named := tree.pop(EXTENDS, "")) != "":
        files.append(extended(files, named))
        folder /= Path(named).parent
        base = seen_from(placed(read_toml(files[-1]), files[-1]), folder)
        base.pop(SHARED, None)  # is said of that run alone
        try:
            tree = laid_over(base, tree)
        except UserError as error:
            raise UserError(f"{lineage(files)}: {error}") from None
    override(tree, [one for one in overrides if one not in base_chosen])
    return placed(with_network(tree), path), files


def lineage(files: Sequence[Path]) -> str:
    """Which recipe it is about, and what that extends."""
    return ", which extends ".join(map(str, files))


def with_network(tree: dict[str, Any]) -> dict[str, Any]:
    """Settings over the network of the bundle or run whose folder they start from."""
    start, said = tree.get("start_from"), tree.get("model", {})
    if not isinstance(start, str) or not isinstance(said, dict):
        return tree
    for name, key in NETWORK_IN.items():
        if (file := Path(start) / name).is_file():
            return {**tree, "model": laid_over(network_in(file, key), said)}
    return tree


def network_in(file: Path, key: str) -> dict[str, Any]:
    """The network that a file of a bundle or run tells of; none where it is damaged, which is told when it is read."""
    try:
        told = json.loads(file.read_bytes())[key]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {name: value for name, value in told.items() if name != "vocabulary_size"} if isinstance(told, dict) else {}


def extended(files: Sequence[Path], named: object) -> Path:
    """The recipe that the last of some recipes, which extend each other, extends."""
    *_, heir = files
    check(isinstance(named, str), f"{heir}: '{EXTENDS}' must be the path of a recipe, but is {named!r}")
    try:
        base = beside(heir, EXTENDS, Path(str(named)))
    except UserError as error:
        raise UserError(f"{heir}: {error}") from None
    circle = " <- ".join(str(file) for file in (*files, base))
    known = [file.resolve() for file in files]
    check(base.resolve() not in known, f"{heir}: '{EXTENDS}' goes in a circle ({circle}): name another recipe")
    return base


def beside(path: Path, key: str, named: Path) -> Path:
    """The recipe that a key of another one names.

    Raises:
        UserError: when there is none.
    """
    file = path.parent / named
    check(file.is_file(), f"'{key}' {file} does not exist: mend its path, which starts at the folder of {path.name}")
    return file


def laid_over(base: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others over them, section by section; a list under a key that ends in + goes on the other's.

    Raises:
        UserError: when what is to be added, or added to, is no list.
    """
    both = dict(base)
    for key, value in tree.items():
        plain = key.removesuffix(MORE)
        if plain != key:
            there = plain if plain in both else key
            both[there] = listed(both.get(there, []), key) + listed(value, key)
            continue
        both.pop(key + MORE, None)
        sections = isinstance(both.get(key), Mapping) and isinstance(value, Mapping)
        both[key] = laid_over(both[key], value) if sections else value
    return both


def listed(value: Any, key: str) -> list[Any]:
    """What a key that ends in + adds, or adds to."""
    check(isinstance(value, list), f"'{key}' adds to a list, but there is {value!r}: name lists alone with a {MORE}")
    return list(value)


def placed(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    """A recipe's settings with its folder in the place of `{recipe}` in each `root` of its data.

    Raises:
        UserError: for `{recipe}` in another path: runs and bundles know corpora by these, whatever their root.
    """
    return {**tree, "data": with_folder(tree["data"], path)} if "data" in tree else tree


def with_folder(node: Any, path: Path, key: str = "") -> Any:
    """A tree, found under a key, with a recipe's folder in the place of `{recipe}`."""
    if isinstance(node, dict):
        return {name: with_folder(value, path, name) for name, value in node.items()}
    if isinstance(node, list):
        return [with_folder(value, path, key) for value in node]
    if not isinstance(node, str) or HERE not in node:
        return node
    check(key == ROOT, f"{path}: '{key}' {node}: {HERE} may stand in a 'root' alone: say root = \"{HERE}\" beside it")
    return node.replace(HERE, str(path.resolve().parent))


def seen_from(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Settings whose paths of other recipes, which started at `folder`, start where `folder` does."""
    start, teachers = tree.get("start_from"), tree.get("teachers")
    if isinstance(start, str) and start.endswith(".toml"):
        tree["start_from"] = str(folder / start)
    for teacher in teachers if isinstance(teachers, list) else ():
        if isinstance(teacher, dict) and isinstance(teacher.get("recipe"), str):
            teacher["recipe"] = str(folder / teacher["recipe"])
    return tree
