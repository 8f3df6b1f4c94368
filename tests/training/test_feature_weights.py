"""Weights of features: what wins, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.errors import UserError
from training.feature_weights import FeatureWeights, choose_weights, write_weights

DEFAULTS = {"Total0": 1.0, "Joint0": 1.0, "Tokens0": 0.0}
BUNDLES = {"Joint0": "better"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "w.json"
    write_weights(path, FeatureWeights({"Total0": 0.5, "Joint0": -0.25, "Tokens0": 2}, BUNDLES, {"after": 30.5}))
    return path


def test_flags_win_over_a_file_and_a_file_over_defaults(file: Path) -> None:
    assert choose_weights(DEFAULTS, None, BUNDLES, []) == DEFAULTS
    assert choose_weights(DEFAULTS, file, BUNDLES, []) == {"Total0": 0.5, "Joint0": -0.25, "Tokens0": 2}
    assert choose_weights(DEFAULTS, file, BUNDLES, ["Joint0=3"])["Joint0"] == 3
    assert choose_weights(DEFAULTS, None, BUNDLES, ["Tokens0=-1e-2"]) == DEFAULTS | {"Tokens0": -0.01}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"weights": {"Total0": 1, "Joint0": 1, "Tokens0": 0, "LM0": 1}}, "no feature LM0; there are: Total0, Joint0"),
        ({"weights": {"Total0": 1}}, "w.json gives no weight for Joint0, Tokens0"),
        ({"weights": {"Total0": "much"}}, "'weights.Total0' must be a number, but is 'much'"),
        ({"weights": {"Total0": float("nan")}}, "'weights.Total0' must be a finite number"),
        ({"weight": {}}, "w.json: unknown key 'weight'"),
        ({"weights": {}, "bundles": {"Joint0": "other"}}, "tuned with the bundle other as Joint0, not better"),
        ([1, 2], "w.json must hold an object"),
    ],
)
def test_a_file_that_does_not_fit_is_told(tmp_path: Path, tree: object, message: str) -> None:
    (tmp_path / "w.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        choose_weights(DEFAULTS, tmp_path / "w.json", BUNDLES, [])


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*No such file"):
        choose_weights(DEFAULTS, tmp_path / "w.json", BUNDLES, [])
    (tmp_path / "w.json").write_bytes(b"\xff{")
    with pytest.raises(UserError, match=r"w\.json is no JSON"):
        choose_weights(DEFAULTS, tmp_path / "w.json", BUNDLES, [])


@pytest.mark.parametrize("flag", ["Joint0", "Joint0=", "=1", "Joint0=much", "Joint0=inf"])
def test_a_weight_that_is_none_is_told(flag: str) -> None:
    with pytest.raises(UserError, match="expected NAME=VALUE"):
        choose_weights(DEFAULTS, None, BUNDLES, [flag])


def test_a_flag_for_a_feature_there_is_not_is_told() -> None:
    with pytest.raises(UserError, match="--weight: there is no feature LM0; there are: Total0, Joint0, Tokens0"):
        choose_weights(DEFAULTS, None, BUNDLES, ["LM0=1"])
