from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from data.config import build, check, plain, read_toml
from data.errors import UserError


@dataclass(frozen=True)
class Inner:
    size: int = 1
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        check(self.size > 0, "size must be positive")


@dataclass(frozen=True)
class Outer:
    path: Path
    rate: float = 0.5
    on: bool = True
    names: tuple[str, ...] = ()
    two: tuple[int, int] = (1, 2)
    maybe: int | None = None
    inner: Inner = field(default_factory=Inner)
    many: dict[str, Inner] = field(default_factory=dict)
    place: Path | None = None


def test_plain_is_the_inverse_of_build() -> None:
    value = Outer(Path("x"), 1.5, False, ("a", "b"), (3, 4), 5, Inner(2, "b"), {"k": Inner(3)})
    assert build(Outer, plain(value)) == value


def test_an_empty_text_is_no_path_where_there_may_be_none() -> None:
    assert build(Outer, {"path": "x", "place": ""}).place is None
    assert build(Outer, {"path": "x", "place": "y"}).place == Path("y")


def test_an_int_is_a_float_but_nothing_else() -> None:
    assert build(Outer, {"path": "x", "rate": 2}).rate == 2.0


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "missing key 'path'"),
        ({"path": "x", "sise": 1}, "unknown key 'sise'; valid keys are: inner, many"),
        ({"path": "x", "inner": {"sise": 1}}, "unknown key 'inner.sise'; valid keys are: kind, size"),
        ({"path": "x", "inner": {"size": 0}}, r"\[inner\] size must be positive"),
        ({"path": "x", "inner": {"kind": "c"}}, "'inner.kind' must be one of a, b, but is 'c'"),
        ({"path": "x", "many": {"k": {"size": "1"}}}, "'many.k.size' must be a whole number, but is '1'"),
        ({"path": "x", "rate": True}, "'rate' must be a number"),
        ({"path": "x", "inner": 3}, "'inner' must be a section of keys, but is 3"),
        ({"path": "x", "two": [1]}, "'two' must have 2 values, but has 1"),
        ({"path": "x", "names": "ab"}, "'names' must be"),
        ({"path": "x", "names": [1]}, r"'names\[0\]' must be text"),
    ],
)
def test_a_wrong_key_or_value_is_named(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(Outer, mapping)


def test_overrides_are_laid_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[model]\nwidth = 1\ncell = "lstm"\n', encoding="utf-8")
    tree = read_toml(path, ["model.width=2", "model.cell=gru", "data.names=['a']", "seed = 3"])
    assert tree["model"] == {"width": 2, "cell": "gru"}
    assert tree["data"] == {"names": ["a"]}


@pytest.mark.parametrize("override", ["model", "=1", "model.width.deep=1"])
def test_a_malformed_override_is_named(tmp_path: Path, override: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[model]\nwidth = 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="override"):
        read_toml(path, [override])


def test_a_missing_or_malformed_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    with pytest.raises(UserError, match=r"^cannot read \S+recipe\.toml: No such file or directory: mend its path$"):
        read_toml(path)
    path.write_text("[model", encoding="utf-8")
    with pytest.raises(UserError, match=r"recipe\.toml: .*end of document"):
        read_toml(path)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("a = 1", encoding="utf-8-sig")
    assert read_toml(tmp_path / "r.toml") == {"a": 1}
