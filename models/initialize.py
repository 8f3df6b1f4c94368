"""Initial weights.

Hidden-to-hidden matrices start orthogonal per gate (Saxe et al. 2014), so that their spectral radius is one and a
gradient neither vanishes nor explodes through them, unless a recipe names another start; other matrices start uniform
after Glorot and Bengio (2010); LSTM forget gates start open (Jozefowicz et al. 2015).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CONNECTIONS, RADIUS = 15, 1.1  # of a sparse start, after Sutskever et al. (2013)


def sparse(weight_HH: Tensor) -> None:
    """Each unit hears 15 others with normal weights; the spectral radius is then set to 1.1 (Sutskever et al. 2013).

    With it a plain recurrent network starts near the edge of chaos, as echo state networks do.
    """
    weight_HH.zero_()
    if weight_HH.is_meta:
        return
    units = len(weight_HH)
    heard = torch.rand(units, units).argsort(1)[:, :CONNECTIONS].to(weight_HH.device)
    weight_HH.scatter_(1, heard, torch.randn(heard.shape).to(weight_HH))
    radius = float(torch.linalg.eigvals(weight_HH.double()).abs().max())
    weight_HH.mul_(RADIUS / radius if radius > 0 else 1.0)


STARTS: dict[str, Callable[[Tensor], object]] = {
    "orthogonal": nn.init.orthogonal_,
    "identity": nn.init.eye_,
    "sparse": sparse,
}


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
