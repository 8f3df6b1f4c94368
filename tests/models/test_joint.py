"""Language models that see a bag of the source's words (Auli et al. 2013), or no source: against their definition."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from data.errors import UserError
from models.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from models.seq2seq import Seq2Seq

BAG, SOURCELESS = EncoderConfig(layers=0), EncoderConfig(layers=0, normalize=False)
JOINT = ModelConfig(
    13,
    8,
    encoder=BAG,
    decoder=DecoderConfig(cell="srn", layers=2, hidden=8, bridge="zero"),
    attention=AttentionConfig(kind="mean", heads=1),
)
LANGUAGE_MODEL = dataclasses.replace(
    JOINT, encoder=SOURCELESS, attention=AttentionConfig(kind="none"), language_model=True
)
SOURCE, TARGET = [[5, 6, 7, 3], [8, 3, 0, 0]], [[2, 9, 10], [2, 11, 12]]
LENGTH = [4, 2]


def made(config: ModelConfig) -> Seq2Seq:
    torch.manual_seed(6)
    network = Seq2Seq(config).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.5)
    return network


def teach(network: Seq2Seq, source: list[list[int]] = SOURCE) -> Tensor:
    return network(torch.tensor(source), torch.tensor(LENGTH), torch.tensor(TARGET))


def by_definition(network: Any, source: list[int], target: list[int]) -> Tensor:
    """s_t = tanh(W x_t + U s_{t-1} + b) in two layers, the mean of the normalised embeddings added between them."""

    def norm(layer: Any, vector_D: Tensor) -> Tensor:
        spread = ((vector_D - vector_D.mean()) ** 2).mean() + layer.eps
        return (vector_D - vector_D.mean()) / spread.sqrt() * layer.weight + layer.bias

    decoder, table_VD = network.decoder, network.source_weight
    words = [norm(network.encoder.norm, table_VD[word]) for word in source]
    projection = decoder.attention_list[0].output
    context_D = projection.weight @ (sum(words) / len(words)) + projection.bias
    states_H, found = [torch.zeros(8).double()] * 2, []
    for word in target:
        stream_D = table_VD[word]
        for layer, (cell, block) in enumerate(zip(decoder.cell_list, decoder.block_list, strict=True)):
            input_H = cell.weight_ih @ norm(block.recurrence_norm, stream_D) + cell.bias
            states_H[layer] = torch.tanh(input_H + cell.weight_hh @ states_H[layer])
            stream_D = stream_D + states_H[layer] + (context_D if layer == 0 else 0)
        found.append(norm(decoder.norm, stream_D))
    return torch.stack(found)


def test_the_joint_model_computes_its_definition() -> None:
    network = made(JOINT)
    found = teach(network)
    for row, (source, length, target) in enumerate(zip(SOURCE, LENGTH, TARGET, strict=True)):
        torch.testing.assert_close(found[row], by_definition(network, source[:length], target), atol=1e-12, rtol=0)


def test_a_bag_of_words_has_no_order() -> None:
    network = made(JOINT)
    torch.testing.assert_close(teach(network, [[7, 5, 3, 6], [3, 8, 0, 0]]), teach(network))
    assert not torch.allclose(teach(network, [[7, 5, 3, 5], [3, 8, 0, 0]])[0], teach(network)[0])


def test_a_bag_that_is_not_normalised_is_the_embeddings_themselves() -> None:
    network = made(dataclasses.replace(JOINT, encoder=SOURCELESS))
    embedded = functional.embedding(torch.tensor(SOURCE), network.source_weight)
    assert torch.equal(network.encoder(embedded, torch.tensor(LENGTH)), embedded)


def test_a_language_model_ignores_the_source_and_has_no_part_for_it() -> None:
    network = made(LANGUAGE_MODEL)
    assert torch.equal(teach(network, [[9, 9, 9, 9], [4, 4, 0, 0]]), teach(network))
    network.logits(teach(network)).square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": AttentionConfig(kind="fixed")}, "whose ends say nothing"),
        ({"decoder": DecoderConfig(bridge="ends")}, "whose ends say nothing"),
        ({"attention": AttentionConfig(kind="none")}, "would hide the source"),
        ({"language_model": True}, "a 'language_model' has no part for a source"),
        ({"encoder": EncoderConfig(layers=1)} | {"language_model": True}, "'encoder.layers' to 0"),
    ],
)
def test_arrangements_that_make_no_sense_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dataclasses.replace(JOINT, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": -1}, "'layers' must be from 0"),
        ({"layers": 0, "feed_forward": 8}, "need 'layers' of at least 1"),
        ({"layers": 0, "reverse_source": True}, "need 'layers' of at least 1"),
    ],
)
def test_a_bag_of_words_has_no_layers_to_configure(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EncoderConfig(**changes)
