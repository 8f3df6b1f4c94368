"""Cells against torch's own layers, and one step against a sequence."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from data.errors import UserError
from models.cells import CELLS, Cell, Clockwork, HiddenState, LSTMState, make_cell
from models.cells.base import RecurrentCell
from models.cells.clockwork import ClockworkState
from models.cells.elementwise import scan
from models.config import CellSettings, ClockworkConfig, DecoderConfig, DropoutConfig, EncoderConfig, ModelConfig
from models.recurrent import Recurrence, reversal_index, reverse, zero_state
from models.seq2seq import Seq2Seq


def torch_layer(cell: Cell, kind: type[nn.RNNBase], bias_hh: torch.Tensor) -> nn.RNNBase:
    layer = kind(cell.input_size, cell.hidden_size, batch_first=True)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = (cell.weight_ih, cell.weight_hh, cell.bias, bias_hh)
    layer.load_state_dict({name: value.detach() for name, value in zip(names, values, strict=True)})
    return layer


def test_lstm_against_torch() -> None:
    torch.manual_seed(1)
    cell = make_cell("lstm", 5, 7)
    input_BTI, hidden_BH, cell_BH = torch.randn(3, 6, 5), torch.randn(3, 7), torch.randn(3, 7)
    expected, (hidden, memory) = torch_layer(cell, nn.LSTM, torch.zeros(28))(
        input_BTI, (hidden_BH[None], cell_BH[None])
    )
    output, state = cell(input_BTI, LSTMState(hidden_BH, cell_BH))
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(state.hidden_BH, hidden[0])
    torch.testing.assert_close(state.cell_BH, memory[0])


def test_gru_against_torch() -> None:
    torch.manual_seed(1)
    cell = make_cell("gru", 5, 7)
    nn.init.normal_(cell.bias_hh)
    input_BTI, hidden_BH = torch.randn(3, 6, 5), torch.randn(3, 7)
    expected, hidden = torch_layer(cell, nn.GRU, cell.bias_hh)(input_BTI, hidden_BH[None])
    output, state = cell(input_BTI, HiddenState(hidden_BH))
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(state.hidden_BH, hidden[0])


def sequence(cell: Cell, input_BTI: torch.Tensor, hidden_BH: torch.Tensor) -> torch.Tensor:
    return cell(input_BTI, cell.initial(hidden_BH))[0]


def by_definition(name: str, cell: Cell, input_BTI: torch.Tensor, hidden_BH: torch.Tensor) -> torch.Tensor:
    """Each cell once more, position by position, straight from its paper."""
    hidden, outputs = hidden_BH, []
    for position in range(input_BTI.shape[1]):
        gates = (input_BTI[:, position] @ cell.weight_ih.T + cell.bias).chunk(cell.gates, -1)
        if name in ("srn", "srn_relu"):
            summed = gates[0] + hidden @ cell.weight_hh.T
            hidden = torch.tanh(summed) if name == "srn" else summed.clamp_min(0)
            outputs.append(hidden)
        elif name == "gru_cho":
            reset_weight, update_weight, weight = cell.weight_hh.chunk(3)
            reset = torch.sigmoid(gates[0] + hidden @ reset_weight.T)
            update = torch.sigmoid(gates[1] + hidden @ update_weight.T)
            hidden = update * hidden + (1 - update) * torch.tanh(gates[2] + (reset * hidden) @ weight.T)
            outputs.append(hidden)
        elif name == "ssru":
            forget = torch.sigmoid(gates[0])
            hidden = forget * hidden + (1 - forget) * gates[1]
            outputs.append(hidden.clamp_min(0))
        else:
            update = torch.sigmoid(gates[0])
            hidden = (1 - update) * hidden + update * gates[1]
            outputs.append(hidden)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("name", ["srn", "srn_relu", "gru_cho", "ssru", "mingru"])
@pytest.mark.parametrize("positions", [1, 2, 7, 16])
def test_cells_against_their_definitions(name: str, positions: int) -> None:
    torch.manual_seed(4)
    cell = make_cell(name, 5, 6).double()
    nn.init.normal_(cell.bias)
    input_BTI = torch.randn(3, positions, 5, dtype=torch.float64)
    hidden_BH = torch.randn(3, 6, dtype=torch.float64)
    expected = by_definition(name, cell, input_BTI, hidden_BH)
    torch.testing.assert_close(sequence(cell, input_BTI, hidden_BH), expected)


@pytest.mark.parametrize("name", sorted(name for name in CELLS if name != "esn"))  # nothing in a reservoir is trained
@pytest.mark.parametrize("positions", [1, 5])
def test_gradients_are_those_of_finite_differences(name: str, positions: int) -> None:
    torch.manual_seed(5)
    cell = make_cell(name, 3, 4).double()
    input_BTI = torch.randn(2, positions, 3, dtype=torch.float64, requires_grad=True)
    hidden_BH = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*cell.named_parameters(), strict=True)

    def function(*tensors: torch.Tensor) -> torch.Tensor:
        state = cell.initial(tensors[1])
        return torch.func.functional_call(cell, dict(zip(names, tensors[2:], strict=True)), (tensors[0], state))[0]

    assert torch.autograd.gradcheck(function, (input_BTI, hidden_BH, *weights))


def dense_clockwork(cell: Cell, input_BTI: torch.Tensor, hidden: torch.Tensor, start: int) -> torch.Tensor:
    """Every module at every position, as one masked product; those that are not due keep what they hold."""
    periods, outputs = cell.settings.clockwork.periods, []
    period = torch.tensor(periods).repeat_interleave(cell.hidden_size // len(periods))
    triangle = (period[:, None] <= period[None]).to(hidden.dtype)
    for position in range(input_BTI.shape[1]):
        gates = input_BTI[:, position] @ cell.weight_ih.T + cell.bias
        updated = torch.tanh(gates + hidden @ (cell.weight_hh * triangle).T)
        hidden = torch.where((start + position) % period == 0, updated, hidden)
        outputs.append(hidden)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize(
    ("periods", "share"), [((1, 2, 4, 8), 0.45), ((3,), 0.35), ((1, 2, 4, 8, 16, 32, 64, 128), 0.3)]
)
def test_clockwork_against_the_dense_masked_form_with_fewer_operations(periods: tuple[int, ...], share: float) -> None:
    torch.manual_seed(6)
    cell = make_cell("clockwork", 16, 32, CellSettings(clockwork=ClockworkConfig(periods))).double()
    input_BTI = torch.randn(3, 24, 16, dtype=torch.float64)
    hidden_BH = torch.randn(3, 32, dtype=torch.float64)
    with FlopCounterMode(display=False) as dense:
        expected = dense_clockwork(cell, input_BTI, hidden_BH, 0)
    with FlopCounterMode(display=False) as due:
        found = sequence(cell, input_BTI, hidden_BH)
    torch.testing.assert_close(found, expected)
    assert due.get_total_flops() < share * dense.get_total_flops()


def test_clockwork_rows_may_stand_at_different_times() -> None:
    """As in search, where sentences join while others are under way."""
    torch.manual_seed(7)
    cell = make_cell("clockwork", 4, 8).double()
    input_BTI, hidden_BH = torch.randn(2, 9, 4, dtype=torch.float64), torch.randn(2, 8, dtype=torch.float64)
    found, state = cell(input_BTI, ClockworkState(hidden_BH, torch.tensor([3, 10])))
    for row, start in enumerate([3, 10]):
        expected = dense_clockwork(cell, input_BTI[row : row + 1], hidden_BH[row : row + 1], start)
        torch.testing.assert_close(found[row : row + 1], expected)
    assert state.time_B.tolist() == [12, 19]


def test_a_clockwork_needs_equal_modules() -> None:
    with pytest.raises(UserError, match="cell 'clockwork' has 4 modules: 'hidden' must be a multiple of 4"):
        make_cell("clockwork", 4, 6)


@pytest.mark.parametrize("periods", [(), (0, 1), (1, 2, 2), (4, 2)])
def test_periods_rise(periods: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="'periods' must be one whole number above 0 or several that rise"):
        ClockworkConfig(periods)


def test_a_recipe_chooses_the_periods_of_a_clockwork() -> None:
    encoder, decoder = EncoderConfig(cell="clockwork", hidden=6), DecoderConfig(cell="clockwork", hidden=6)
    config = ModelConfig(20, 16, encoder=encoder, decoder=decoder, clockwork=ClockworkConfig((1, 16, 256)))
    cells = [cell for cell in Seq2Seq(config).modules() if isinstance(cell, Clockwork)]
    assert [cell.periods for cell in cells] == [(1, 16, 256)] * 6


def test_a_scan_forgets_or_keeps_whole_sequences() -> None:
    input_BTH, first_BH = torch.ones(1, 100, 2), torch.tensor([[3.0, 3.0]])
    decay_BTH = torch.tensor([0.0, 1.0]).expand(1, 100, 2)
    found = scan(decay_BTH, input_BTH, first_BH)
    assert found[0, :, 0].tolist() == [1.0] * 100
    assert found[0, :, 1].tolist() == [4.0 + number for number in range(100)]


def test_a_scan_of_low_precision_adds_up_in_float32() -> None:
    ones = torch.ones(1, 1000, 1, dtype=torch.bfloat16)
    assert float(scan(ones, ones, torch.zeros(1, 1))[0, -1]) == 1000.0


def test_drop_connect_needs_recurrent_weights() -> None:
    with pytest.raises(
        UserError, match=r"cell 'ssru' learns no hidden-to-hidden weights: set 'dropout.recurrent' to 0"
    ):
        make_cell("ssru", 4, 4, CellSettings(drop_connect=0.1))


@pytest.mark.parametrize("name", sorted(CELLS))
def test_steps_compute_what_the_sequence_does(name: str) -> None:
    torch.manual_seed(2)
    cell, input_BTI = make_cell(name, 4, 8).eval(), torch.randn(2, 5, 4)
    whole, last = cell(input_BTI, zero_state(cell, input_BTI))
    state, outputs = zero_state(cell, input_BTI), []
    for position in range(5):
        output, state = cell(input_BTI[:, position : position + 1], state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, 1), whole)
    for mine, theirs in zip(state, last, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in CELLS.items() if issubclass(kind, RecurrentCell) and name != "clockwork")
)
def test_recurrent_weights_start_orthogonal(name: str) -> None:
    cell = make_cell(name, 4, 6)
    for block in cell.weight_hh.detach().chunk(cell.gates):
        torch.testing.assert_close(block @ block.T, torch.eye(6), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["lstm", "gru", "srn"])
def test_a_sparse_start_hears_few_and_stands_at_the_edge(name: str) -> None:
    torch.manual_seed(8)
    cell = make_cell(name, 4, 40)
    assert isinstance(cell, RecurrentCell)
    cell.restart("sparse")
    for block in cell.weight_hh.detach().chunk(cell.gates):
        assert ((block != 0).sum(1) == 15).all()
        assert float(torch.linalg.eigvals(block).abs().max()) == pytest.approx(1.1, rel=1e-4)


def test_a_recipe_chooses_how_recurrent_weights_start() -> None:
    encoder, decoder = EncoderConfig(cell="srn", hidden=8), DecoderConfig(cell="srn", hidden=8)
    network = Seq2Seq(ModelConfig(20, 16, encoder=encoder, decoder=decoder, recurrent_start="identity"))
    cells = [cell for cell in network.modules() if isinstance(cell, RecurrentCell)]
    assert len(cells) == 6
    assert all(torch.equal(cell.weight_hh.detach(), torch.eye(8)) for cell in cells)


def test_input_feeding_drops_the_same_weights_at_all_positions() -> None:
    config = ModelConfig(
        20, 8, decoder=DecoderConfig("input_feeding", hidden=8), dropout=DropoutConfig(0, 0, recurrent=0.5)
    )
    torch.manual_seed(4)
    network = Seq2Seq(config)
    weight = network.decoder.cells[0].weight_hh
    memory, state = network.encode(torch.tensor([[5, 3]]), torch.tensor([2]))
    network.decode(torch.tensor([[2, 9, 10, 11, 12, 13]]), memory, state).hidden_NTD.sum().backward()
    assert weight.grad is not None
    dropped = int((weight.grad == 0).sum())
    assert 0.4 < dropped / weight.numel() < 0.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 30}, r"'width' \(30\) must be a multiple of 'attention.heads' \(4\)"),
        ({"decoder": DecoderConfig("input_feeding", hidden=30)}, r"'decoder.hidden' \(30\) must be a multiple"),
    ],
)
def test_heads_share_what_asks(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ModelConfig(20, **{"width": 32, **changes})
    ModelConfig(20, width=30, decoder=DecoderConfig("input_feeding", hidden=32))


@pytest.mark.parametrize(("start", "radius"), [("orthogonal", 1.0), ("identity", 1.0), ("sparse", 1.1)])
def test_every_module_of_a_clockwork_starts_at_the_edge_and_hears_no_faster_one(start: str, radius: float) -> None:
    torch.manual_seed(8)
    cell, fresh = make_cell("clockwork", 4, 80), make_cell("clockwork", 4, 80)
    assert isinstance(cell, RecurrentCell)
    cell.restart(start)
    for made, expected in ((fresh, 1.0), (cell, radius)):
        weight_HH = made.weight_hh.detach()
        for first in (0, 20, 40, 60):
            own = weight_HH[first : first + 20, first : first + 20]
            assert float(torch.linalg.eigvals(own).abs().max()) == pytest.approx(expected, rel=1e-4)
            assert not weight_HH[first:, :first].any()


def test_drop_connect_drops_weights_in_training_only() -> None:
    cell = make_cell("lstm", 4, 6, CellSettings(drop_connect=0.5))
    assert (cell.recurrent_weight() == 0).any()
    assert torch.equal(cell.eval().recurrent_weight(), cell.weight_hh)


def test_an_unknown_cell_lists_the_valid_ones() -> None:
    with pytest.raises(
        UserError, match="valid cells are: clockwork, esn, gru, gru_cho, lstm, mingru, srn, srn_relu, ssru"
    ):
        make_cell("gru2", 4, 4)


def test_reversal_keeps_padding_in_place() -> None:
    index = reversal_index(torch.tensor([3, 1, 4]), 4)
    assert index.tolist() == [[2, 1, 0, 3], [0, 1, 2, 3], [3, 2, 1, 0]]


def test_reversing_twice_changes_nothing_and_has_the_same_gradient() -> None:
    index = reversal_index(torch.tensor([3, 2]), 4)
    input_BSD = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(reverse(reverse(input_BSD, index), index), input_BSD)
    assert torch.autograd.gradcheck(lambda tensor: reverse(tensor, index), (input_BSD,))


@pytest.mark.parametrize("name", sorted(CELLS))
def test_both_directions_ignore_padding(name: str) -> None:
    """Each sentence alone, read forwards and backwards, is the oracle of the padded batch."""
    torch.manual_seed(3)
    recurrence = Recurrence(make_cell(name, 3, 4), make_cell(name, 3, 4)).eval()
    input_BSD, lengths = torch.randn(3, 5, 3), [5, 2, 3]
    batch = recurrence(input_BSD, reversal_index(torch.tensor(lengths), 5))
    for row, length in enumerate(lengths):
        alone = input_BSD[row : row + 1, :length]
        forwards, _ = recurrence.forwards(alone, zero_state(recurrence.forwards, alone))
        backwards, _ = recurrence.backwards(alone.flip(1), zero_state(recurrence.backwards, alone))
        torch.testing.assert_close(batch[row, :length], torch.cat([forwards, backwards.flip(1)], -1)[0])
