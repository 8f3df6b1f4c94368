"""Sizes of recurrent matrices against NumPy, and what a training writes down of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import overrides, write_toy

from models.config import DecoderConfig, EncoderConfig, ModelConfig
from models.seq2seq import Seq2Seq
from training.checkpoint import checkpoints, load
from training.export import network_of
from training.recipe_files import RECIPE
from training.run import train_recipe
from training.run_folder import CHECKPOINTS, read_json
from training.spectra import Spectrum, family, recurrences, spectra, spectrum
from training.telemetry import BOARD, Telemetry


def test_radius_and_norm_are_numpys() -> None:
    matrix = torch.randn(20, 20)
    found, array = spectrum(matrix), matrix.double().numpy()
    assert found.radius == pytest.approx(np.abs(np.linalg.eigvals(array)).max())
    assert found.norm == pytest.approx(np.linalg.svd(array, compute_uv=False)[0])


def test_a_rotation_has_radius_one_though_its_eigenvalues_are_complex() -> None:
    assert spectrum(torch.tensor([[0.0, -1.0], [1.0, 0.0]])) == pytest.approx((1.0, 1.0))


def test_a_matrix_that_blew_up_is_infinite() -> None:
    assert spectrum(torch.tensor([[math.nan, 0.0], [0.0, 1.0]])) == (math.inf, math.inf)


def test_every_recurrence_has_a_name() -> None:
    one_way = EncoderConfig(cell="ssru", layers=1, hidden=4, bidirectional=False)
    network = Seq2Seq(ModelConfig(13, 8, encoder=one_way, decoder=DecoderConfig(cell="clockwork", layers=1, hidden=8)))
    assert {name: family(cell) for name, cell in recurrences(network).items()} == {
        "encoder 1 forwards": "ssru",
        "decoder 1": "clockwork",
    }
    assert list(spectra(network)) == ["decoder 1 hidden"]


def test_a_training_records_the_matrices_it_evaluates(tmp_path: Path) -> None:
    sizes = {"training__updates": 4, "training__evaluate_every": 2, "training__checkpoint_every": 100}
    changes = overrides(tmp_path, **sizes, training__dev_sentences=4, model__decoder__cell="ssru")
    assert train_recipe(write_toy(tmp_path), changes, tmp_path / "home") == 0
    run = tmp_path / "home" / "runs" / "toy"
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for path in checkpoints(run / CHECKPOINTS):
        one = load(path)
        vocabulary = len(one.model["source_weight"])
        expected = spectra(network_of(read_json(run / RECIPE), one.average, vocabulary))
        assert len(expected) == 8
        for size in ("radius", "norm"):
            (found,) = [
                record for record in records if record["kind"] == size and record["update"] == one.state["update"]
            ]
            assert {name: found[name] for name in expected} == {
                name: getattr(sized, size) for name, sized in expected.items()
            }


def test_tensorboard_shows_the_matrices_through_training(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    telemetry, found = Telemetry(tmp_path, 0), {1: Spectrum(0.5, 2.0), 2: Spectrum(0.75, 2.5)}
    for update, one in found.items():
        telemetry.matrices(update, {"decoder 2 forget": one})
    telemetry.close()
    board = accumulator.EventAccumulator(str(tmp_path / BOARD)).Reload()
    for size in Spectrum._fields:
        shown = {event.step: event.value for event in board.Scalars(f"{size}/decoder 2 forget")}
        assert shown == {update: getattr(one, size) for update, one in found.items()}
