"""How much each feature of an n-best list counts: from flags, and in a JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.config import build, check, plain
from data.errors import UserError
from data.files import write_json


@dataclass(frozen=True)
class FeatureWeights:
    """What a file of weights holds."""

    weights: dict[str, float]
    bundles: dict[str, str] = field(default_factory=dict)  # features, and the names of the bundles that computed them
    tuning: dict[str, Any] = field(default_factory=dict)  # what was tuned on, and what it gave

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            check(math.isfinite(weight), f"the weight of '{name}' must be a finite number, but is {weight}")


def read_weights(path: Path, bundles: Mapping[str, str]) -> dict[str, float]:
    """Read a file of weights, and check that it is meant for these bundles.

    Raises:
        UserError: for a file that is none, or was tuned with other bundles.
    """
    try:
        tree: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}") from None
    check(isinstance(tree, dict), f'{path} must hold an object such as {{"weights": {{"Total0": 1, "Joint0": 0.3}}}}')
    try:
        read = build(FeatureWeights, tree)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    for feature, name in read.bundles.items():
        mine = bundles.get(feature, name)
        check(mine == name, f"{path} was tuned with the bundle {name} as {feature}, not {mine}: name the same bundles")
    return read.weights


def write_weights(path: Path, weights: FeatureWeights) -> None:
    """Write a file of weights."""
    write_json(path, plain(weights))


def parse_weight(text: str) -> tuple[str, float]:
    """A weight from `NAME=VALUE`."""
    name, _, value = text.partition("=")
    try:
        weight = float(value)
    except ValueError:
        weight = math.nan
    check(bool(name) and math.isfinite(weight), f"--weight {text}: expected NAME=VALUE, such as Joint0=0.5")
    return name, weight


def choose_weights(
    defaults: Mapping[str, float], path: Path | None, bundles: Mapping[str, str], flags: Sequence[str]
) -> dict[str, float]:
    """Flags over a file over the defaults; a file must give all that no flag does.

    Args:
        defaults: all features there are.
        path: a file of weights.
        bundles: features and the names of the bundles that compute them.
        flags: spelled `NAME=VALUE`.
    Raises:
        UserError: for a feature that there is not, or one that the file lacks.
    """
    given = dict(parse_weight(text) for text in flags)
    read = dict(defaults) if path is None else read_weights(path, bundles)
    for where, names in ((path, read), ("--weight", given)):
        unknown = sorted(names.keys() - defaults.keys())
        check(not unknown, f"{where}: there is no feature {', '.join(unknown)}; there are: {', '.join(defaults)}")
    chosen = {**read, **given}
    missing = [name for name in defaults if name not in chosen]
    check(not missing, f"{path} gives no weight for {', '.join(missing)}")
    return {name: chosen[name] for name in defaults}
