"""Echo state networks: against their definition and another implementation, frozen, sparse on disk, with a memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from data.errors import UserError
from data.files import sha256
from models.bundle import FILES, MODEL, SUMS, TOKENIZER, Storage, read_bundle
from models.cells import EchoState, make_cell
from models.cells.reservoir import hear, hear_all, krylov_radius, largest_eigenvalue, spectral_radius
from models.config import CellSettings, DecoderConfig, EncoderConfig, ModelConfig, ReservoirConfig
from models.hypotheses import SearchOptions
from models.search import translate_ids
from models.seq2seq import Seq2Seq, kept_tensors
from models.weights import blank_network, write_bundle

GOLDEN = Path(__file__).parent / "golden" / "format-1"


def reservoir(inputs: int, units: int, seed: int = 1, **changes: Any) -> EchoState:
    torch.manual_seed(seed)
    cell = make_cell("esn", inputs, units, CellSettings(reservoir=ReservoirConfig(**changes)))
    assert isinstance(cell, EchoState)
    return cell


def dense(values_HK: Tensor, columns_HK: Tensor) -> Tensor:
    """The matrix that is never made."""
    units = len(values_HK)
    return values_HK.new_zeros(units, units).scatter_(1, columns_HK.long(), values_HK)


def by_definition(cell: EchoState, input_BTI: Tensor, hidden_BH: Tensor) -> Tensor:
    """Jaeger's equation position by position, with a dense matrix, in float64."""
    weight_HH, leak = dense(cell.values_HK, cell.columns_HK).double(), cell.settings.reservoir.leak
    hidden, outputs = hidden_BH.double(), []
    for position in range(input_BTI.shape[1]):
        summed = input_BTI[:, position].double() @ cell.weight_ih.double().T + hidden @ weight_HH.T + cell.bias.double()
        hidden = (1 - leak) * hidden + leak * torch.tanh(summed)
        outputs.append(hidden)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("leak", [0.3, 1.0])
@pytest.mark.parametrize("positions", [1, 9])
def test_states_against_the_dense_definition(positions: int, leak: float) -> None:
    cell = reservoir(5, 60, leak=leak, bias_scale=0.5)
    input_BTI, hidden_BH = torch.randn(3, positions, 5), torch.randn(3, 60)
    before = hidden_BH.clone()
    output_BTH, state = cell(input_BTI, cell.initial(hidden_BH))
    torch.testing.assert_close(output_BTH.double(), by_definition(cell, input_BTI, hidden_BH), atol=1e-5, rtol=0)
    assert torch.equal(state.hidden_BH, output_BTH[:, -1])
    assert torch.equal(hidden_BH, before)


def test_states_against_reservoirpy() -> None:
    nodes = pytest.importorskip("reservoirpy.nodes")
    cell = reservoir(3, 40, leak=0.4, bias_scale=0.5, connectivity=0.1)
    weight_HH = dense(cell.values_HK, cell.columns_HK).double().numpy()
    other = nodes.Reservoir(lr=0.4, W=weight_HH, Win=cell.weight_ih.double().numpy(), bias=cell.bias.double().numpy())
    input_BTI = torch.randn(1, 50, 3)
    found, _ = cell(input_BTI, cell.initial(torch.zeros(1, 40)))
    expected = torch.from_numpy(other.run(input_BTI[0].double().numpy()))
    torch.testing.assert_close(found[0].double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("units", "connectivity", "heard"), [(2, 0.01, 1), (40, 0.01, 1), (101, 0.05, 5), (7, 1.0, 6)])
def test_each_unit_hears_as_many_others(units: int, connectivity: float, heard: int) -> None:
    columns_HK = reservoir(2, units, connectivity=connectivity).columns_HK
    assert columns_HK.shape == (units, heard)
    for unit, row in enumerate(columns_HK.tolist()):
        assert len(set(row) - {unit}) == heard
        assert set(row) <= set(range(units))


@pytest.mark.parametrize("units", [30, 600])
def test_the_spectral_radius_is_the_one_asked_for(units: int) -> None:
    cell = reservoir(2, units, spectral_radius=0.7)
    assert largest_eigenvalue(dense(cell.values_HK, cell.columns_HK).double()) == pytest.approx(0.7, rel=1e-5)


def test_a_krylov_space_that_closes_holds_all_eigenvalues() -> None:
    """A ring of equal weights around 12 of 40 units, which the others hear: at most 40 dimensions are there to find."""
    columns_HK = ((torch.arange(40) + 1) % 12)[:, None].int()
    values_HK = torch.full((40, 1), 0.5, dtype=torch.float64)
    assert krylov_radius(values_HK, columns_HK, 100) == pytest.approx(0.5)
    assert spectral_radius(values_HK, columns_HK) == pytest.approx(0.5)


