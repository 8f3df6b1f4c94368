"""Initial weights.

Hidden-to-hidden matrices start orthogonal per gate (Saxe et al. 2014), so that their spectral radius is one and a
gradient neither vanishes nor explodes through them; other matrices start uniform after Glorot and Bengio (2010);
LSTM forget gates start open (Jozefowicz et al. 2015).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def orthogonal_gates(weight_GH: Tensor) -> None:
    """Make each square gate block of a stacked hidden-to-hidden matrix orthogonal, in place."""
    gates = weight_GH.shape[0] // weight_GH.shape[1]
    for block_HH in weight_GH.chunk(gates):
        nn.init.orthogonal_(block_HH)


def glorot_gates(weight_GI: Tensor, gates: int) -> None:
    """Glorot-uniform for each gate block of a stacked input-to-hidden matrix, in place."""
    for block_HI in weight_GI.chunk(gates):
        nn.init.xavier_uniform_(block_HI)


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A Glorot-uniform linear layer with a zero bias."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def embedding_weight(vocabulary: int, width: int) -> nn.Parameter:
    """Normal with deviation width^-1/2, so that a tied output layer starts with logits of unit size."""
    return nn.Parameter(torch.randn(vocabulary, width) * width**-0.5)
