"""Encoder, attention and decoders: shapes, masks, steps against sequences, tying."""

import dataclasses
from typing import Any

import pytest
import torch

from data.errors import UserError
from models.attention import make_attention
from models.config import AttentionConfig, DecoderConfig, DropoutConfig, EncoderConfig, ModelConfig
from models.seq2seq import Seq2Seq

LOOKING = ["multi_head", "additive", "dot", "general"]
KINDS = [*LOOKING, "fixed", "mean", "none"]
ARRANGEMENTS = ["blocks", "input_feeding"]


def small(arrangement: Any = "blocks", kind: Any = "multi_head", **changes: Any) -> Seq2Seq:
    torch.manual_seed(4)
    config = ModelConfig(
        vocabulary_size=13,
        width=8,
        encoder=EncoderConfig(hidden=5, feed_forward=6),
        decoder=DecoderConfig(arrangement=arrangement, hidden=8, attention_blocks="all", feed_forward=6),
        attention=AttentionConfig(kind=kind, heads=2),
    )
    return Seq2Seq(dataclasses.replace(config, **changes)).eval()


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]]), torch.tensor([4, 2]), torch.tensor([[2, 9, 10], [2, 11, 12]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_steps_compute_what_teacher_forcing_does(arrangement: str, kind: str) -> None:
    network = small(arrangement, kind)
    source, length, target = batch()
    whole = network(source, length, target)
    memory, state = network.encode(source, length)
    for position in range(3):
        output = network.decode(target[:, position : position + 1], memory, state)
        state = output.state
        torch.testing.assert_close(output.hidden_NTD[:, 0], whole[:, position])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_padding_changes_nothing(arrangement: str, kind: str) -> None:
    network = small(arrangement, kind)
    source, length, target = batch()
    alone = network(source[1:, :2], length[1:], target[1:])
    torch.testing.assert_close(network(source, length, target)[1:], alone)


@pytest.mark.parametrize("kind", LOOKING)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_attention_weights_sum_to_one_and_skip_padding(arrangement: str, kind: str) -> None:
    network = small(arrangement, kind)
    source, length, target = batch()
    weights = network.decode(target, *network.encode(source, length)).attention_NTS
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert (weights[1, :, 2:] == 0).all()


@pytest.mark.parametrize("kind", ["fixed", "mean", "none"])
def test_without_attention_there_are_no_weights(kind: str) -> None:
    network = small("blocks", kind)
    source, length, target = batch()
    weights = network.decode(target, *network.encode(source, length)).attention_NTS
    assert weights.shape == (2, 3, 4)
    assert not weights.any()


def test_the_attention_that_is_told_of_is_the_last_blocks() -> None:
    network = small()
    source, length, target = batch()
    last = network.decoder.attentions[-1].query
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    weights = network.decode(target, *network.encode(source, length)).attention_NTS
    torch.testing.assert_close(weights[1, :, :2], torch.full((3, 2), 0.5))


def test_a_fixed_context_is_the_same_for_every_word() -> None:
    layer = make_attention(AttentionConfig(kind="fixed"), 6, 5, 0.0)
    encoded, bias = torch.randn(2, 4, 5), torch.tensor([[0.0] * 4, [0.0, 0.0, -torch.inf, -torch.inf]])
    context, _ = layer(torch.randn(2, 3, 6), layer.remember(encoded, bias))
    expected = layer.output(torch.stack([torch.cat([encoded[0, 0], encoded[0, 3]]), encoded[1, :2].flatten()]))
    torch.testing.assert_close(context, expected[:, None].expand(2, 3, 6))


def test_a_source_read_from_its_end_is_the_reversed_source() -> None:
    encoder = EncoderConfig(hidden=5, bidirectional=False)
    forwards = small(encoder=encoder)
    backwards = small(encoder=dataclasses.replace(encoder, reverse_source=True))
    embedded, length = torch.randn(2, 4, 8), torch.tensor([4, 2])
    mirrored = torch.stack([embedded[0].flip(0), torch.cat([embedded[1, :2].flip(0), embedded[1, 2:]])])
    found, expected = backwards.encoder(embedded, length), forwards.encoder(mirrored, length)
    torch.testing.assert_close(found[0], expected[0].flip(0))
    torch.testing.assert_close(found[1, :2], expected[1, :2].flip(0))


def test_a_decoder_must_learn_of_the_source_somehow() -> None:
    with pytest.raises(UserError, match="would hide the source"):
        ModelConfig(attention=AttentionConfig(kind="none"), decoder=DecoderConfig(bridge="zero"))


def test_a_beam_shares_its_sentence_memory() -> None:
    network = small()
    source, length, _ = batch()
    memory, state = network.encode(source, length)
    tokens = torch.tensor([[2], [9], [4], [5]])
    rows = [0, 0, 1, 1]
    doubled = state._replace(cells=tuple(type(cell)(*(part[rows] for part in cell)) for cell in state.cells))
    together = network.decode(tokens, memory, doubled).hidden_NTD
    memory4, _ = network.encode(source[rows], length[rows])
    torch.testing.assert_close(together, network.decode(tokens, memory4, doubled).hidden_NTD)


@pytest.mark.parametrize(("tie", "matrices"), [("three_way", 1), ("target", 2), ("none", 3)])
def test_tying_shares_parameters(tie: str, matrices: int) -> None:
    network = small(tie=tie)
    assert len({id(network.source_weight), id(network.target_weight), id(network.output_weight)}) == matrices


@pytest.mark.parametrize("kind", ["multi_head", "fixed", "mean", "none"])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_every_parameter_gets_a_gradient(arrangement: str, kind: str) -> None:
    network = small(arrangement, kind).train()
    source, length, target = batch()
    network.logits(network(source, length, target).flatten(0, 1)).square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_word_dropout_spares_the_first_word() -> None:
    network = small(dropout=DropoutConfig(residual=0, embedding=0, word=0.9)).train()
    embedded = network.embed(network.source_weight, torch.full((50, 20), 5), 1)
    assert (embedded[:, 0].abs().sum(-1) > 0).all()
    dropped = (embedded[:, 1:].abs().sum(-1) == 0).float().mean()
    assert 0.8 < dropped < 0.97


def test_a_network_without_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match="vocabulary_size"):
        Seq2Seq(ModelConfig())


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(UserError, match=r"multiple of 'attention\.heads'"):
        ModelConfig(width=10, attention=AttentionConfig(heads=4))


def test_dot_attention_needs_equal_widths() -> None:
    with pytest.raises(UserError, match="dot"):
        small("input_feeding", "dot", width=12)
