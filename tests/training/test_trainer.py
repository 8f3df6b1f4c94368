"""Runs that are killed, stopped, shared between processes or fed nonsense."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from toy import overrides, write_toy

from data.errors import UserError
from data.prepare import prepare
from models.cells import reservoir
from models.truncation import Recurrent
from training import checkpoint
from training.average import choose_weights
from training.config import TrainingConfig, load_recipe
from training.distributed import World
from training.recipe_files import RECIPE
from training.run import INTERRUPTED, train_recipe
from training.run_folder import agree, differences
from training.trainer import NotFiniteError, Trainer

TINY = {
    "training__updates": 40,
    "training__evaluate_every": 20,
    "training__checkpoint_every": 8,
    "training__dev_sentences": 10,
    "training__log_every": 10,
    "model__dropout__residual": 0.2,
    "model__dropout__word": 0.1,
    "batching__sampling": 0.1,
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    return tmp_path


def command(toy: Path, **changes: Any) -> list[str]:
    words = overrides(toy, **{**TINY, **changes})
    return [sys.executable, "-m", "mt_service", "train", str(toy / "toy.toml"), *words]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "MT_HOME": str(home), "OMP_NUM_THREADS": "1"}


def start(toy: Path, home: Path, **changes: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(toy, **changes), env=environment(home), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for_checkpoint(home: Path, process: subprocess.Popen[str]) -> None:
    folder = home / "runs" / "toy" / "checkpoints"
    deadline = time.monotonic() + 60
    while not (folder / "last.json").exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def final(home: Path) -> checkpoint.Checkpoint:
    return checkpoint.load(checkpoint.resolve(home / "runs" / "toy" / "checkpoints", "last"))


def assert_same(one: checkpoint.Checkpoint, other: checkpoint.Checkpoint) -> None:
    for part in ("model", "average", "optimizer"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert mine.keys() == theirs.keys()
        assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []
    for key in ("update", "position", "tokens", "random", "score", "best", "without_progress"):
        assert one.state[key] == other.state[key], key


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_run_that_was_killed_goes_on_to_the_bit(toy: Path, kind: str) -> None:
    words = command(toy, optimizer__kind=kind)
    assert subprocess.run(words, env=environment(toy / "whole"), capture_output=True, check=True)
    process = start(toy, toy / "killed", optimizer__kind=kind)
    wait_for_checkpoint(toy / "killed", process)
    process.kill()
    process.communicate()
    done = subprocess.run(words, env=environment(toy / "killed"), capture_output=True, text=True, check=True)
    assert "going on from update" in done.stderr
    assert_same(final(toy / "whole"), final(toy / "killed"))
    updates = [json.loads(line)["update"] for line in (toy / "killed/runs/toy/metrics.jsonl").read_text().splitlines()]
    assert updates == [10, *[20] * 4, 30, *[40] * 4]  # a report, dev scores, sizes of matrices


def test_no_two_processes_train_in_one_folder(toy: Path) -> None:
    first = start(toy, toy / "home", training__updates=100_000, training__evaluate_every=100_000)
    wait_for_checkpoint(toy / "home", first)
    second = subprocess.run(command(toy, training__updates=100_000), env=environment(toy / "home"), capture_output=True)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert b"another process trains in" in second.stderr
    assert final(toy / "home").state["update"] > 0


def test_sigterm_saves_and_the_exit_code_says_that_the_run_is_not_complete(toy: Path) -> None:
    process = start(toy, toy / "home", training__updates=100_000, training__evaluate_every=100_000)
    wait_for_checkpoint(toy / "home", process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "interrupted and saved" in said
    assert f"update {final(toy / 'home').state['update']:,};" in said


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_two_processes_learn_what_one_does(toy: Path, kind: str) -> None:
    """Two ranks with one batch each are one rank that accumulates two; without dropout the losses are the same."""
    plain = {"model__dropout__residual": 0.0, "model__dropout__word": 0.0, "batching__sampling": 0.0}
    plain |= {"training__updates": 10, "training__log_every": 1, "training__evaluate_every": 10}
    plain |= {"optimizer__kind": kind}
    done = subprocess.run(
        command(toy, **plain, training__accumulate=2), env=environment(toy / "one"), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shared = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29711"]
    done = subprocess.run(
        [*shared, *command(toy, **plain)[1:]], env=environment(toy / "two"), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    curves = []
    for home in ("one", "two"):
        lines = (toy / home / "runs/toy/metrics.jsonl").read_text().splitlines()
        curves.append([record["loss"] for record in map(json.loads, lines) if record["kind"] == "train"])
    assert len(curves[0]) == 10
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)


def trainer(toy: Path, **changes: Any) -> Trainer:
    recipe = load_recipe(toy / "toy.toml", overrides(toy, **{**TINY, **changes}))
    prepared = prepare(recipe.data, toy / "prepared", recipe.seed)
    return Trainer(recipe, toy / "runs" / recipe.name, prepared, World())


def test_a_loss_that_is_not_finite_names_its_batch_and_changes_nothing(toy: Path) -> None:
    made = trainer(toy)
    made.step()
    with torch.no_grad():
        made.network.encoder.norm.weight[0] = float("nan")
    before = {name: part.detach().clone() for name, part in made.network.named_parameters()}
    with pytest.raises(NotFiniteError, match=r"update 2 stopped the run: loss nan .* pairs \d+, \d+"):
        made.step()
    for name, part in made.network.named_parameters():
        torch.testing.assert_close(part.detach(), before[name], equal_nan=True)


def test_gradients_are_cut_number_by_number(toy: Path) -> None:
    made = trainer(toy, training__clip_value=1e-4, training__clip_norm=0.0)
    made.step()
    gradients = [part.grad.abs().max() for part in made.network.parameters() if part.grad is not None]
    assert float(max(gradients)) == pytest.approx(1e-4)


def first_gradients(toy: Path, clip_norm: float) -> tuple[float, list[torch.Tensor]]:
    """The norm that a run's first step tells, and the gradients that it leaves."""
    made = trainer(toy, name=f"norm-{clip_norm:g}", training__clip_norm=clip_norm)
    norm = made.step().norm
    return norm, [part.grad for part in made.network.parameters() if part.grad is not None]


