"""Encoder-decoders without attention learn to copy (or sort) through one vector, as their papers say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from models.config import AttentionConfig, DecoderConfig, DropoutConfig, EncoderConfig, ModelConfig
from models.hypotheses import SearchOptions, Specials
from models.search import translate_ids
from models.seq2seq import Seq2Seq

BOS, EOS, FIRST, VOCABULARY, LENGTH = 2, 3, 4, 12, 4
ARRANGEMENTS: dict[str, dict[str, Any]] = {
    "cho2014": {
        "encoder": {"cell": "gru_cho", "layers": 1},
        "decoder": {"cell": "gru_cho", "layers": 1, "bridge": "ends"},
        "attention": {"kind": "fixed"},
    },
    "auli2013": {
        "encoder": {"layers": 0},
        "decoder": {"cell": "srn", "layers": 2, "bridge": "zero", "attention_blocks": "all"},
        "attention": {"kind": "mean"},
    },
    "sutskever2014": {
        "encoder": {"cell": "lstm", "layers": 2, "reverse_source": True, "residual": False, "normalize": False},
        "decoder": {"cell": "lstm", "layers": 2, "bridge": "ends"},
        "attention": {"kind": "none"},
    },
}


def made(arrangement: dict[str, Any]) -> Seq2Seq:
    torch.manual_seed(1)
    return Seq2Seq(
        ModelConfig(
            VOCABULARY,
            width=64,
            encoder=EncoderConfig(hidden=64, bidirectional=False, **arrangement["encoder"]),
            decoder=DecoderConfig(hidden=64, **arrangement["decoder"]),
            attention=AttentionConfig(heads=1, **arrangement["attention"]),
            dropout=DropoutConfig(residual=0, embedding=0),
        )
    )


def words(name: str, count: int, generator: torch.Generator) -> torch.Tensor:
    """Made-up sentences; sorted ones for a network that does not know in which order words stand."""
    text = torch.randint(FIRST, VOCABULARY, (count, LENGTH), generator=generator)
    return text.sort(1).values if name == "auli2013" else text


@pytest.mark.parametrize("name", sorted(ARRANGEMENTS))
def test_copying_is_learned_without_attention(name: str) -> None:
    network, generator = made(ARRANGEMENTS[name]), torch.Generator().manual_seed(2)
    optimizer = torch.optim.Adam(network.parameters(), 0.004)
    bos, eos, length = torch.full((64, 1), BOS), torch.full((64, 1), EOS), torch.full((64,), LENGTH + 1)
    for _ in range(400):
        text = words(name, 64, generator)
        hidden = network(torch.cat([text, eos], 1), length, torch.cat([bos, text], 1))
        loss = functional.cross_entropy(network.logits(hidden).flatten(0, 1), torch.cat([text, eos], 1).flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    fresh = words(name, 100, generator).tolist()
    sources = [[*line, EOS] for line in fresh]
    found = translate_ids(network.eval(), sources, SearchOptions(beam=3), Specials(0, BOS, EOS, (1,)))
    assert sum(list(best[0].tokens) == line for best, line in zip(found, fresh, strict=True)) >= 90
