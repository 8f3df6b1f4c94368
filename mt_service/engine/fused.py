"""The table whose steps are mostly the network's: the search of a step is two kernels.

Legend: B slots, K beam, N = B * K rows, V vocabulary, C = 2 K candidates, X columns of an outcome.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from models.beams import IMPOSSIBLE, tensors_of
from mt_service.engine.kernels import advance, best_words
from mt_service.engine.table import HEAD, Table

LARGEST = 1 << 16  # words of a vocabulary, a row of which is held at once


class FusedTable(Table):
    """A table without alignments, whose steps are mostly the network's."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        slots, rows, count = self.size.slots, self.size.slots * self.beam, 2 * self.beam
        self.mask_V = torch.zeros(self.network.output_weight.shape[0], device=self.device)
        self.mask_V[self.banned] = IMPOSSIBLE
        self.best_NC = torch.zeros(rows, count, device=self.device)
        self.found_NC = torch.zeros(rows, count, dtype=torch.long, device=self.device)
        self.end_N = torch.zeros(rows, device=self.device)
        self.row_N = torch.zeros(rows, dtype=torch.long, device=self.device)
        self.outcome_BX = torch.zeros(slots, HEAD + self.size.words + 1, dtype=torch.int32, device=self.device)

    def step(self) -> None:
        """As Table.step; `outcome_BX` then holds the best hypothesis of each slot that ends in it."""
        output = self.network.decode(self.word_BK.view(-1, 1), self.memory, self.state)
        logits_NV = self.network.logits(output.hidden_NTD[:, 0])
        self.search(logits_NV)
        for part, target in zip(tensors_of(output.state), tensors_of(self.state), strict=True):
            torch.index_select(part, 0, self.row_N, out=target)

    def search(self, logits_NV: Tensor) -> None:
        """What comes after the network."""
        eos, beam, words = self.specials.eos, self.beam, logits_NV.shape[1]
        best_words[(len(logits_NV),)](
            logits_NV, self.mask_V, self.best_NC, self.found_NC, self.end_N, words,
            EOS=eos, C=2 * beam, BLOCK=triton.next_power_of_2(words), num_warps=8,
        )  # fmt: skip
        numbers = (self.length_B, self.limit_B, self.rewarded_B, self.n_best_B, self.count_B, self.alpha_B)
        advance[(self.size.slots,)](
            self.best_NC, self.found_NC, self.end_N, self.score_BK, self.word_BK, self.words_BLK, self.parents_BLK,
            self.row_N, self.active_B, *numbers, *self.ended, *self.stop, self.outcome_BX,
            self.words_BLK.shape[1], self.outcome_BX.shape[1], EOS=eos, K=beam, KP=max(2, triton.next_power_of_2(beam)),
            C=2 * beam, CP=triton.next_power_of_2(2 * beam), num_warps=1,
        )  # fmt: skip
