"""Label-smoothed cross-entropy and the agreement of two passes (R-Drop), fused with the output layer.

Legend: P passes of the network over the same words, N predicted positions, D width, V vocabulary,
R rows of a chunk (some positions, in every pass).

The logits of a batch are its largest tensor: 4,000 positions times 8,000 words are 128 MB, and a plain loss passes over
them some ten times. Here they exist one chunk at a time, small enough for the processor's cache, and the gradient is
taken in the same visit; nothing of size N x V is ever kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from training.native import cross_entropy

CHUNK_BYTES = 1 << 23  # of logits: what stays in the last-level cache of small machines
GPU_CHUNK_BYTES = 1 << 28  # a GPU waits for kernels to be started, not for memory
ROWS = 64  # chunks are of a multiple of it: torch makes a kernel for every shape of a product that is new to it


def filled(part_RX: Tensor) -> Tensor:
    """Rows of zeros added up to a multiple of `ROWS`."""
    lacking = -len(part_RX) % ROWS
    return torch.nn.functional.pad(part_RX, (0, 0, 0, lacking)) if lacking else part_RX


def attract(log_RV: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Pull the distributions of two passes together: R-Drop (Wu et al. 2021), both Kullback-Leibler divergences.

    Args:
        log_RV: log-probabilities, the first pass's rows before the second's; overwritten.
        strength: weight of the divergences' mean.
    Returns:
        The gradient of the logits, probabilities added (what cross-entropy goes on from), and the weighted mean.
    """
    first_CV, second_CV = log_RV.chunk(2)
    apart_CV = first_CV - second_CV
    gradient_RV = log_RV.exp_()
    first_CV, second_CV = gradient_RV.chunk(2)
    change_CV = first_CV - second_CV
    forth_CV, back_CV = first_CV * apart_CV, second_CV * apart_CV
    forth_C1, back_C1 = forth_CV.sum(1, keepdim=True), -back_CV.sum(1, keepdim=True)
    first_CV.add_(forth_CV.addcmul_(first_CV, forth_C1, value=-1.0).add_(change_CV), alpha=strength / 2)
    second_CV.sub_(back_CV.addcmul_(second_CV, back_C1).add_(change_CV), alpha=strength / 2)
    return gradient_RV, strength / 2 * (forth_C1 + back_C1).sum()


class Turned(NamedTuple):
    """What a chunk of logits becomes."""

    gradient_RV: Tensor  # of the logits, but for what label smoothing adds to all alike
    target_logit_R: Tensor
    normalizer_R: Tensor  # logarithm of the sum of exponentials
    apart: Tensor | float = 0.0  # the weighted mean of `attract`


def turn(logits_RV: Tensor, bias_V: Tensor | None, target_R: Tensor, share: float, agreement: float) -> Turned:
    """From logits without their bias, which may be overwritten, to probabilities, less `share` at the target."""
    if cross_entropy.fits(logits_RV):
        return Turned(logits_RV, *cross_entropy.turn(logits_RV, bias_V, target_R, share, agreement))
    logits_RV, target_R1 = logits_RV.float(), target_R[:, None]
    if bias_V is not None:
        logits_RV += bias_V
    log_RV, target_logit_R1 = torch.log_softmax(logits_RV, 1), logits_RV.gather(1, target_R1)
    normalizer_R1 = target_logit_R1 - log_RV.gather(1, target_R1)
    gradient_RV, apart = attract(log_RV, agreement) if agreement else (log_RV.exp_(), 0.0)
    gradient_RV.scatter_add_(1, target_R1, gradient_RV.new_full(target_R1.shape, -share))
    return Turned(gradient_RV, target_logit_R1[:, 0], normalizer_R1[:, 0], apart)


def accumulate(sum_VD: Tensor, part_VD: Tensor) -> None:
    """Add what a chunk contributes to a gradient."""
    if cross_entropy.fits(part_VD):
        cross_entropy.add(sum_VD, part_VD)
    else:
        sum_VD += part_VD


