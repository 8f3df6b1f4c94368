"""Networks whose cells get more units and go on from where they were."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from data.errors import UserError
from models.cells import CELLS
from models.config import DecoderConfig, EncoderConfig, ModelConfig
from models.seq2seq import Seq2Seq, kept_tensors
from models.widening import widen
from training.start import Start, take_over

FIXED = ("esn", "clockwork")
WIDTH = 8


def network(cell: str, hidden: tuple[int, int], seed: int, layers: int = 2) -> Seq2Seq:
    torch.manual_seed(seed)
    encoder = EncoderConfig(cell=cell, layers=layers, hidden=hidden[0])
    decoder = DecoderConfig(cell=cell, layers=layers, hidden=hidden[1], attention_blocks="all")
    return Seq2Seq(ModelConfig(vocabulary_size=13, width=WIDTH, encoder=encoder, decoder=decoder)).eval()


def logits(one: Seq2Seq) -> torch.Tensor:
    source, length = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]]), torch.tensor([4, 2])
    return one(source, length, torch.tensor([[2, 9, 10], [2, 11, 12]]))


def widened(before: Seq2Seq, after: Seq2Seq) -> list[str]:
    """Give the second network the first one's weights and what that lacks; return which blocks were widened."""
    _, names = widen(after, kept_tensors(before))
    take_over(after, Start(Path("start"), Path(), kept_tensors(before)))
    return names


def shapes(weights: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def trained(one: Seq2Seq, updates: int) -> None:
    optimizer = torch.optim.Adam(one.parameters(), lr=0.01)
    for _ in range(updates):
        optimizer.zero_grad()
        logits(one).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("hidden", [(4, 8), (6, 12)], ids=["without a projection", "with a projection"])
@pytest.mark.parametrize("cell", [name for name in CELLS if name not in FIXED])
def test_a_wider_network_begins_as_the_one_that_it_grew_from(cell: str, hidden: tuple[int, int], layers: int) -> None:
    before, after = network(cell, hidden, seed=1), network(cell, (10, 14), seed=2, layers=layers)
    trained(before, 3)
    fresh = logits(after)
    names = widened(before, after)
    assert names == ["encoder.blocks.0", "encoder.blocks.1", "decoder.block_list.0", "decoder.block_list.1"]
    torch.testing.assert_close(logits(after), logits(before), atol=1e-5, rtol=1e-5)
    assert (fresh - logits(before)).abs().max() > 0.5


@pytest.mark.parametrize("cell", ["lstm", "gru", "srn"])
def test_new_units_learn_from_the_second_update_on(cell: str) -> None:
    before, after = network(cell, (4, 8), seed=1), network(cell, (10, 14), seed=2)
    widened(before, after)
    sides = after.encoder.blocks[0].recurrence.children()
    cells = [after.decoder.cells[0].weight_ih, *(side.weight_ih for side in sides)]
    first = [weight.detach().clone() for weight in cells]
    trained(after, 2)
    for was, now in zip(first, cells, strict=True):
        rows = (was != now).any(1).reshape(after.decoder.cells[0].gates, -1)
        assert rows.all()


def test_only_what_lacks_units_is_widened() -> None:
    before, after = network("lstm", (4, 8), seed=1), network("lstm", (4, 14), seed=2)
    assert widened(before, after) == ["decoder.block_list.0", "decoder.block_list.1"]
    torch.testing.assert_close(logits(after), logits(before))


def test_one_direction_alone_is_widened_too() -> None:
    torch.manual_seed(3)
    config = network("gru", (4, 8), seed=1).config
    one_way = dataclasses.replace(config.encoder, bidirectional=False, hidden=WIDTH)
    before = Seq2Seq(dataclasses.replace(config, encoder=one_way)).eval()
    after = Seq2Seq(dataclasses.replace(config, encoder=dataclasses.replace(one_way, hidden=12))).eval()
    assert widened(before, after) == ["encoder.blocks.0", "encoder.blocks.1"]
    torch.testing.assert_close(logits(after), logits(before), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", FIXED)
def test_cells_whose_units_have_their_places_are_left_alone(cell: str) -> None:
    before, after = network(cell, (4, 8), seed=1), network(cell, (12, 16), seed=2)
    wider, names = widen(after, kept_tensors(before))
    assert names == []
    assert shapes(wider) == shapes(kept_tensors(before))


@pytest.mark.parametrize(
    ("sides", "others"),
    [
        ({"cell": "ssru"}, {}),
        ({"cell": "gru"}, {}),
        ({"cell": "gru", "hidden": 3}, {}),
        ({"bidirectional": False}, {}),
        ({"bidirectional": False, "hidden": 8}, {}),
        ({}, {"width": 16}),
        ({}, {"arrangement": "input_feeding"}),
        ({"hidden": 20}, {}),
    ],
)
def test_another_network_is_told_and_never_a_trace(sides: dict[str, Any], others: dict[str, Any]) -> None:
    config = network("lstm", (4, 8), seed=1).config
    encoder = dataclasses.replace(config.encoder, **sides)
    of_decoder = {name: value for name, value in others.items() if name != "width"}
    attending = {"attention_blocks": "first"} if of_decoder else {}
    decoder = dataclasses.replace(config.decoder, **of_decoder, **attending)
    before = Seq2Seq(dataclasses.replace(config, encoder=encoder, decoder=decoder, width=others.get("width", WIDTH)))
    with pytest.raises(UserError, match=r"start is another network than \[model\]"):
        widened(before, network("lstm", (10, 14), seed=2))


@pytest.mark.parametrize("bridge", ["zero", "ends"])
def test_any_bridge_gives_new_units_nothing(bridge: Any) -> None:
    config = network("lstm", (4, 8), seed=1).config
    narrow = dataclasses.replace(config.decoder, bridge=bridge)
    before = Seq2Seq(dataclasses.replace(config, decoder=narrow)).eval()
    after = Seq2Seq(dataclasses.replace(config, decoder=dataclasses.replace(narrow, hidden=14))).eval()
    assert widened(before, after) == ["decoder.block_list.0", "decoder.block_list.1"]
    torch.testing.assert_close(logits(after), logits(before), atol=1e-5, rtol=1e-5)


def test_fewer_units_are_not_more() -> None:
    before, after = network("lstm", (10, 14), seed=1), network("lstm", (6, 12), seed=2)
    wider, names = widen(after, kept_tensors(before))
    assert names == []
    assert shapes(wider) == shapes(kept_tensors(before))
