"""Settings of the server, from the environment (`MT_*`) and flags."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data.config import build, check, parse_value
from data.errors import UserError

PREFIX = "MT_"


@dataclass(frozen=True)
class Settings:
    """Every field is also an environment variable: `port` is MT_PORT."""

    home: Path = Path("workspace")  # prepared data, runs and bundles
    bundles: tuple[str, ...] = ()  # folders; in MT_BUNDLES separated like PATH; empty means those that ship
    host: str = "127.0.0.1"
    port: int = 8000
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0  # CPU threads of the engine; 0 leaves torch's choice
    max_rows: int = 256  # hypotheses that are decoded at once
    max_queue: int = 4096  # sentences that may wait
    max_texts: int = 128  # of a request
    max_characters: int = 20_000  # of all texts of a request
    max_beam: int = 16
    max_n_best: int = 10
    client_requests: int = 32  # at once from one address
    deadline_seconds: float = 60.0  # from arrival to answer
    drain_seconds: float = 20.0  # for requests under way when the server is told to stop
    root_path: str = ""  # where a reverse proxy mounts the server
    admin_token: str = ""  # lets /v1/reload be called from elsewhere than this machine
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        check(0 <= self.port <= 65535, f"'port' must be from 0 to 65535, but is {self.port}")
        check(self.threads >= 0, f"'threads' must not be negative, but is {self.threads}")
        for name in (
            "max_rows",
            "max_queue",
            "max_texts",
            "max_characters",
            "max_beam",
            "max_n_best",
            "client_requests",
        ):
            check(getattr(self, name) >= 1, f"'{name}' must be at least 1, but is {getattr(self, name)}")
        for name in ("deadline_seconds", "drain_seconds"):
            check(getattr(self, name) > 0, f"'{name}' must be above 0, but is {getattr(self, name)}")


def load_settings(environment: Mapping[str, str], **flags: Any) -> Settings:
    """Settings from `MT_*` variables, with flags (None means not given) laid over them.

    Raises:
        UserError: for an unknown variable (listing the valid ones) or a bad value.
    """
    kinds = {field.name: str(field.type) for field in dataclasses.fields(Settings)}
    valid = ", ".join(PREFIX + name.upper() for name in sorted(kinds))
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        check(name in kinds, f"unknown environment variable {variable}; valid ones are: {valid}")
        values[name] = parse(kinds[name], text)
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return build(Settings, values)
    except UserError as error:
        raise UserError(f"settings (flags and {PREFIX}* variables): {error}") from None


def parse(kind: str, text: str) -> Any:
    """A variable's text as its field's type, as far as it can be."""
    if kind.startswith("tuple"):
        return tuple(part for part in text.split(os.pathsep) if part)
    return parse_value(text) if kind in ("int", "float") else text
