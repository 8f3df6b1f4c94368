"""Settings of the service, from the environment (`MT_*`) and flags."""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data.config import check, convert, parse_value
from data.errors import UserError

PREFIX = "MT_"
BILLION = 10**9
WIDEST = 1000  # beam that may be allowed
OF_SERVICES = re.compile(r"MT_(\w+_)?(SERVICE_(HOST|PORT\w*)|PORT_\d+_\w+)")
ADDRESS = re.compile(r"(tcp|udp|sctp)://")
RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "threads": (0, 1024),
    "max_rows": (0, BILLION),
    "max_tokens": (1, BILLION),
    "max_queue": (1, BILLION),
    "max_texts": (1, BILLION),
    "max_characters": (1, BILLION),
    "max_terms": (0, BILLION),
    "max_beam": (1, WIDEST),
    "max_n_best": (1, WIDEST),
    "client_requests": (1, BILLION),
    "deadline_seconds": (0.001, 86_400),
    "drain_seconds": (0.001, 3_600),
}


@dataclass(frozen=True)
class Settings:
    """Every field is also an environment variable: `port` is MT_PORT.

    Raises:
        UserError: for a value out of its range; the sentence names variable and range.
    """

    home: Path = Path("workspace")  # prepared data, runs and bundles; the command line alone reads it
    bundles: tuple[str, ...] = ()  # folders; in MT_BUNDLES separated like PATH; empty means those that ship
    glossaries: tuple[str, ...] = ()  # files of terms, separated as bundles are; for the server alone
    host: str = "127.0.0.1"
    port: int = 8000
    device: Literal["auto", "cpu", "cuda"] = "auto"
    engine: Literal["auto", "native", "cuda", "reference"] = "auto"  # auto: a fast one where it can be used
    threads: int = 0  # CPU threads of each engine; 0 takes all processors
    max_rows: int = 0  # hypotheses that an engine decodes at once; 0: 256, or 1,280 on a GPU
    max_tokens: int = 16_384  # source tokens that an engine holds at once
    max_queue: int = 4096  # sentences that may wait
    max_texts: int = 128  # of a request
    max_characters: int = 20_000  # of all texts of a request, and as many of its glossary
    max_terms: int = 1000  # of a request's glossary
    max_beam: int = 16
    max_n_best: int = 10
    client_requests: int = 32  # at once from one address
    deadline_seconds: float = 60.0  # from arrival to answer
    drain_seconds: float = 20.0  # for requests under way when the server is told to stop
    root_path: str = ""  # where a reverse proxy mounts the server, such as /mt
    admin_token: str = ""  # lets /v1/reload be called from elsewhere than this machine
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            check(least <= value <= most, f"{known_as(name)} must be from {least:,} to {most:,}, but is {value}")
        check(
            self.host != "", f"{known_as('host')} is empty: leave it out, or say 0.0.0.0 to let other machines connect"
        )
        bare = self.root_path == "" or (self.root_path.startswith("/") and not self.root_path.endswith("/"))
        check(bare, f"{known_as('root_path')} must look like /mt, but is '{self.root_path}'")


def known_as(name: str) -> str:
    """A setting as users know it: its name and its variable."""
    return f"'{name}' ({PREFIX}{name.upper()})"


def load_settings(environment: Mapping[str, str], **flags: Any) -> Settings:
    """Settings from `MT_*` variables, with flags (None means not given) laid over them.

    Raises:
        UserError: for an unknown variable (listing the valid ones), or a bad value (naming variable and range).
    """
    kinds = typing.get_type_hints(Settings)
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX) and not of_kubernetes(variable, text):
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds or variable != variable.upper():
                valid = ", ".join(PREFIX + name.upper() for name in sorted(kinds))
                raise UserError(f"unknown environment variable {variable}; valid ones are: {valid}")
            values[name] = convert(kinds[name], parse(kinds[name], text), variable)
    for name, value in flags.items():
        if value is not None:
            values[name] = convert(kinds[name], value, name)
    return Settings(**values)


def of_kubernetes(variable: str, text: str) -> bool:
    """Whether a variable is one that Kubernetes sets in every pod beside a Service, whose name may begin with mt."""
    return bool(OF_SERVICES.fullmatch(variable) or (variable.endswith("_PORT") and ADDRESS.match(text)))


def parse(kind: Any, text: str) -> Any:
    """A variable's text as the kind that is wanted, as far as it can be."""
    if typing.get_origin(kind) is tuple:
        return tuple(part for part in text.split(os.pathsep) if part)
    if text.isupper() and text.lower() in typing.get_args(kind):  # INFO, as others spell levels
        return text.lower()
    return parse_value(text) if kind in (int, float) else text
