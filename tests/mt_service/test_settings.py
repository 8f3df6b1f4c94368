"""Settings from the environment and flags."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.errors import UserError
from mt_service.settings import Settings, load_settings


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings({"PATH": "/bin"}) == Settings()


def test_variables_are_read_by_kind() -> None:
    bundles = os.pathsep.join(["one", "two"])
    environment = {"MT_PORT": "9", "MT_DEADLINE_SECONDS": "1.5", "MT_HOME": "there", "MT_BUNDLES": bundles}
    settings = load_settings(environment)
    assert (settings.port, settings.deadline_seconds, settings.home) == (9, 1.5, Path("there"))
    assert settings.bundles == ("one", "two")


def test_a_token_of_digits_stays_text() -> None:
    assert load_settings({"MT_ADMIN_TOKEN": "0123"}).admin_token == "0123"


def test_a_level_may_be_in_capitals() -> None:
    assert load_settings({"MT_LOG_LEVEL": "WARNING"}).log_level == "warning"


def test_flags_go_before_variables() -> None:
    assert load_settings({"MT_PORT": "9"}, port=10, host=None) == Settings(port=10)


def test_an_unknown_variable_lists_the_valid_ones() -> None:
    with pytest.raises(UserError, match=r"unknown environment variable MT_PROT; valid ones are: .*MT_PORT"):
        load_settings({"MT_PROT": "1"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MT_PORT", "tcp://10.0.0.1:80"),
        ("MT_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("MT_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("MT_SERVICE_HOST", "10.0.0.1"),
        ("MT_SERVICE_PORT", "tcp://10.0.0.1:80"),
        ("MT_SERVICE_PORT_HTTP", "80"),
        ("MT_SERVICE_SERVICE_HOST", "10.0.0.1"),
        ("MT_SERVICE_PORT_80_TCP_PROTO", "tcp"),
    ],
)
def test_variables_that_kubernetes_sets_beside_a_service_are_passed_over(variable: str, value: str) -> None:
    assert load_settings({variable: value}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MT_PORT", "70000", "'port' (MT_PORT) must be from 0 to 65,535, but is 70000"),
        ("MT_PORT", "http", "MT_PORT"),
        ("MT_MAX_ROWS", "-1", "'max_rows' (MT_MAX_ROWS) must be from 0 to"),
        ("MT_DEADLINE_SECONDS", "nan", "MT_DEADLINE_SECONDS"),
        ("MT_DEVICE", "tpu", "MT_DEVICE"),
        ("MT_HOST", "", "'host' (MT_HOST) is empty: leave it out, or say 0.0.0.0"),
        ("MT_LOG_LEVEL", "LOUD", "'MT_LOG_LEVEL' must be one of debug, info, warning, error, but is 'LOUD'"),
        ("MT_ROOT_PATH", "translate/", "'root_path' (MT_ROOT_PATH) must look like /mt"),
    ],
)
def test_a_bad_value_names_variable_and_range(variable: str, value: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_settings({variable: value})
    assert message in str(caught.value)