def test_gradients_are_scaled_down_to_a_norm(toy: Path) -> None:
    """All by one factor, and only where they are longer."""
    norm, free = first_gradients(toy, 0.0)
    told, cut = first_gradients(toy, norm / 4)
    assert told == norm
    torch.testing.assert_close(cut, [part / 4 for part in free])
    assert all(torch.equal(one, other) for one, other in zip(free, first_gradients(toy, 2 * norm)[1], strict=True))


def test_two_passes_begin_at_the_share_of_the_updates_that_the_recipe_says(toy: Path) -> None:
    made = trainer(toy, training__updates=5, training__agreement=2.0, training__agreement_after=0.5)
    rows = list[int]()
    made.network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    for _ in range(5):
        made.step()
    again = trainer(toy, name="again", training__updates=5)
    once = [len(next(again.stream).source_BS) for _ in range(5)]
    assert rows == [*once[:3], *(2 * count for count in once[3:])]


@pytest.mark.parametrize(
    ("agreement", "share", "twice"), [(0.0, 0.0, 0), (3.0, 0.0, 30), (3.0, 0.3, 21), (3.0, 0.34, 19), (3.0, 0.99, 0)]
)
def test_passes_that_are_left_are_those_of_the_updates_that_are_left(
    agreement: float, share: float, twice: int
) -> None:
    config = TrainingConfig(updates=30, agreement=agreement, agreement_after=share)
    each = [config.passes(update) for update in range(30)]
    assert each.count(2) == twice
    assert [config.passes_left(update) for update in range(31)] == [sum(each[start:]) for start in range(31)]


def test_a_recipe_truncates_every_recurrence(toy: Path) -> None:
    made = trainer(toy, training__truncate=3)
    found = [part.truncate for part in made.network.modules() if isinstance(part, Recurrent)]
    assert found == [3] * 4  # two directions of the encoder, two decoder cells
    with pytest.raises(UserError, match="'truncate' must not be negative, but is -1"):
        trainer(toy, training__truncate=-1)


def test_a_run_that_blows_up_ends_with_a_sentence(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {**TINY, "optimizer__rate": 1e30, "optimizer__warmup": 0, "training__clip_norm": 0.0}
    assert train_recipe(toy / "toy.toml", overrides(toy, **changes), toy / "home") == 1
    assert "mt: error: update" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["best", "last", "average"])
