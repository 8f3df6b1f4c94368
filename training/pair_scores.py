"""`mt score`: how probable a network finds given translations.

Legend: B sentences, T target positions, V vocabulary.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from tqdm import tqdm

from data.collate import collate
from data.corpus import all_lines
from data.normalize import normalize
from data.tokenizer import Tokenizer
from models.bundle import specials_of
from models.device import choose_device
from models.seq2seq import Seq2Seq
from training.evaluation_job import language, same_length
from training.systems import find_bundle

BATCH = 32  # pairs that are scored at once
BLOCK = 512  # pairs between two signs of progress


class PairScore(NamedTuple):
    """How probable a target is, given its source."""

    log_probability: float  # natural logarithm, summed over the tokens
    tokens: int  # eos counted

    @property
    def per_token(self) -> float:
        """The mean over the tokens."""
        return self.log_probability / self.tokens


@torch.inference_mode()
def score_batch(
    network: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], target: str
) -> list[PairScore]:
    """Score normalised pairs by teacher forcing; what search never produces takes no probability here either."""
    sources = [tokenizer.encode_source(source, target) for source, _ in pairs]
    batch = collate(sources, [tokenizer.encode(text) for _, text in pairs], tokenizer.pad_id)
    device, specials = network.output_weight.device, specials_of(tokenizer)
    source_BS, length_B, input_BT, output_BT, target_length_B = (part.to(device) for part in batch[:5])
    logits_BTV = network.logits(network(source_BS, length_B, input_BT)).float()
    logits_BTV[..., sorted(specials.banned)] = float("-inf")
    chosen_BT = logits_BTV.log_softmax(-1).gather(2, output_BT[..., None])[..., 0]
    real_BT = torch.arange(output_BT.shape[1], device=device) < target_length_B[:, None]
    sums = chosen_BT.where(real_BT, 0.0).sum(1).tolist()
    return [PairScore(total, count) for total, count in zip(sums, target_length_B.tolist(), strict=True)]


def score_pairs(
    network: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], target: str
) -> list[PairScore]:
    """Score pairs of any text, those of similar length together; results in the order given.

    Args:
        network: in evaluation mode.
        tokenizer: the network's.
        pairs: source and target.
        target: the language of the targets.
    """
    clean = [(normalize(source), normalize(text)) for source, text in pairs]
    order = sorted(range(len(clean)), key=lambda index: (len(clean[index][1]), len(clean[index][0])))
    found: dict[int, PairScore] = {}
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        found.update(
            zip(chosen, score_batch(network, tokenizer, [clean[index] for index in chosen], target), strict=True)
        )
    return [found[index] for index in range(len(clean))]


def score_many(
    network: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], target: str, unit: str = "pair"
) -> Iterator[PairScore]:
    """Score any number of pairs, in the order given, with signs of progress on standard error."""
    with tqdm(total=len(pairs), unit=unit, file=sys.stderr) as progress:
        for start in range(0, len(pairs), BLOCK):
            block = pairs[start : start + BLOCK]
            yield from score_pairs(network, tokenizer, block, target)
            progress.update(len(block))


def run(arguments: argparse.Namespace) -> int:
    """Score all lines; print a line for each."""
    origin = language(arguments.source_language, arguments.source, "--source-language")
    target = language(arguments.target_language, arguments.target, "--target-language")
    sources, targets = all_lines(arguments.source), all_lines(arguments.target)
    same_length(arguments.source, len(sources), arguments.target, len(targets))
    bundle = find_bundle(arguments.bundle, f"{origin}-{target}")
    network, pairs = bundle.network(choose_device(arguments.device)), list(zip(sources, targets, strict=True))
    for score in score_many(network, bundle.tokenizer, pairs, target):
        print(f"{score.log_probability:.4f}\t{score.per_token:.4f}\t{score.tokens}")
    return 0
