"""Label-smoothed cross-entropy, fused with the output layer.

Legend: N predicted positions, C rows of a chunk, D width, V vocabulary.

The logits of a batch are its largest tensor: 4,000 positions times 8,000 words are 128 MB, and a plain loss passes over
them some ten times. Here they exist one chunk at a time, small enough for the processor's cache, and the gradient is
taken in the same visit; nothing of size N x V is ever kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_LOGITS = 1 << 21  # 8 MB of float32: what stays in the last-level cache of small machines


class FusedCrossEntropy(torch.autograd.Function):
    """Sum over positions of (1 - smoothing) * cross-entropy(target) + smoothing * cross-entropy(uniform).

    Smoothing adds the same constant to every logit's gradient, so its part in the products is a rank-one term that
    needs no pass over the logits.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None, target_N: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The smoothed sum and the plain negative log-likelihood, both float32 scalars."""
        low_VD = weight_VD.to(hidden_ND.dtype)
        low_DV = low_VD.t().contiguous()  # measured: this orientation of the product is faster in MKL
        chunk = max(64, CHUNK_LOGITS // weight_VD.shape[0])
        hidden_gradient_ND = torch.empty_like(hidden_ND)
        weight_gradient_VD = torch.zeros_like(weight_VD, dtype=torch.float32)
        bias_gradient_V = None if bias_V is None else torch.zeros_like(bias_V, dtype=torch.float32)
        normalizer, nll = hidden_ND.new_zeros((), dtype=torch.float32), hidden_ND.new_zeros((), dtype=torch.float32)
        for start in range(0, hidden_ND.shape[0], chunk):
            hidden_CD, target_C1 = hidden_ND[start : start + chunk], target_N[start : start + chunk, None]
            logits_CV = (hidden_CD @ low_DV).float()
            if bias_V is not None:
                logits_CV += bias_V
            target_logit_C1 = logits_CV.gather(1, target_C1)
            gradient_CV = torch.log_softmax(logits_CV, 1)
            target_C1_log = gradient_CV.gather(1, target_C1)
            nll -= target_C1_log.sum()
            normalizer += (target_logit_C1 - target_C1_log).sum()
            gradient_CV.exp_().scatter_add_(1, target_C1, gradient_CV.new_full(target_C1.shape, smoothing - 1.0))
            if bias_gradient_V is not None:
                bias_gradient_V += gradient_CV.sum(0)
            low_CV = gradient_CV.to(hidden_ND.dtype)
            torch.mm(low_CV, low_VD, out=hidden_gradient_ND[start : start + chunk])
            weight_gradient_VD += low_CV.t() @ hidden_CD
        share = smoothing / weight_VD.shape[0]
        hidden_sum_D, weight_sum_D = hidden_ND.float().sum(0), weight_VD.sum(0)
        hidden_gradient_ND -= (share * weight_sum_D).to(hidden_ND.dtype)
        weight_gradient_VD -= share * hidden_sum_D
        logit_sum = hidden_sum_D @ weight_sum_D
        if bias_V is not None and bias_gradient_V is not None:
            bias_gradient_V -= share * hidden_ND.shape[0]
            logit_sum = logit_sum + hidden_ND.shape[0] * bias_V.sum()
        kept = [hidden_gradient_ND, weight_gradient_VD]
        ctx.save_for_backward(*kept, *([] if bias_gradient_V is None else [bias_gradient_V]))
        ctx.mark_non_differentiable(nll)
        return (1.0 - smoothing) * nll + smoothing * normalizer - share * logit_sum, nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None]:
        """The stored gradients, scaled."""
        scale = gradients[0]
        hidden_gradient_ND, weight_gradient_VD, *bias = ctx.saved_tensors
        hidden_gradient_ND = hidden_gradient_ND * scale.to(hidden_gradient_ND.dtype)
        return hidden_gradient_ND, weight_gradient_VD * scale, bias[0] * scale if bias else None, None, None


def token_loss(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    target_N: Tensor,
    smoothing: float,
    pad_id: int = 0,
) -> tuple[Tensor, Tensor]:
    """Loss of predicting each target word, padding left out.

    Args:
        hidden_ND: vectors for the output layer; any float type.
        weight_VD, bias_V: the output layer; the gradient of the weight is float32.
        target_N: the words to predict, `pad_id` where there is none.
        smoothing: label smoothing, 0 to 1 (Szegedy et al. 2016), spread over the whole vocabulary.
    Returns:
        The smoothed loss (differentiable once) and the plain negative log-likelihood (detached): float32 sums in nats.
    """
    kept_N = (target_N != pad_id).nonzero().squeeze(1)
    loss, nll = FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_ND.index_select(0, kept_N), weight_VD, bias_V, target_N.index_select(0, kept_N), smoothing
    )
    return loss, nll