def test_units_that_are_heard_are_added_up() -> None:
    torch.manual_seed(2)
    values_HK, columns_HK, hidden_HB = torch.randn(50, 4), hear(50, 4).int(), torch.randn(50, 3)
    torch.testing.assert_close(hear_all(hidden_HB, values_HK, columns_HK), dense(values_HK, columns_HK) @ hidden_HB)


def test_inputs_of_unit_variance_drive_units_by_the_input_scale() -> None:
    cell = reservoir(200, 400, input_scale=0.5)
    driven = torch.randn(50, 200) @ cell.weight_ih.T
    assert float(driven.std()) == pytest.approx(0.5, rel=0.05)


def test_no_gradient_goes_into_or_through_a_reservoir() -> None:
    cell = reservoir(4, 20)
    input_BTI, hidden_BH = torch.randn(2, 5, 4, requires_grad=True), torch.randn(2, 20, requires_grad=True)
    output_BTH, state = cell(input_BTI, cell.initial(hidden_BH))
    assert list(cell.parameters()) == []
    assert not output_BTH.requires_grad
    assert not state.hidden_BH.requires_grad


def network(**changes: Any) -> Seq2Seq:
    torch.manual_seed(4)
    encoder, decoder = EncoderConfig(cell="esn", layers=1, hidden=24), DecoderConfig(cell="esn", layers=2, hidden=24)
    return Seq2Seq(ModelConfig(13, 16, encoder=encoder, decoder=decoder, **changes))


def test_what_stands_around_reservoirs_is_trained_and_they_are_not() -> None:
    made = network()
    before = {name: part.clone() for name, part in made.named_buffers()}
    assert len(before) == 4 * 4
    source, length, target = torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 9]])
    optimizer = torch.optim.SGD(made.parameters(), 0.1)
    made.logits(made(source, length, target)).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(part, before[name]) for name, part in made.named_buffers())
    untouched = {name for name, part in made.named_parameters() if part.grad is None}
    behind = ["encoder.blocks.0.norm", "decoder.bridge.project"]  # what only reservoirs read
    behind += [f"decoder.block_list.{index}.recurrence_norm" for index in (0, 1)]
    assert untouched == {f"{module}.{part}" for module in behind for part in ("weight", "bias")}


def test_low_precision_leaves_states_in_float32() -> None:
    cell, input_BTI = reservoir(4, 20), torch.randn(2, 5, 4)
    expected, _ = cell(input_BTI, cell.initial(torch.zeros(2, 20)))
    with torch.autocast("cpu", torch.bfloat16):
        found, state = cell(input_BTI, cell.initial(torch.zeros(2, 20)))
    assert torch.equal(found, expected)
    low, state = cell(input_BTI.bfloat16(), cell.initial(torch.zeros(2, 20)))
    assert (low.dtype, state.hidden_BH.dtype) == (torch.bfloat16, torch.float32)


def test_reservoirs_differ_from_each_other_and_not_from_run_to_run() -> None:
    one, other = (kept_tensors(network()) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["decoder.cell_list.0.values_HK"], one["decoder.cell_list.1.values_HK"])


def test_first_states_fade() -> None:
    """The echo state property: after a while the input alone decides."""
    cell, input_BTI = reservoir(3, 50, spectral_radius=0.9, leak=0.5), torch.randn(1, 200, 3)
    apart = [cell(input_BTI, cell.initial(torch.full((1, 50), first)))[0] for first in (-1.0, 1.0)]
    distance_T = (apart[0] - apart[1]).norm(dim=-1)[0]
    assert float(distance_T[0]) > 1.0
    assert float(distance_T[-1]) < 1e-5


def test_first_states_stay_where_the_radius_is_above_one() -> None:
    """Nothing bends a linear reservoir, so that the distance follows the radius alone."""
    cell, input_BTI = reservoir(3, 50, spectral_radius=1.1, leak=1.0, activation="linear"), torch.randn(1, 100, 3)
    apart = [cell(input_BTI, cell.initial(torch.full((1, 50), first)))[0] for first in (-1.0, 1.0)]
    distance_T = (apart[0] - apart[1]).norm(dim=-1)[0]
    assert float(distance_T[-1] / distance_T[49]) == pytest.approx(1.1**50, rel=0.5)


def memory_capacity(cell: EchoState, delays: int) -> float:
    """Jaeger (2001): how much of the input at each delay a linear read-out recovers, added up; on unseen inputs."""
    generator, learned, positions = torch.Generator().manual_seed(3), 3000, 6000
    input_T = torch.rand(positions, generator=generator, dtype=torch.float64) - 0.5
    state_TH = cell.double()(input_T[None, :, None], cell.initial(torch.zeros(1, cell.hidden_size)))[0][0]
    now = torch.arange(delays, positions)
    wanted_TD = torch.stack([input_T[now - delay] for delay in range(1, delays + 1)], 1)
    seen_TH = state_TH[now]
    gram_HH = seen_TH[:learned].T @ seen_TH[:learned]
    penalty_HH = 1e-12 * gram_HH.diagonal().mean() * torch.eye(len(gram_HH), dtype=torch.float64)
    read_TD = seen_TH[learned:] @ torch.linalg.solve(gram_HH + penalty_HH, seen_TH[:learned].T @ wanted_TD[:learned])
    both = torch.stack([read_TD, wanted_TD[learned:]])
    both = both - both.mean(1, keepdim=True)
    covariance_D = (both[0] * both[1]).sum(0)
    return float((covariance_D.square() / both.square().sum(1).prod(0)).sum())


