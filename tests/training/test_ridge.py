"""Ridge regression of the output layer: against dense solutions, whatever the batches, and as a run that resumes.

Legend: B sentences, T target positions, N positions, F features, V vocabulary.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy import overrides, write_toy

from data.batching import BatchStream
from data.collate import Batch, collate
from data.errors import UserError
from data.prepare import Prepared, prepare
from models.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from models.seq2seq import Seq2Seq
from training import checkpoint, ridge_trainer
from training.config import load_recipe
from training.distributed import World
from training.ridge import SCALES, NormalEquations, Readout, states
from training.ridge_trainer import RidgeTrainer
from training.run import train_recipe
from training.start import load_start

RIDGE = {
    "training__method": "ridge",
    "training__dev_sentences": 20,
    "training__log_every": 5,
    "model__tie": "none",
    "model__width": 64,
    "model__encoder__cell": "esn",
    "model__decoder__cell": "esn",
    "model__decoder__layers": 1,
    "model__decoder__hidden": 64,
    "model__decoder__bridge": "ends",
    "model__attention__kind": "fixed",
}


def network(output_bias: bool = True) -> Seq2Seq:
    torch.manual_seed(1)
    config = ModelConfig(
        vocabulary_size=9,
        width=6,
        tie="none",
        output_bias=output_bias,
        encoder=EncoderConfig(cell="esn", hidden=8),
        decoder=DecoderConfig(cell="esn", hidden=8, bridge="ends"),
        attention=AttentionConfig(kind="none"),
    )
    return Seq2Seq(config).eval().requires_grad_(False)


def pairs(count: int = 40) -> list[tuple[list[int], list[int]]]:
    generator = torch.Generator().manual_seed(2)
    lengths = torch.randint(1, 6, (count,), generator=generator).tolist()
    texts = [torch.randint(4, 9, (length,), generator=generator).tolist() for length in lengths]
    return [([*text, 3], text[::-1]) for text in texts]


def batches(size: int) -> list[Batch]:
    parts = [pairs()[start : start + size] for start in range(0, len(pairs()), size)]
    return [collate([source for source, _ in part], [target for _, target in part]) for part in parts]


def summed(made: Seq2Seq, size: int, washout: int = 0) -> NormalEquations:
    sums = NormalEquations(made)
    for batch in batches(size):
        sums.add(*states(made, batch, washout))
    return sums


def all_states(made: Seq2Seq) -> tuple[Tensor, Tensor]:
    """Features and words of all positions, one sentence at a time, in float64."""
    found = [states(made, batch) for batch in batches(1)]
    hidden_ND, word_N = (torch.cat(part) for part in zip(*found, strict=True))
    return hidden_ND.double(), word_N


@pytest.mark.parametrize("output_bias", [True, False])
def test_the_solution_is_that_of_least_squares(output_bias: bool) -> None:
    """The penalty as rows of its own: sqrt(penalty) times each weight, which should be 0."""
    made, strength = network(output_bias), 0.01
    hidden_NF, word_N = all_states(made)
    wanted_NV = torch.nn.functional.one_hot(word_N, 9).double()
    penalty_FF = math.sqrt(strength * len(word_N)) * torch.eye(6, dtype=torch.float64)
    if output_bias:
        hidden_NF = torch.cat([hidden_NF, torch.ones(len(word_N), 1, dtype=torch.float64)], 1)
        penalty_FF = torch.cat([penalty_FF, torch.zeros(6, 1, dtype=torch.float64)], 1)
    system, goal = torch.cat([hidden_NF, penalty_FF]), torch.cat([wanted_NV, wanted_NV.new_zeros(6, 9)])
    expected_FV = torch.linalg.lstsq(system, goal).solution
    torch.testing.assert_close(summed(made, 8).solve(strength).t(), expected_FV, atol=1e-6, rtol=0)


def test_batches_of_any_size_give_the_same_sums() -> None:
    made = network()
    one, other = summed(made, 3), summed(made, 40)
    assert float(one.positions) == sum(len(target) + 1 for _, target in pairs())
    torch.testing.assert_close(one.gram_FF, other.gram_FF, atol=1e-4, rtol=1e-6)
    torch.testing.assert_close(one.solve(1e-3), other.solve(1e-3), atol=1e-5, rtol=0)


def test_washout_leaves_out_where_targets_begin() -> None:
    made = network()
    sums = summed(made, 8, washout=2)
    hidden_ND, word_N = states(made, batches(40)[0], 2)
    assert float(sums.positions) == sum(max(0, len(target) - 1) for _, target in pairs()) == len(word_N)
    torch.testing.assert_close(sums.gram_FF[:6, :6], hidden_ND.double().T @ hidden_ND.double(), atol=1e-4, rtol=1e-6)


def test_what_is_chosen_makes_the_dev_set_most_probable() -> None:
    made = network()
    sums, (hidden_NF, word_N) = summed(made, 8), all_states(made)
    hidden_NF = torch.cat([hidden_NF, torch.ones(len(word_N), 1, dtype=torch.float64)], 1)
    strengths = (1e-5, 10.0)
    expected = {
        (strength, factor): -float(
            (factor * hidden_NF @ sums.solve(strength).T).log_softmax(1).gather(1, word_N[:, None]).mean()
        )
        for strength in strengths
        for factor in SCALES
    }
    chosen = sums.choose(made, batches(7), strengths)
    assert (chosen.strength, chosen.scale) == min(expected, key=lambda key: expected[key])
    assert chosen.nll == pytest.approx(min(expected.values()), rel=1e-5)
    chosen.put(made)
    logits_NV = made.logits(hidden_NF[:, :6].float())
    assert float(torch.nn.functional.cross_entropy(logits_NV, word_N)) == pytest.approx(chosen.nll, rel=1e-4)


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(UserError, match=r"'model.reservoir.washout' skips all targets"):
        summed(network(), 8, washout=50).solve(1e-3)


def test_states_that_are_no_numbers_are_told() -> None:
    sums = NormalEquations(network())
    sums.add(torch.full((10, 6), float("nan")), torch.full((10,), 5))
    with pytest.raises(UserError, match=r"states grow beyond all numbers: lower 'model\.reservoir\.spectral_radius'"):
        sums.solve(1e-3)


def test_a_strength_that_cannot_be_solved_is_told() -> None:
    sums = NormalEquations(network(output_bias=False))
    sums.add(torch.ones(10, 6), torch.full((10,), 5))
    with pytest.raises(UserError, match="'ridge_strength' 1e-18 is too small to solve for the output layer: raise it"):
        sums.solve(1e-18)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy(folder)
    return folder


def trainer(toy: Path, folder: Path, **changes: Any) -> RidgeTrainer:
    recipe = load_recipe(toy / "toy.toml", overrides(toy, **{**RIDGE, **changes}))
    return RidgeTrainer(recipe, folder, prepared(toy), World())


def prepared(toy: Path) -> Prepared:
    recipe = load_recipe(toy / "toy.toml", overrides(toy))
    return prepare(recipe.data, toy / "prepared", recipe.seed)


def last(folder: Path) -> checkpoint.Checkpoint:
    return checkpoint.load(checkpoint.resolve(folder / "checkpoints", "last"))


def test_the_output_layer_alone_is_learned(toy: Path, tmp_path: Path) -> None:
    made = trainer(toy, tmp_path)
    before = {name: part.detach().clone() for name, part in made.network.named_parameters()}
    made.run()
    found = last(tmp_path).model
    assert {name for name, part in before.items() if not torch.equal(found[name], part)} == {
        "output_weight",
        "output_bias",
    }
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {record["kind"] for record in records} == {"look", "ridge", "dev"}
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_another_pass_goes_on_with_the_sums(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in its second pass, a run keeps the first and ends as if nothing had happened."""
    sampled = {"batching__sampling": 0.2, "training__ridge_passes": 2}
    trainer(toy, tmp_path / "whole", **sampled).run()

    made = trainer(toy, tmp_path / "cut", **sampled)
    original, calls = ridge_trainer.states, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += made.passes == 1
        if calls == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(ridge_trainer, "states", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    monkeypatch.setattr(ridge_trainer, "states", original)
    assert last(tmp_path / "cut").state["position"] == [1, 0, 0]
    trainer(toy, tmp_path / "cut", **sampled).run()
    one, other = last(tmp_path / "whole"), last(tmp_path / "cut")
    assert all(torch.equal(one.model[name], other.model[name]) for name in one.model)
    assert all(torch.equal(one.optimizer[name], other.optimizer[name]) for name in one.optimizer)
    assert (one.state["update"], one.state["tokens"]) == (other.state["update"], other.state["tokens"])


def test_scores_of_other_sentences_are_no_measure(toy: Path, tmp_path: Path) -> None:
    trainer(toy, tmp_path).run()
    assert trainer(toy, tmp_path).best is not None
    assert trainer(toy, tmp_path, training__dev_sentences=3).best is None


def test_a_finished_run_says_so(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer(toy, tmp_path).run()
    before = last(tmp_path).state
    capsys.readouterr()
    trainer(toy, tmp_path).run()
    assert "done: " in capsys.readouterr().err
    assert last(tmp_path).state == before


def test_processes_that_share_a_run_add_up_their_sums(toy: Path, tmp_path: Path) -> None:
    words = overrides(toy, **{**RIDGE, "training__dev_sentences": 4})
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29713"]
    done = subprocess.run(
        [*command, "-m", "mt_service", "train", str(toy / "toy.toml"), *words],
        env={**os.environ, "MT_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, made = last(tmp_path / "runs" / "toy"), trainer(toy, tmp_path / "alone")
    for rank in range(2):
        stream = BatchStream(prepared(toy), made.recipe.batching, made.recipe.seed, rank, 2)
        while stream.position.epoch == 0:
            made.sums.add(*states(made.network, next(stream)))
    assert float(found.optimizer["positions"]) == found.state["tokens"] == float(made.sums.positions)
    for name, part in made.sums.parts.items():
        torch.testing.assert_close(found.optimizer[name], part)


def test_a_tied_output_layer_is_refused(toy: Path) -> None:
    for tie in ("three_way", "target"):
        with pytest.raises(UserError, match=f"'model.tie' {tie} makes that layer an embedding too: set 'model.tie' to"):
            load_recipe(toy / "toy.toml", overrides(toy, **{**RIDGE, "model__tie": tie}))


def test_no_dev_set_to_choose_by_is_told(toy: Path, tmp_path: Path) -> None:
    recipe = load_recipe(toy / "toy.toml", overrides(toy, **RIDGE))
    bare = prepared(toy)
    bare.dev.clear()
    with pytest.raises(UserError, match="ridge chooses its strength on a dev set: name one, or hold pairs out"):
        RidgeTrainer(recipe, tmp_path / "run", bare, World())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("strength", ["[]", "[0.0]", "[0.1, -1.0]"])
def test_a_penalty_must_be_one(toy: Path, strength: str) -> None:
    with pytest.raises(UserError, match="'ridge_strength' must be one number above 0 or several"):
        load_recipe(toy / "toy.toml", overrides(toy, training__ridge_strength=strength))


def test_a_trained_network_may_be_read_out_anew(toy: Path, tmp_path: Path) -> None:
    few = {"training__updates": 4, "training__evaluate_every": 4, "training__dev_sentences": 4, "model__tie": "none"}
    assert train_recipe(toy / "toy.toml", overrides(toy, name="first", **few), toy / "home") == 0
    recipe = load_recipe(toy / "toy.toml", overrides(toy, **few, training__method="ridge"))
    start = load_start(Path("first"), toy / "home")
    made = RidgeTrainer(recipe, tmp_path, prepared(toy), World(), start)
    assert torch.equal(made.network.source_weight, start.weights["source_weight"])
    made.run()
    assert last(tmp_path).state["nll"] < 4.5


def test_a_readout_without_bias_is_put_in_place() -> None:
    made = network(output_bias=False)
    Readout(torch.full((9, 6), 0.5, dtype=torch.float64), 1.0, 1.0, 0.0).put(made)
    assert torch.equal(made.output_weight, torch.full((9, 6), 0.5))
