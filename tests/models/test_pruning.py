"""Networks without the feed-forward units that never fire say the same as before."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from data.errors import UserError
from models.bundle import Storage
from models.config import DecoderConfig, EncoderConfig, ModelConfig
from models.pruning import Units, feed_forwards, keep, shrink, smaller, units_of
from models.seq2seq import Seq2Seq, kept_tensors
from models.weights import restored, stored_tensors

CONFIG = ModelConfig(
    vocabulary_size=13,
    width=8,
    encoder=EncoderConfig(layers=2, hidden=4, feed_forward=12),
    decoder=DecoderConfig(layers=1, hidden=8, feed_forward=20),
)


def partly_dead() -> tuple[Seq2Seq, dict[str, Tensor]]:
    """A network of whose units every third can fire, and which ones these are."""
    torch.manual_seed(1)
    network, worth = Seq2Seq(CONFIG).eval(), dict[str, Tensor]()
    for name, part in feed_forwards(network).items():
        alive_F = torch.arange(len(part.expand.bias)) % 3 == 0
        part.expand.bias.data[~alive_F] = -100.0
        worth[name] = alive_F.double()
    return network, worth


def network_of(config: ModelConfig, stored: dict[str, Tensor]) -> Seq2Seq:
    """The network that a bundle's tensors stand for."""
    network = Seq2Seq(config).eval()
    network.load_state_dict(restored(stored), strict=False)
    network.tie()
    return network


@torch.no_grad()
def logits(network: Seq2Seq) -> Tensor:
    source, length = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]]), torch.tensor([4, 2])
    return network.logits(network(source, length, torch.tensor([[2, 9, 10], [2, 11, 12]])))


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_without_units_that_never_fire_a_network_says_the_same(storage: Storage) -> None:
    network, worth = partly_dead()
    stored, units = stored_tensors(network, storage), Units(4, 7)
    fewer = keep(stored, worth, units)
    assert units_of(smaller(CONFIG, units)) == units
    expected, found = logits(network_of(CONFIG, stored)), logits(network_of(smaller(CONFIG, units), fewer))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert fewer["encoder.blocks.0.feed_forward.expand.weight"].shape == (4, 8)
    assert fewer["decoder.block_list.0.feed_forward.contract.weight"].shape == (8, 7)
    changed = logits(network_of(smaller(CONFIG, Units(3, 7)), keep(stored, worth, Units(3, 7))))
    assert (changed - expected).abs().max() > 1e-3


def test_parts_without_units_leave_with_all_that_is_theirs() -> None:
    network, worth = partly_dead()
    fewer = keep(stored_tensors(network, "int8"), worth, Units(0, 20))
    assert not [name for name in fewer if name.startswith("encoder.") and "feed_forward" in name]
    config = smaller(CONFIG, Units(0, 20))
    assert {name for name in fewer if not name.endswith(".scale")} == {
        name for name, _ in Seq2Seq(config).named_parameters()
    }
    assert logits(network_of(config, fewer)).isfinite().all()


def test_units_are_counted_in_steps_of_the_compiled_engine() -> None:
    assert Units(0, 1).rounded_up() == Units(0, 16)
    assert Units(16, 17).rounded_up() == Units(16, 32)


@pytest.mark.parametrize(("units", "told"), [(Units(13, 0), "encoder"), (Units(0, -1), "decoder")])
def test_more_units_than_there_are_cannot_be_kept(units: Units, told: str) -> None:
    with pytest.raises(UserError, match=f"--{told}-units must be from 0 to the"):
        smaller(CONFIG, units)


def test_a_smaller_configuration_differs_in_units_alone() -> None:
    back = smaller(CONFIG, Units(4, 4))
    encoder = dataclasses.replace(back.encoder, feed_forward=12)
    assert dataclasses.replace(back, encoder=encoder, decoder=CONFIG.decoder) == CONFIG


def test_a_smaller_network_goes_on_from_the_units_with_the_longest_weights() -> None:
    network, worth = partly_dead()
    for name, part in feed_forwards(network).items():
        part.contract.weight.data *= worth[name].clamp_min(1e-3)
    before = kept_tensors(network)
    smaller_one = Seq2Seq(smaller(CONFIG, Units(4, 7))).eval()
    weights, cut = shrink(smaller_one, before)
    smaller_one.load_state_dict(weights, strict=False)
    smaller_one.tie()
    torch.testing.assert_close(logits(smaller_one), logits(network), rtol=0, atol=1e-6)
    assert cut == ["decoder.block_list.0.feed_forward", *(f"encoder.blocks.{index}.feed_forward" for index in range(2))]
    assert shrink(network, before)[1] == []


def test_a_network_without_feed_forward_parts_goes_on_from_one_that_has_them() -> None:
    network, _ = partly_dead()
    without = Seq2Seq(smaller(CONFIG, Units(0, 0)))
    weights, cut = shrink(without, kept_tensors(network))
    assert len(cut) == 3
    assert weights.keys() == kept_tensors(without).keys()
