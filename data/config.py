"""Frozen dataclasses from plain mappings (TOML, JSON), with errors that name the key and the valid ones."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from data.errors import UserError

T = TypeVar("T")
KINDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


def check(condition: bool, message: str) -> None:
    """Raise UserError(message) unless the condition holds; for `__post_init__` of configuration classes."""
    if not condition:
        raise UserError(message)


def build(cls: type[T], mapping: Mapping[str, Any], where: str = "") -> T:
    """Make a frozen dataclass from a mapping, descending into nested dataclasses.

    Args:
        cls: the dataclass.
        mapping: its keys and values, as TOML or JSON give them.
        where: the dotted path of this mapping in its file, for messages.
    Raises:
        UserError: for an unknown or missing key (listing the valid ones) or a value of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, cls)) if field.init}
    types_of = annotated(typing.cast(Any, cls))
    prefix = f"{where}." if where else ""
    for key in mapping:
        if key not in fields:
            raise UserError(f"unknown key '{prefix}{key}'; valid keys are: {', '.join(sorted(fields))}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in mapping:
            raise UserError(f"missing key '{prefix}{name}'")
    values = {key: convert(types_of[key], value, f"{prefix}{key}") for key, value in mapping.items()}
    try:
        return cls(**values)
    except UserError as error:
        raise UserError(f"[{where}] {error}" if where else str(error)) from None


@functools.cache
def annotated(cls: type) -> dict[str, Any]:
    """The types of a class's fields; finding them takes longer than making an object."""
    return typing.get_type_hints(cls)


def convert(kind: Any, value: Any, where: str) -> Any:
    """Turn a plain value into an annotated type: dataclass, tuple, dict, Literal, Path, Optional or scalar."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (kind,) = [argument for argument in arguments if argument is not type(None)]
        if value is None or (kind is Path and value == ""):  # TOML has no word for nothing
            return None
        return convert(kind, value, where)
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return build(typing.cast(Any, kind), value, where)
    if origin is tuple and isinstance(value, Sequence) and not isinstance(value, str):
        if arguments[-1] is not ... and len(arguments) != len(value):
            raise UserError(f"'{where}' must have {len(arguments)} values, but has {len(value)}")
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
        return tuple(
            convert(item, part, f"{where}[{i}]") for i, (item, part) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is dict and isinstance(value, Mapping):
        return {key: convert(arguments[1], part, f"{where}.{key}") for key, part in value.items()}
    if origin is typing.Literal:
        if value not in arguments:
            raise UserError(f"'{where}' must be one of {', '.join(map(str, arguments))}, but is {value!r}")
        return value
    return scalar(kind, value, where)


def scalar(kind: Any, value: Any, where: str) -> Any:
    """Check a bool, int, float, str or Path; an int is a float, nothing else is anything else."""
    if kind is Any:
        return value
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        check(abs(value) < 2**1023, f"'{where}' is too large a number")
        return float(value)
    finite = not isinstance(value, float) or math.isfinite(value)
    check(finite, f"'{where}' must be a finite number, but is {value}")
    if not isinstance(kind, type) or not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        name = "a list" if typing.get_origin(kind) is tuple else KINDS.get(kind, "a section of keys")
        raise UserError(f"'{where}' must be {name}, but is {value!r}")
    return value


def plain(value: Any) -> Any:
    """The inverse of build: dataclasses to dicts, tuples to lists, paths to strings; ready for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def placeless(tree: Any) -> Any:
    """A configuration without the folders that its paths start at."""
    if isinstance(tree, dict):
        return {key: placeless(value) for key, value in tree.items() if key != "root" or isinstance(value, dict)}
    return [placeless(value) for value in tree] if isinstance(tree, list) else tree


def read_toml(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a TOML file and lay overrides over it.

    Raises:
        UserError: for a missing or malformed file, or as `override`.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}: mend its path") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    override(tree, overrides)
    return tree


def override(tree: dict[str, Any], overrides: Sequence[str]) -> None:
    """Lay `dotted.key=value` over a tree; a value is TOML, or else a plain string.

    Raises:
        UserError: for one without `=`, or whose sections are none.
    """
    for one in overrides:
        key, equals, text = one.partition("=")
        if not equals or not key:
            raise UserError(f"override '{one}' must look like section.key=value")
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise UserError(f"override '{one}': '{parent}' is not a section")
        node[last] = parse_value(text)


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none (`model.cell=gru` needs no quotes)."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
