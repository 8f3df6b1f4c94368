"""Checkpoints: folders of safetensors and JSON that appear whole, are verified, and resume a run exactly."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from data.errors import UserError
from data.files import flush, sha256, write_json

MODEL, AVERAGE, OPTIMIZER, STATE = "model.safetensors", "average.safetensors", "optimizer.safetensors", "state.json"
LAST, BEST = "last", "best"


class Checkpoint(NamedTuple):
    """All of a run at one update."""

    model: dict[str, Tensor]
    average: dict[str, Tensor]  # empty when the run keeps none
    optimizer: dict[str, Tensor]
    state: dict[str, Any]  # plain JSON: update, position, random state, scores


def pointer(folder: Path, name: str) -> Path:
    """The file that names the last or the best checkpoint."""
    return folder / f"{name}.json"


def save(folder: Path, checkpoint: Checkpoint, best: bool) -> Path:
    """Write a checkpoint into `folder/00001234`, verify it, then point `last` (and `best`) at it.

    Raises:
        OSError: when it cannot be written, as on a full disk; nothing of it stays, and the older ones do.
    """
    target = folder / named(checkpoint.state)
    temporary = folder / f".{target.name}.{os.getpid()}.tmp"
    remove_unfinished(folder)
    temporary.mkdir(parents=True)
    try:
        fill(temporary, checkpoint._replace(state={**checkpoint.state, "is_best": best}))
        load(temporary)
    except (OSError, SafetensorError, UserError) as error:
        remove_unfinished(folder)
        raise OSError(f"{target} cannot be written: {error}; make room, and give the same command again") from None
    if target.exists():
        shutil.rmtree(target)
    temporary.rename(target)
    flush(folder)
    point(folder, target.name, best)
    return target


def point(folder: Path, name: str, best: bool) -> None:
    """Let `last`, and `best` where it is that, name a checkpoint."""
    for which in (LAST, BEST) if best else (LAST,):
        write_json(pointer(folder, which), {"checkpoint": name})


def named(state: Mapping[str, Any]) -> str:
    """The folder of the checkpoint that a state is of."""
    return f"{state['update']:08d}"


def fill(folder: Path, checkpoint: Checkpoint) -> None:
    """Write and flush all files of a checkpoint, the state with their sums last."""
    parts = {MODEL: checkpoint.model, AVERAGE: checkpoint.average, OPTIMIZER: checkpoint.optimizer}
    for name, tensors in parts.items():
        save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, folder / name)
        flush(folder / name)
    sums = {name: sha256(folder / name) for name in parts}
    write_json(folder / STATE, {**checkpoint.state, "files": sums})


def remove_unfinished(folder: Path) -> None:
    """Delete what writing a checkpoint left when it failed or was killed."""
    for path in folder.glob(".*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def mend_pointers(folder: Path, state: Mapping[str, Any]) -> None:
    """Point `last`, and `best` if it was the best, at the newest checkpoint, whose state this is.

    A process that is killed between a checkpoint and its pointers leaves them at an older one.
    """
    was_best = state["score"] is not None and state["score"] == state["best"]  # as older checkpoints tell it
    point(folder, named(state), best=state.get("is_best", was_best))


def load(folder: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        UserError: when a file is missing or differs from its checksum.
    """
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        for name, expected in state["files"].items():
            if sha256(folder / name) != expected:
                raise UserError(f"checkpoint {folder} is damaged: {name} does not match its checksum")
        model, average, optimizer = (load_file(folder / name) for name in (MODEL, AVERAGE, OPTIMIZER))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"checkpoint {folder} cannot be read: {error}") from None
    return Checkpoint(model, average, optimizer, state)


def checkpoints(folder: Path) -> list[Path]:
    """All complete checkpoints, oldest first."""
    return sorted(path for path in folder.glob("*") if path.is_dir() and path.name.isdigit())


def resolve(folder: Path, name: str) -> Path:
    """The checkpoint that `last` or `best` names.

    Raises:
        UserError: when there is none yet.
    """
    try:
        found = folder / str(json.loads(pointer(folder, name).read_text(encoding="utf-8"))["checkpoint"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder} has no {name} checkpoint yet") from None
    if not found.is_dir():
        raise UserError(f"{folder} has lost its {name} checkpoint {found.name}")
    return found


def load_last(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and a sentence for each damaged one passed over."""
    passed_over: list[str] = []
    for path in reversed(checkpoints(folder)):
        try:
            return load(path), passed_over
        except UserError as error:
            passed_over.append(str(error))
    return None, passed_over


def prune(folder: Path, keep_last: int, keep_best: int) -> None:
    """Delete all but the newest and the best-scored checkpoints; those that `last` and `best` name always stay.

    What is newer than the last one is damaged, and was passed over.
    """
    newest, all_of_them = resolve(folder, LAST), checkpoints(folder)
    paths = [path for path in all_of_them if path <= newest]
    keep = set(paths[-keep_last:])
    keep.update(sorted(paths, key=dev_score)[-keep_best:] if keep_best else [])
    if pointer(folder, BEST).exists():
        keep.add(best_left(folder, paths))
    for path in all_of_them:
        if path not in keep:
            shutil.rmtree(path)
    remove_unfinished(folder)


def best_left(folder: Path, paths: Sequence[Path]) -> Path:
    """The checkpoint that `best` names; if somebody took it away, `best` then names the best one that is left."""
    try:
        return resolve(folder, BEST)
    except UserError:
        best = max(paths, key=dev_score)
        write_json(pointer(folder, BEST), {"checkpoint": best.name})
        return best


def dev_score(path: Path) -> float:
    """The dev score of the weights in a checkpoint, or minus infinity where it was not measured."""
    try:
        score = json.loads((path / STATE).read_text(encoding="utf-8")).get("score")
    except (OSError, ValueError):
        score = None
    return float("-inf") if score is None else float(score)


def optimizer_tensors(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimizer's state, each tensor named `kind/parameter`."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        f"{kind}/{names[id(parameter)]}": torch.as_tensor(value)
        for parameter, state in optimizer.state.items()
        for kind, value in state.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    parameters = dict(network.named_parameters())
    optimizer.state.clear()
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        parameter = parameters[name]
        place = "cpu" if kind == "step" and not parameter.is_cuda else parameter.device
        optimizer.state[parameter][kind] = tensor.to(place).clone()


def random_state() -> dict[str, str]:
    """torch's generators, as text."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return {name: base64.b64encode(state.numpy().tobytes()).decode() for name, state in states.items()}


def restore_random_state(states: Mapping[str, str]) -> None:
    """Put back what `random_state` took."""
    tensors = {
        name: torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8) for name, text in states.items()
    }
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