class FusedCrossEntropy(torch.autograd.Function):
    """Sum over positions of (1 - smoothing) * cross-entropy(target) + smoothing * cross-entropy(uniform).

    Smoothing adds the same constant to every logit's gradient, so its part in the products is a rank-one term that
    needs no pass over the logits.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_PND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        target_N: Tensor,
        smoothing: float,
        agreement: float,
    ) -> tuple[Tensor, Tensor]:
        """The smoothed sum and the plain negative log-likelihood, means over the passes, both float32 scalars."""
        low_VD = weight_VD.to(hidden_PND.dtype)
        low_DV = low_VD.t().contiguous()  # measured: this orientation of the product is faster in MKL
        passes, positions, width = hidden_PND.shape
        logit_bytes = 2 if cross_entropy.fits(hidden_PND) else 4
        most = (GPU_CHUNK_BYTES if hidden_PND.is_cuda else CHUNK_BYTES) // logit_bytes
        chunk = max(1, most // weight_VD.shape[0] // ROWS) * ROWS // passes
        hidden_gradient_PND = torch.empty_like(hidden_PND)
        weight_gradient_VD = torch.zeros_like(weight_VD, dtype=torch.float32)
        bias_gradient_V = None if bias_V is None else torch.zeros_like(bias_V, dtype=torch.float32)
        nll, loss = (hidden_PND.new_zeros((), dtype=torch.float32) for _ in range(2))
        for start in range(0, positions, chunk):
            part = slice(start, start + chunk)
            target_R = target_N[part].repeat(passes)
            rows = len(target_R)
            hidden_RD = filled(hidden_PND[:, part].reshape(-1, width))
            turned = turn((hidden_RD @ low_DV)[:rows], bias_V, target_R, 1.0 - smoothing, agreement)
            nll += (turned.normalizer_R - turned.target_logit_R).sum()
            loss += smoothing * turned.normalizer_R.sum() + turned.apart
            if bias_gradient_V is not None:
                bias_gradient_V += turned.gradient_RV.sum(0, dtype=torch.float32)
            low_RV = filled(turned.gradient_RV.to(hidden_PND.dtype))
            hidden_gradient_PND[:, part] = (low_RV @ low_VD)[:rows].view(passes, -1, width)
            accumulate(weight_gradient_VD, low_RV.t() @ hidden_RD)
        share = smoothing / weight_VD.shape[0]
        hidden_sum_D, weight_sum_D = hidden_PND.float().sum((0, 1)), weight_VD.sum(0)
        hidden_gradient_PND -= (share * weight_sum_D).to(hidden_PND.dtype)
        weight_gradient_VD -= share * hidden_sum_D
        logit_sum = hidden_sum_D @ weight_sum_D
        if bias_V is not None and bias_gradient_V is not None:
            bias_gradient_V -= share * passes * positions
            logit_sum = logit_sum + passes * positions * bias_V.sum()
        kept = [hidden_gradient_PND, weight_gradient_VD]
        ctx.save_for_backward(*kept, *([] if bias_gradient_V is None else [bias_gradient_V]))
        ctx.passes = passes
        ctx.mark_non_differentiable(nll)
        return (loss + (1.0 - smoothing) * nll - share * logit_sum) / passes, nll / passes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None, None]:
        """The stored gradients, scaled."""
        scale = gradients[0] / ctx.passes
        hidden_gradient_PND, weight_gradient_VD, *bias = ctx.saved_tensors
        hidden_gradient_PND = hidden_gradient_PND * scale.to(hidden_gradient_PND.dtype)
        weight_gradient_VD.mul_(scale)  # in place: it is large, and nobody goes back twice
        return hidden_gradient_PND, weight_gradient_VD, bias[0] * scale if bias else None, None, None, None


def token_loss(
    hidden_PND: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    target_N: Tensor,
    smoothing: float,
    pad_id: int = 0,
    agreement: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Loss of predicting each target word, padding left out; the mean over passes.

    Args:
        hidden_PND: vectors for the output layer from one pass, or from two with different dropout; any float type.
        weight_VD, bias_V: the output layer; the gradient of the weight is float32.
        target_N: the words to predict, `pad_id` where there is none.
        smoothing: label smoothing, 0 to 1 (Szegedy et al. 2016), spread over the whole vocabulary.
        agreement: with two passes, R-Drop's alpha: the weight of the mean of both Kullback-Leibler divergences
            between them, beside the sum of both passes' losses (all of which is halved here).
    Returns:
        The smoothed loss (differentiable once) and the plain negative log-likelihood (detached): float32 sums in nats.
    """
    kept_N = (target_N != pad_id).nonzero().squeeze(1)
    loss, nll = FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_PND.index_select(1, kept_N), weight_VD, bias_V, target_N.index_select(0, kept_N), smoothing, agreement
    )
    return loss, nll
