"""Cells against torch's own layers, and one step against a sequence."""

import pytest
import torch
from torch import nn

from data.errors import UserError
from models.cells import CELLS, Cell, GRUState, LSTMState, make_cell
from models.recurrent import Recurrence, reversal_index, reverse, zero_state


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
    output, state = cell(input_BTI, GRUState(hidden_BH))
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(state.hidden_BH, hidden[0])


@pytest.mark.parametrize("name", sorted(CELLS))
def test_steps_compute_what_the_sequence_does(name: str) -> None:
    torch.manual_seed(2)
    cell, input_BTI = make_cell(name, 4, 6).eval(), torch.randn(2, 5, 4)
    whole, last = cell(input_BTI, zero_state(cell, input_BTI))
    state, outputs = zero_state(cell, input_BTI), []
    for position in range(5):
        output, state = cell(input_BTI[:, position : position + 1], state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, 1), whole)
    for mine, theirs in zip(state, last, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_recurrent_weights_start_orthogonal(name: str) -> None:
    cell = make_cell(name, 4, 6)
    for block in cell.weight_hh.detach().chunk(cell.gates):
        torch.testing.assert_close(block @ block.T, torch.eye(6), atol=1e-5, rtol=0)


def test_drop_connect_drops_weights_in_training_only() -> None:
    cell = make_cell("lstm", 4, 6, drop_connect=0.5)
    assert (cell.recurrent_weight() == 0).any()
    assert torch.equal(cell.eval().recurrent_weight(), cell.weight_hh)


def test_an_unknown_cell_lists_the_valid_ones() -> None:
    with pytest.raises(UserError, match="valid cells are: gru, lstm"):
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
