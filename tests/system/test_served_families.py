"""Whatever can be trained is exported and served: networks without attention, and cells nobody has thought of yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from toy import overrides, write_toy

from data.prepare import Prepared
from models.bundle import read_bundle
from models.cells import CELLS, HiddenState, register
from models.cells.base import RecurrentCell
from models.hypotheses import SearchOptions
from mt_service.cli import main
from training.evaluation import translate
from training.run import train_recipe
from training.run_folder import prepared_folder

SHORT = {f"training__{name}": 60 for name in ("updates", "evaluate_every", "checkpoint_every")}
FAMILIES: dict[str, dict[str, Any]] = {
    "sutskever": {
        "model__encoder__reverse_source": "true",
        "model__encoder__bidirectional": "false",
        "model__encoder__layers": 2,
        "model__decoder__bridge": "ends",
        "model__attention__kind": "none",
    },
    "cho": {
        "model__encoder__cell": "gru_cho",
        "model__encoder__bidirectional": "false",
        "model__decoder__cell": "gru_cho",
        "model__decoder__bridge": "ends",
        "model__attention__kind": "fixed",
    },
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MT_THREADS", "1")


def served(folder: Path, changes: dict[str, Any]) -> tuple[Path, list[str]]:
    """Train a little, export and translate the dev set through the service's own path; the bundle and the lines."""
    assert train_recipe(write_toy(folder), overrides(folder, **SHORT, **changes), folder / "home") == 0
    run, bundle, output = folder / "home" / "runs" / "toy", folder / "bundle", folder / "output.bb"
    exact = ("--beam", "1", "--length-penalty", "1", "--storage", "float32")
    assert main(["export", str(run), str(bundle), *exact]) == 0
    files = ("--input", str(folder / "dev.aa"), "--output", str(output), "--quiet")
    assert main(["translate", "--bundle", str(bundle), "--source", "aa", "--target", "bb", *files]) == 0
    return bundle, output.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_network_without_attention_is_served_as_it_was_trained(name: str, tmp_path: Path) -> None:
    bundle, found = served(tmp_path, FAMILIES[name])
    prepared = Prepared.load(prepared_folder(tmp_path / "home" / "runs" / "toy"))
    sources = [pair.source for pair in prepared.dev["toy"]]
    network = read_bundle(bundle).network()
    expected = translate(network, prepared.tokenizer, sources, "bb", SearchOptions(beam=1, length_penalty=1.0))
    assert found == expected
    assert len(set(found)) > 10


@pytest.fixture
def new_cell() -> Iterator[str]:
    """A cell of one class and one line of registration, for the time of a test."""

    @register("halving")
    class Halving(RecurrentCell):
        """h = tanh(W x + U h / 2 + b)."""

        gates = 1

        def forward(self, input_BTI: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
            hidden_BH, outputs = state.hidden_BH, list[Tensor]()
            weight_HH = self.recurrent_weight()
            for given_BH in functional.linear(input_BTI, self.weight_ih, self.bias).unbind(1):
                hidden_BH = torch.tanh(given_BH + functional.linear(hidden_BH, weight_HH) / 2)
                outputs.append(hidden_BH)
            return torch.stack(outputs, 1), HiddenState(hidden_BH)

    yield "halving"
    del CELLS["halving"]


def test_a_new_cell_costs_a_class_and_a_line(new_cell: str, tmp_path: Path) -> None:
    """It trains with truncation and DropConnect, is exported, served, looked into and told of."""
    changes = {"model__encoder__cell": new_cell, "model__decoder__cell": new_cell}
    noise = {"model__dropout__recurrent": 0.1, "training__truncate": 4, "model__recurrent_start": "sparse"}
    bundle, found = served(tmp_path, changes | noise)
    assert len(set(found)) > 10
    assert (
        json.loads((bundle / "config.json").read_text(encoding="utf-8"))["architecture"]["encoder"]["cell"] == new_cell
    )
    run = tmp_path / "home" / "runs" / "toy"
    assert main(["diagnose", str(run)]) == 0
    told = json.loads((run / "diagnosis" / "diagnosis.json").read_text(encoding="utf-8"))["recurrences"]
    assert [one["cell"] for one in told.values()] == [new_cell] * 4
    assert all(one["gradient"]["mean"][1] > 0 and one["matrices"]["hidden"] for one in told.values())