def test_the_memory_of_a_linear_reservoir_is_about_its_units() -> None:
    settings: dict[str, Any] = {"spectral_radius": 0.95, "leak": 1.0, "bias_scale": 0.0, "connectivity": 0.2}
    linear, bent = (memory_capacity(reservoir(1, 20, activation=kind, **settings), 60) for kind in ("linear", "tanh"))
    assert 16 < linear < 20.5
    assert bent < linear - 2


@pytest.fixture
def bundle_config() -> ModelConfig:
    config = read_bundle(GOLDEN).config.architecture
    encoder, decoder = EncoderConfig(cell="esn", hidden=50), DecoderConfig(cell="esn", hidden=60)
    return ModelConfig(config.vocabulary_size, 16, encoder=encoder, decoder=decoder)


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_a_bundle_keeps_reservoirs_exact_and_sparse(
    bundle_config: ModelConfig, tmp_path: Path, storage: Storage
) -> None:
    golden, made = read_bundle(GOLDEN), Seq2Seq(bundle_config).eval()
    written = write_bundle(tmp_path / "new", made, golden.folder / TOKENIZER, golden.info, storage).network()
    frozen = dict(written.named_buffers())
    assert all(torch.equal(part, frozen[name]) for name, part in made.named_buffers())
    stored = load_file(tmp_path / "new" / MODEL)
    for name, part in stored.items():
        if name.endswith(("values_HK", "columns_HK")):
            assert part.shape[1] == round(0.05 * (len(part) - 1))
            assert part.dtype == (torch.int32 if name.endswith("columns_HK") else torch.float32)
        assert not name.startswith("encoder.blocks.0.recurrence") or part.numel() < 50 * 50
    (found,) = translate_ids(written, [[5, 6, 3]], SearchOptions(beam=2, max_length=5), golden.specials)
    assert len(found) == 1


TAMPERED: list[tuple[Callable[[dict[str, Tensor]], object], str]] = [
    (lambda one: one.pop("decoder.cell_list.0.columns_HK"), "lacks the tensor 'decoder.cell_list.0.columns_HK'"),
    (
        lambda one: one.update({"decoder.cell_list.0.columns_HK": torch.zeros(60, 3)}),
        "tensor 'decoder.cell_list.0.columns_HK' is F32 [60, 3], but config.json calls for I32 [60, 3]",
    ),
    (
        lambda one: one.update({"decoder.cell_list.0.columns_HK": torch.full((60, 3), 60, dtype=torch.int32)}),
        "in a reservoir of 60 units some hear units 60 to 60",
    ),
]


@pytest.mark.parametrize(("tamper", "message"), TAMPERED)
def test_a_damaged_reservoir_is_told_in_one_sentence(
    bundle_config: ModelConfig, tmp_path: Path, tamper: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    golden, folder = read_bundle(GOLDEN), tmp_path / "new"
    write_bundle(folder, Seq2Seq(bundle_config), golden.folder / TOKENIZER, golden.info, "int8")
    tensors = load_file(folder / MODEL)
    tamper(tensors)
    (folder / MODEL).write_bytes(save(tensors))
    (folder / SUMS).write_text("".join(f"{sha256(folder / name)}  {name}\n" for name in FILES), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_bundle(folder).network()
    assert message in str(caught.value)
    assert str(folder / MODEL) in str(caught.value)


def test_a_blank_network_draws_nothing(bundle_config: ModelConfig) -> None:
    assert all(part.is_meta for part in kept_tensors(blank_network(bundle_config)).values())


def test_one_unit_has_nobody_to_hear() -> None:
    with pytest.raises(UserError, match="cell 'esn' hears other units: 'hidden' must be at least 2, but is 1"):
        make_cell("esn", 4, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"connectivity": 0.0}, "'connectivity' must be above 0, up to 1"),
        ({"leak": 1.5}, "'leak' must be above 0, up to 1"),
        ({"spectral_radius": -1.0}, "'spectral_radius' must not be negative"),
        ({"input_scale": 0.0}, "'input_scale' must be above 0"),
        ({"bias_scale": -0.1}, "'bias_scale' must not be negative"),
        ({"washout": -1}, "'washout' must not be negative"),
    ],
)
def test_nonsense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ReservoirConfig(**change)
