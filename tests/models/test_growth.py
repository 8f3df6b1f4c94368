"""Networks that become deeper and go on from where they were."""

import dataclasses
from typing import Any

import pytest
import torch

from models.cells import CELLS
from models.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from models.growth import grow
from models.seq2seq import Seq2Seq, kept_tensors

SMALL = ModelConfig(
    vocabulary_size=13,
    width=8,
    encoder=EncoderConfig(layers=1, hidden=4),
    decoder=DecoderConfig(layers=1, hidden=8),
)


def network(encoder: dict[str, Any], decoder: dict[str, Any], seed: int) -> Seq2Seq:
    torch.manual_seed(seed)
    parts = (dataclasses.replace(SMALL.encoder, **encoder), dataclasses.replace(SMALL.decoder, **decoder))
    return Seq2Seq(dataclasses.replace(SMALL, encoder=parts[0], decoder=parts[1])).eval()


def logits(one: Seq2Seq) -> torch.Tensor:
    source, length = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]]), torch.tensor([4, 2])
    return one(source, length, torch.tensor([[2, 9, 10], [2, 11, 12]]))


def grown(before: Seq2Seq, after: Seq2Seq) -> list[str]:
    """Give the second network the first one's weights and what that lacks; return what was added."""
    weights, added = grow(after, kept_tensors(before))
    after.load_state_dict(weights, strict=False)
    after.tie()
    return added


@pytest.mark.parametrize("hidden", [4, 8])
@pytest.mark.parametrize("cell", [name for name in CELLS if name != "esn"])
def test_a_deeper_network_begins_as_the_one_that_it_grew_from_and_learns_in_all_its_parts(
    cell: str, hidden: int
) -> None:
    sides = {"cell": cell, "hidden": hidden}, {"cell": cell, "hidden": 2 * hidden}
    before = network(*sides, seed=1)
    deep = {"layers": 3, "feed_forward": 6}
    after = network(*(side | deep for side in sides), seed=2)
    fresh = logits(after)
    added = grown(before, after)
    assert {"encoder.blocks.2", "decoder.block_list.1", "encoder.blocks.0.feed_forward"} <= set(added)
    difference = (logits(after) - logits(before)).abs().max()
    assert difference < (0.1 if hidden == 4 else 1e-5)
    assert (fresh - logits(before)).abs().max() > 0.5
    last = torch.nn.ModuleList([after.encoder.blocks[2], after.decoder.block_list[2], after.decoder.cell_list[2]])
    first = [parameter.clone() for parameter in last.parameters()]
    optimizer = torch.optim.Adam(after.parameters(), lr=0.01)
    for _ in range(2):  # behind a projection of zero a recurrence has no gradient in the first update
        optimizer.zero_grad()
        logits(after).square().mean().backward()
        optimizer.step()
    moved = [not torch.equal(was, now) for was, now in zip(first, last.parameters(), strict=True)]
    assert sum(moved) > 0.8 * len(moved)


def test_blocks_that_attend_can_be_added_and_those_that_did_not_can_begin_to() -> None:
    for layers, attending, expected in (
        (2, "first", ["decoder.attention_list.1"]),
        (1, "all", ["decoder.attention_list.1", "decoder.block_list.1"]),
    ):
        before = network({}, {"layers": layers, "attention_blocks": attending}, seed=1)
        after = network({}, {"layers": 2, "attention_blocks": "all"}, seed=2)
        added = grown(before, after)
        assert added == expected
        assert (logits(after) - logits(before)).abs().max() < 0.1
        logits(after).square().mean().backward()
        gradient = after.decoder.attentions[1].output.weight.grad
        assert gradient is not None
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("kind", ["none", "mean", "general"])
def test_a_network_of_any_attention_takes_over_all_of_one_like_it(kind: Any) -> None:
    config = dataclasses.replace(SMALL, attention=AttentionConfig(kind=kind))
    before, after = Seq2Seq(config).eval(), Seq2Seq(config).eval()
    assert grown(before, after) == []
    torch.testing.assert_close(logits(after), logits(before))


def test_what_is_not_residual_does_not_grow() -> None:
    before, after = (network({"residual": False, "layers": layers}, {}, seed=1) for layers in (1, 2))
    weights, added = grow(after, kept_tensors(before))
    assert added == []
    assert weights.keys() == kept_tensors(before).keys()


def test_frozen_blocks_are_added_where_a_projection_can_hush_them() -> None:
    for hidden, expected in ((6, ["encoder.blocks.1"]), (4, [])):
        before, after = (network({"cell": "esn", "hidden": hidden, "layers": layers}, {}, seed=1) for layers in (1, 2))
        _, added = grow(after, kept_tensors(before))
        assert added == expected
