"""Truncated backpropagation: the values of the whole sequence, the gradients of a loop that detaches by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

from models.cells import CELLS, Cell, make_cell
from models.cells.base import RecurrentCell
from models.config import AttentionConfig, CellSettings, DecoderConfig, DropoutConfig, EncoderConfig, ModelConfig
from models.decoder import map_state
from models.recurrent import reversal_index
from models.seq2seq import Seq2Seq
from models.truncation import truncate

INPUT, HIDDEN, POSITIONS = 3, 4, 7
TAUGHT = sorted(name for name in CELLS if list(make_cell(name, INPUT, HIDDEN).parameters()))
State: TypeAlias = tuple[Tensor, ...]


def srn(cell: Any, x: Tensor, state: State) -> tuple[Tensor, State]:
    hidden = torch.tanh(x @ cell.weight_ih.T + cell.bias + state[0] @ cell.weight_hh.T)
    return hidden, (hidden,)


def lstm(cell: Any, x: Tensor, state: State) -> tuple[Tensor, State]:
    hidden, memory = state
    i, f, g, o = (x @ cell.weight_ih.T + cell.bias + hidden @ cell.weight_hh.T).chunk(4, -1)
    memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
    hidden = torch.sigmoid(o) * torch.tanh(memory)
    return hidden, (hidden, memory)


def gru(cell: Any, x: Tensor, state: State) -> tuple[Tensor, State]:
    r, z, n = (x @ cell.weight_ih.T + cell.bias).chunk(3, -1)
    hidden_r, hidden_z, hidden_n = (state[0] @ cell.weight_hh.T + cell.bias_hh).chunk(3, -1)
    z = torch.sigmoid(z + hidden_z)
    hidden = (1 - z) * torch.tanh(n + torch.sigmoid(r + hidden_r) * hidden_n) + z * state[0]
    return hidden, (hidden,)


def ssru(cell: Any, x: Tensor, state: State) -> tuple[Tensor, State]:
    f, value = (x @ cell.weight_ih.T + cell.bias).chunk(2, -1)
    memory = torch.sigmoid(f) * state[0] + (1 - torch.sigmoid(f)) * value
    return memory.clamp_min(0), (memory,)


def clockwork(cell: Any, x: Tensor, state: State) -> tuple[Tensor, State]:
    hidden, time = state
    period = torch.tensor([1, 2, 4, 8]).repeat_interleave(cell.hidden_size // 4)
    seen = (period[:, None] <= period[None]).double()
    updated = torch.tanh(x @ cell.weight_ih.T + cell.bias + hidden @ (cell.weight_hh * seen).T)
    hidden = torch.where(time[:, None] % period == 0, updated, hidden)
    return hidden, (hidden, time + 1)


def own(cell: Cell, x: Tensor, state: State) -> tuple[Tensor, State]:
    """One position by the cell itself, for those that are not written out above."""
    output, after = cell(x[:, None], type(cell.initial(state[0]))(*state))
    return output[:, 0], after


STEPS: dict[str, Callable[..., tuple[Tensor, State]]] = {
    "srn": srn,
    "lstm": lstm,
    "gru": gru,
    "ssru": ssru,
    "clockwork": clockwork,
}


def made(name: str, drop_connect: float = 0.0) -> tuple[Cell, Tensor, Tensor]:
    """A cell in float64, an input and a first hidden vector."""
    torch.manual_seed(11)
    cell = make_cell(name, INPUT, HIDDEN, CellSettings(drop_connect=drop_connect)).double()
    with torch.no_grad():
        for part in cell.parameters():
            part.add_(0.3 * torch.randn_like(part))
    input_BTI = torch.randn(2, POSITIONS, INPUT, dtype=torch.float64, requires_grad=True)
    return cell, input_BTI, torch.randn(2, HIDDEN, dtype=torch.float64, requires_grad=True)


def gradients(output: Tensor, last: State, cell: Cell, *inputs: Tensor) -> list[Tensor]:
    """Of a loss over every output and the last state."""
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    loss = (output * weights).sum() + sum(part.square().sum() for part in last if part.is_floating_point())
    parts = [part for part in [*cell.parameters(), *inputs] if part.requires_grad]
    return list(torch.autograd.grad(loss, parts))


def by_hand(name: str, every: int) -> tuple[Tensor, list[Tensor]]:
    """Position by position, the state detached after each `every` of them."""
    cell, input_BTI, hidden_BH = made(name)
    state, outputs = tuple(cell.initial(hidden_BH)), list[Tensor]()
    for time in range(POSITIONS):
        if time > 0 and time % every == 0:
            state = tuple(part.detach() for part in state)
        output, state = STEPS.get(name, own)(cell, input_BTI[:, time], state)
        outputs.append(output)
    whole = torch.stack(outputs, 1)
    return whole, gradients(whole, state, cell, input_BTI, hidden_BH)


def by_stretches(name: str, every: int) -> tuple[Tensor, list[Tensor]]:
    cell, input_BTI, hidden_BH = made(name)
    truncate(cell, every)
    output, state = cell.read(input_BTI, cell.initial(hidden_BH))
    return output, gradients(output, state, cell, input_BTI, hidden_BH)


@pytest.mark.parametrize("every", [1, 2, 3, 6])
@pytest.mark.parametrize("name", TAUGHT)
def test_gradients_are_those_of_a_loop_that_detaches(name: str, every: int) -> None:
    (output, found), (expected, reference) = by_stretches(name, every), by_hand(name, every)
    torch.testing.assert_close(output, expected)
    for mine, theirs in zip(found, reference, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("name", TAUGHT)
def test_truncation_leaves_values_and_changes_gradients(name: str) -> None:
    (output, found), (whole, full) = by_stretches(name, 2), by_stretches(name, 0)
    torch.testing.assert_close(output, whole)
    assert not torch.allclose(found[0], full[0])


@pytest.mark.parametrize("every", [POSITIONS, POSITIONS + 1, 1000])
@pytest.mark.parametrize("name", TAUGHT)
def test_stretches_as_long_as_the_sequence_are_full_backpropagation(name: str, every: int) -> None:
    (output, found), (whole, full) = by_stretches(name, every), by_stretches(name, 0)
    assert torch.equal(output, whole)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, full, strict=True))


@pytest.mark.parametrize("name", ["lstm", "gru", "srn"])
def test_a_stretch_is_one_call_of_the_cell(name: str) -> None:
    cell, input_BTI, hidden_BH = made(name)
    lengths = list[int]()
    cell.register_forward_hook(lambda _cell, inputs, _output: lengths.append(inputs[0].shape[1]))
    truncate(cell, 3)
    cell.read(input_BTI, cell.initial(hidden_BH))
    assert lengths == [3, 3, 1]


def test_all_stretches_share_one_mask_of_drop_connect() -> None:
    cell, input_BTI, hidden_BH = made("lstm", drop_connect=0.5)
    assert isinstance(cell, RecurrentCell)
    outputs = []
    for every in (0, 2):
        truncate(cell, every)
        torch.manual_seed(3)
        outputs.append(cell.read(input_BTI, cell.initial(hidden_BH))[0])
    torch.testing.assert_close(*outputs)
    assert not torch.equal(cell.recurrent_weight(), cell.recurrent_weight())  # the mask is not kept
    assert [name for name, _ in cell.named_parameters()] == ["weight_ih", "bias", "weight_hh"]


def test_evaluation_reads_whole_sequences() -> None:
    cell, input_BTI, hidden_BH = made("gru")
    truncate(cell.eval(), 2)
    output, _ = cell.read(input_BTI, cell.initial(hidden_BH))
    (reached,) = torch.autograd.grad(output[:, -1].sum(), input_BTI)
    assert (reached[:, 0] != 0).all()


def network(arrangement: Any, kind: Any = "multi_head") -> Seq2Seq:
    torch.manual_seed(4)
    config = ModelConfig(
        13,
        width=8,
        encoder=EncoderConfig(hidden=4, layers=1),
        decoder=DecoderConfig(arrangement=arrangement, hidden=8, bridge="ends"),
        attention=AttentionConfig(kind=kind, heads=2),
        dropout=DropoutConfig(residual=0, embedding=0),
    )
    return Seq2Seq(config).double()


@pytest.mark.parametrize("arrangement", ["blocks", "input_feeding"])
def test_a_decoder_learns_what_its_steps_do_with_their_state_detached(arrangement: str) -> None:
    made, every = network(arrangement), 2
    truncate(made, every)
    source, length = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]]), torch.tensor([4, 2])
    target = torch.tensor([[2, 9, 10, 4, 7], [2, 11, 12, 6, 5]])
    memory, state = made.encode(source, length)
    parts = list(made.decoder.parameters())
    whole = made.decode(target, memory, state).hidden_NTD
    found = torch.autograd.grad(whole.pow(3).sum(), parts, retain_graph=True)
    outputs = list[Tensor]()
    for position in range(target.shape[1]):
        if position and position % every == 0:
            state = map_state(torch.Tensor.detach, state)
        output = made.decode(target[:, position : position + 1], memory, state)
        state = output.state
        outputs.append(output.hidden_NTD)
    stepped = torch.cat(outputs, 1)
    torch.testing.assert_close(whole, stepped)
    for mine, theirs in zip(found, torch.autograd.grad(stepped.pow(3).sum(), parts), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("kind", "reaches"), [("multi_head", True), ("none", False)])
def test_attention_keeps_its_gradient(kind: str, reaches: bool) -> None:
    """Without attention the last word can reach the source through the decoder's state alone, which is cut."""
    made = network("blocks", kind)
    truncate(made, 2)
    source, length, target = torch.tensor([[5, 6, 7, 3]]), torch.tensor([4]), torch.tensor([[2, 9, 10, 4]])
    hidden = made(source, length, target)
    (found,) = torch.autograd.grad(hidden[:, -1].pow(3).sum(), made.encoder.norm.weight, allow_unused=True)
    assert (found is not None and bool(found.any())) == reaches


@pytest.mark.parametrize(
    ("units", "heard"),
    [
        (slice(0, 4), {(0, 1): [0, 1], (0, 2): [2], (1, 0): [0], (1, 1): [0, 1]}),
        (slice(4, 8), {(0, 1): [1, 2], (0, 2): [2], (1, 0): [0], (1, 1): [1, 2]}),
    ],
    ids=["forwards", "backwards"],
)
def test_each_direction_of_an_encoder_counts_from_its_own_end(
    units: slice, heard: dict[tuple[int, int], list[int]]
) -> None:
    """Sentences of 5 and 3 words with k = 2: which words the gradient of a word's output reaches."""
    made = network("blocks")
    truncate(made, 2)
    stream = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    output = made.encoder.blocks[0].recurrence(stream, reversal_index(torch.tensor([5, 3]), 5))
    for (row, position), words in heard.items():
        (found,) = torch.autograd.grad(output[row, position, units].sum(), stream, retain_graph=True)
        assert found[row].any(-1).nonzero()[:, 0].tolist() == words