def test_reservoirs_come_back_from_a_checkpoint(toy: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine that draws others."""
    made = trainer(toy, model__encoder__cell="esn")
    made.step()
    made.save(1.0)
    monkeypatch.setattr(reservoir, "spectral_radius", lambda *_: 0.1)
    again = trainer(toy, model__encoder__cell="esn")
    frozen = dict(made.network.named_buffers())
    chosen, _ = choose_weights(made.folder, which, 2)
    assert len(frozen) == 8
    for found in (dict(again.network.named_buffers()), chosen):
        assert all(torch.equal(found[name], part) and found[name].dtype == part.dtype for name, part in frozen.items())


def test_another_recipe_may_not_go_on_with_a_run(toy: Path) -> None:
    trainer(toy)
    with pytest.raises(UserError, match=r"another recipe \(model.encoder.hidden, optimizer.rate differ\)"):
        trainer(toy, optimizer__rate=0.5, model__encoder__hidden=16)


def test_corpora_may_lie_elsewhere_when_a_run_goes_on(toy: Path, tmp_path: Path) -> None:
    recipe = load_recipe(toy / "toy.toml", overrides(toy))
    train = tuple(dataclasses.replace(corpus, root=tmp_path / "moved") for corpus in recipe.data.train)
    moved = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, train=train, root=tmp_path))
    agree(tmp_path / "run", recipe)
    agree(tmp_path / "run", moved)
    assert json.loads((tmp_path / "run" / RECIPE).read_text())["data"]["root"] == str(tmp_path)
    twice = tuple(dataclasses.replace(corpus, repeat=2) for corpus in train)
    with pytest.raises(UserError, match=r"another recipe \(data\.train differ\)"):
        agree(tmp_path / "run", dataclasses.replace(moved, data=dataclasses.replace(moved.data, train=twice)))


def test_a_run_may_be_made_longer(toy: Path) -> None:
    trainer(toy)
    assert trainer(toy, training__updates=80).recipe.training.updates == 80


def test_a_run_goes_on_when_the_software_has_learned_new_keys(toy: Path) -> None:
    made = trainer(toy)
    path = made.folder / RECIPE
    tree = json.loads(path.read_text(encoding="utf-8"))
    del tree["training"]["accumulate"], tree["model"]["encoder"]["feed_forward"]
    path.write_text(json.dumps(tree), encoding="utf-8")
    trainer(toy)
    assert json.loads(path.read_text(encoding="utf-8"))["training"]["accumulate"] == 1


def test_differences_are_dotted_paths() -> None:
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == {"a.c", "d"}


def test_without_a_dev_set_the_last_weights_are_the_best(toy: Path) -> None:
    changes = {**TINY, "data__dev": "{}", "training__patience": 1}
    assert train_recipe(toy / "toy.toml", overrides(toy, **changes), toy / "home") == 0
    assert checkpoint.resolve(toy / "home/runs/toy/checkpoints", "best").name == "00000040"
    assert (toy / "home/runs/toy/curves.png").exists()


def test_of_equal_scores_the_later_one_is_the_best(toy: Path) -> None:
    made = trainer(toy)
    for score, best, without in ((2.0, 1, 0), (2.0, 2, 1), (1.0, 2, 2), (3.0, 4, 0)):
        made.update += 1
        made.save(score)
        assert checkpoint.resolve(made.folder / "checkpoints", "best").name == f"{best:08d}"
        assert made.without_progress == without


def test_a_finished_run_needs_no_certain_number_of_processes(toy: Path) -> None:
    made = trainer(toy)
    made.update = 7
    made.save(1.0)
    with pytest.raises(UserError, match="was trained by 1 processes: go on with as many, not 2, or train into another"):
        Trainer(made.recipe, made.folder, made.prepared, World(0, 2, 0))
    made.update = made.recipe.training.updates
    made.save(2.0)
    assert Trainer(made.recipe, made.folder, made.prepared, World(0, 2, 0)).complete()


def test_scores_of_other_sentences_are_no_measure(toy: Path) -> None:
    made = trainer(toy)
    made.update = 1
    made.save(90.0)
    assert trainer(toy).best == 90.0
    assert trainer(toy, training__dev_sentences=20).best is None


def test_data_that_was_prepared_anew_is_not_gone_on_with(toy: Path) -> None:
    made = trainer(toy)
    made.update = 1
    made.save(1.0)
    (toy / "train.aa").write_text((toy / "train.aa").read_text().replace("ba", "bax"), encoding="utf-8")
    recipe = load_recipe(toy / "toy.toml", overrides(toy, **TINY))
    prepared = prepare(recipe.data, toy / "prepared" / "toy", recipe.seed)
    with pytest.raises(UserError, match=r"toy was trained on other data than .* holds now \(.*differ\): give this run"):
        Trainer(recipe, made.folder, prepared, World())
    for which in ("best", "last", "average"):
        with pytest.raises(UserError, match="was trained with another vocabulary than"):
            choose_weights(made.folder, which, 1)


def test_a_damaged_recipe_of_a_run_is_told(toy: Path) -> None:
    path = trainer(toy).folder / RECIPE
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"toy is no run, or a damaged one: cannot read recipe\.json"):
        trainer(toy)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training__dev_beam", 0, "'dev_beam' must be at least 1, but is 0"),
        ("training__dev_beam", 10**5, "'dev_beam' must be 1,000 or less, but is 100,000"),
        ("training__threads", 10**5, "'threads' must be 1,024 or less"),
        ("model__decoder__cell", "lsmt", "'model.decoder.cell' must be one of clockwork, .*, but is 'lsmt'"),
        ("optimizer__weight_decay", -1, "'weight_decay' must not be negative, but is -1"),
        ("seed", 2**70, "'seed' must be from 0 to 4,294,967,295"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(toy: Path, key: str, value: int | str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_recipe(toy / "toy.toml", overrides(toy, **{key: value}))


def test_patience_ends_a_run(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {**TINY, "optimizer__rate": 1e-9, "training__patience": 1, "training__evaluate_every": 2}
    assert train_recipe(toy / "toy.toml", overrides(toy, **changes), toy / "home") == 0
    assert "stopped early" in capsys.readouterr().err
    assert final(toy / "home").state["update"] == 4
