"""How long threads of a training wait, as OpenMP itself tells it, in a process of its own."""

import os
import subprocess
import sys

import pytest

TRAIN = ["-m", "mt_service", "train", "no-such-recipe.toml"]  # torch is imported before the recipe is missed
SET_BY_USERS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def told(words: list[str], **environment: str) -> str:
    """What OpenMP says of its settings when it is loaded."""
    others = {name: value for name, value in os.environ.items() if name not in SET_BY_USERS}
    whole = {**others, "OMP_DISPLAY_ENV": "verbose", **environment}
    found = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, env=whole)
    if "GOMP_SPINCOUNT" not in found.stderr:
        pytest.skip("torch's threads are not those of GNU OpenMP")
    return found.stderr


def test_threads_of_a_training_sleep_soon() -> None:
    assert "GOMP_SPINCOUNT = '10000'" in told(TRAIN)
    assert "GOMP_SPINCOUNT = '10000'" not in told(["-c", "import torch"])


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("GOMP_SPINCOUNT", "77", "GOMP_SPINCOUNT = '77'"), ("OMP_WAIT_POLICY", "passive", "GOMP_SPINCOUNT = '0'")],
)
def test_what_the_user_set_holds(name: str, value: str, found: str) -> None:
    assert found in told(TRAIN, **{name: value})
