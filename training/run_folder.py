"""The folder of a run: where its parts lie, and which recipe it belongs to."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from data.config import build, check, placeless, plain
from data.errors import UserError
from data.files import sha256, write_json
from data.prepare import Use
from data.prepared import MODEL, Prepared
from training.checkpoint import STATE, Checkpoint, checkpoints, load_last
from training.config import Recipe
from training.recipe_files import RECIPE
from training.telemetry import say

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CHECKPOINTS, LOCK = "checkpoints", ".lock"
HELD: dict[Path, BinaryIO] = {}  # locks, which the system takes back when the process ends
HOW_TO_GO_ON = (  # of `training`
    *("evaluate_every", "dev_sentences", "dev_beam", "log_every", "checkpoint_every", "checkpoint_minutes"),
    *("keep_last", "keep_best", "patience", "threads", "device", "updates", "ridge_passes", "read_ahead"),
)
# Keys that a resumed run may set anew, since they leave the past as it was.
MAY_CHANGE = {"shared", *(f"training.{name}" for name in HOW_TO_GO_ON)}


def hold(folder: Path) -> None:
    """Keep other processes from training in a folder, as long as this one lives.

    Raises:
        UserError: when another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()
    if fcntl is None or place in HELD:
        return
    stream = (place / LOCK).open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise UserError(
            f"another process trains in {folder}: wait for it or stop it, or give this run another 'name'"
        ) from None
    except OSError:  # a file system that knows no locks
        stream.close()
        return
    HELD[place] = stream


def let_go(folder: Path) -> None:
    """Let other processes train in a folder that this one held."""
    stream = HELD.pop(folder.resolve(), None)
    if stream is not None:
        fcntl.flock(stream, fcntl.LOCK_UN)  # closing alone would leave it to processes that were forked since
        stream.close()


def prepared_folder(run: Path) -> Path:
    """Where the data of a run lie; its folder may have been renamed since, and it, or that of all runs, be a link.

    Raises:
        UserError: when the folder holds no run.
    """
    name = str(read_json(run / RECIPE)["name"])
    places = (place.parent.parent / "prepared" / name for place in (run.absolute(), run.resolve()))
    return next((place for place in places if place.is_dir()), run.resolve().parent.parent / "prepared" / name)


def read_json(path: Path) -> dict[str, Any]:
    """One of a run's files; UserError when it cannot be read."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path.parent} is no run, or a damaged one: cannot read {path.name}: {why}") from None


def check_data(run: Path, state: Mapping[str, Any], prepared: Prepared) -> None:
    """Refuse to go on from a checkpoint with data that was prepared anew since, from something else.

    Raises:
        UserError: naming the files that differ.
    """
    now = prepared.manifest["files"]
    then = state.get("data", now)  # which older checkpoints do not tell
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    check(
        not changed,
        f"{run} was trained on other data than {prepared.folder} holds now ({', '.join(changed[:3])} differ): "
        f"give this run another 'name', or remove its folder",
    )


def check_vocabulary(run: Path, state: Mapping[str, Any]) -> None:
    """Refuse weights of another vocabulary than the one that lies in the run's data now.

    Raises:
        UserError: since nothing that they say would be understood.
    """
    file = prepared_folder(run) / MODEL
    then = state.get("data", {}).get(MODEL)
    check(
        then is None or not file.is_file() or then == sha256(file),
        f"{run} was trained with another vocabulary than {file} is now: its data was prepared anew; train again",
    )


def use_of(run: Path) -> Use | None:
    """What a run with checkpoints was trained on, as the newest one that can be read tells it."""
    states = [path / STATE for path in reversed(checkpoints(run / CHECKPOINTS))]
    for state in states:
        with contextlib.suppress(UserError):
            return Use(run, read_json(state).get("data", {}))
    return Use(run, {}) if states else None


def last_checkpoint(run: Path) -> Checkpoint | None:
    """The newest whole checkpoint, if there is one; tells which damaged ones it passes over."""
    found, passed_over = load_last(run / CHECKPOINTS)
    for sentence in passed_over:
        say(f"{sentence}; going on from an older one")
    return found


def agree(folder: Path, recipe: Recipe) -> None:
    """Write the recipe into a new run's folder, or check that it is the one there, wherever its corpora lie by now.

    Raises:
        UserError: naming the keys that differ.
    """
    path, mine = folder / RECIPE, plain(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists():
        theirs = plain(build(Recipe, read_json(path)))  # keys that came after it take their defaults
        differing = sorted(differences(placeless(theirs), placeless(mine)) - MAY_CHANGE)
        if differing:
            raise UserError(
                f"{folder} holds a run of another recipe ({', '.join(differing)} differ): "
                f"give this one another 'name', or remove that folder"
            )
    write_json(path, mine)


def differences(one: Any, other: Any, where: str = "") -> set[str]:
    """Dotted paths at which two JSON trees differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        prefix = f"{where}." if where else ""
        return set().union(
            *(differences(one.get(key), other.get(key), prefix + key) for key in one.keys() | other.keys())
        )
    return set() if one == other else {where}
