"""The output layer by ridge regression in closed form, over states that are never trained (Jaeger 2001).

Legend: B sentences, T target positions, N positions that are learned from, D width, F features (D, and a one where
the output layer has a bias), V vocabulary, R candidate strengths, C candidate scales.

The network says, linearly in its features, which word follows: 1 for the right one, 0 for all others. All that the
solution needs of the data are sums of products, so they are passed over once and no states are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from data.collate import Batch, collate
from data.config import check
from data.prepared import Pair
from data.tokenizer import Tokenizer
from models.seq2seq import Seq2Seq

SCALES = tuple(2 ** (index / 2) for index in range(21))  # 1 to 1024
DEV_BATCH = 32  # pairs


class Readout(NamedTuple):
    """A solution and how well it does on the dev sets."""

    weight_VF: Tensor  # scale folded in
    strength: float
    scale: float  # of the scores, an inverse temperature
    nll: float  # nats per token

    @torch.no_grad()
    def put(self, network: Seq2Seq) -> None:
        """Make it the network's output layer."""
        width = network.output_weight.shape[1]
        network.output_weight.copy_(self.weight_VF[:, :width])
        if network.output_bias is not None:
            network.output_bias.copy_(self.weight_VF[:, width])


class NormalEquations:
    """Sums over positions, in float64, from which the output layer follows.

    Args:
        network: whose output layer it is.
    """

    def __init__(self, network: Seq2Seq) -> None:
        vocabulary, width = network.output_weight.shape
        self.has_bias = network.output_bias is not None
        blank = network.output_weight.new_zeros((), dtype=torch.float64)
        self.gram_FF = blank.new_zeros(width + self.has_bias, width + self.has_bias)
        self.target_VF = blank.new_zeros(vocabulary, width + self.has_bias)
        self.positions = blank.new_zeros(())

    @property
    def parts(self) -> dict[str, Tensor]:
        """All sums, by name; sums of several parts of the data may be added up."""
        return {"gram": self.gram_FF, "target": self.target_VF, "positions": self.positions}

    def add(self, hidden_ND: Tensor, word_N: Tensor) -> None:
        """Count positions: what the network saw, and the word that followed."""
        features_NF = self.features(hidden_ND.double())
        self.gram_FF.addmm_(features_NF.t(), features_NF)
        self.target_VF.index_add_(0, word_N, features_NF)
        self.positions += len(word_N)

    def features(self, hidden_ND: Tensor) -> Tensor:
        """Hidden vectors, with a one for the bias."""
        return torch.cat([hidden_ND, hidden_ND.new_ones(len(hidden_ND), 1)], 1) if self.has_bias else hidden_ND

    def solve(self, strength: float) -> Tensor:
        """The weights [V, F] with the least mean squared error plus `strength` times their squares; biases are free.

        Raises:
            UserError: when there were no positions or some without a number, or the strength is too small for float64.
        """
        check(bool(self.positions > 0), "there is nothing to learn from: 'model.reservoir.washout' skips all targets")
        finite = bool(self.gram_FF.isfinite().all())
        check(finite, "states grow beyond all numbers: lower 'model.reservoir.spectral_radius', or bend them by tanh")
        penalty_F = torch.full_like(self.gram_FF[0], strength) * self.positions
        penalty_F[len(penalty_F) - self.has_bias :] = 0.0
        factor_FF, failed = torch.linalg.cholesky_ex(self.gram_FF + penalty_F.diag())
        check(int(failed) == 0, f"'ridge_strength' {strength:g} is too small to solve for the output layer: raise it")
        return torch.cholesky_solve(self.target_VF.t(), factor_FF).t()

    def choose(self, network: Seq2Seq, batches: Iterable[Batch], strengths: Sequence[float]) -> Readout:
        """The solution by the strength and scale under which dev sets are most probable.

        Scores of a regression lie near 0 and 1; one factor makes log-probabilities of them.
        """
        solutions = [self.solve(strength) for strength in strengths]
        nll_RC, tokens = self.gram_FF.new_zeros(len(solutions), len(SCALES)), 0
        for hidden_ND, word_N in (states(network, batch) for batch in batches):
            tokens += len(word_N)
            for index, weight_VF in enumerate(solutions):
                scores_NV = self.features(hidden_ND) @ weight_VF.t().to(hidden_ND.dtype)
                nll_RC[index] += torch.stack([nll(scores_NV * factor, word_N) for factor in SCALES])
        row, column = divmod(int(nll_RC.argmin()), len(SCALES))
        best = SCALES[column]
        return Readout(solutions[row] * best, strengths[row], best, float(nll_RC[row, column]) / tokens)


def nll(logits_NV: Tensor, word_N: Tensor) -> Tensor:
    """Negative log-likelihood, summed over positions."""
    return torch.nn.functional.cross_entropy(logits_NV, word_N, reduction="sum")


@torch.no_grad()
def states(network: Seq2Seq, batch: Batch, washout: int = 0) -> tuple[Tensor, Tensor]:
    """Hidden vectors [N, D] at all target positions from the `washout`-th on, and the words [N] that follow."""
    parts = (part.to(network.output_weight.device) for part in batch[:5])
    source_BS, length_B, input_BT, output_BT, target_length_B = parts
    position_1T = torch.arange(output_BT.shape[1], device=output_BT.device)[None]
    kept_BT = (position_1T >= washout) & (position_1T < target_length_B[:, None])
    return network(source_BS, length_B, input_BT)[kept_BT], output_BT[kept_BT]


def dev_batches(tokenizer: Tokenizer, groups: Iterable[Sequence[Pair]]) -> Iterator[Batch]:
    """Pairs as batches, those of similar length together."""
    for pairs in groups:
        ordered = sorted(pairs, key=lambda pair: len(pair.source))
        for start in range(0, len(ordered), DEV_BATCH):
            chosen = ordered[start : start + DEV_BATCH]
            sources = [tokenizer.encode_source(pair.source, pair.target_language) for pair in chosen]
            yield collate(sources, [tokenizer.encode(pair.target) for pair in chosen], tokenizer.pad_id)
