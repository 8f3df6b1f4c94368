"""`mt score`: how probable a network finds given translations.

Legend: B sentences, T target positions, P some of these, D width, V vocabulary.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import torch
from tqdm import tqdm

from data.collate import collate
from data.config import check
from data.corpus import all_lines
from data.normalize import normalize
from data.tokenizer import Tokenizer
from models.bundle import specials_of
from models.device import choose_device
from models.seq2seq import Seq2Seq
from training.evaluation_job import language, same_length
from training.systems import find_bundle

BATCH = 32  # pairs that are scored at once, at most
POSITIONS = 4096  # pairs of a batch times its longest side, at most, but for a longer pair, which stands alone
LOGITS = 1024  # positions whose logits are in memory at once
BLOCK = 512  # pairs between two signs of progress


Ids: TypeAlias = tuple[Sequence[int], Sequence[int]]  # of a source, with tag and eos, and of a target


class PairScore(NamedTuple):
    """How probable a target is, given its source."""

    log_probability: float  # natural logarithm, summed over the tokens
    tokens: int  # eos counted

    @property
    def per_token(self) -> float:
        """The mean over the tokens."""
        return self.log_probability / self.tokens


@torch.inference_mode()
def score_batch(network: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[Ids]) -> list[PairScore]:
    """Score pairs by teacher forcing; what search never produces takes no probability here either."""
    batch = collate([source for source, _ in pairs], [text for _, text in pairs], tokenizer.pad_id)
    device, banned = network.output_weight.device, sorted(specials_of(tokenizer).banned)
    source_BS, length_B, input_BT, output_BT, target_length_B = (part.to(device) for part in batch[:5])
    hidden_BTD, chosen = network(source_BS, length_B, input_BT), []
    step = max(1, LOGITS // len(pairs))
    for begin in range(0, output_BT.shape[1], step):
        part = slice(begin, begin + step)
        logits_BPV = network.logits(hidden_BTD[:, part]).float()
        logits_BPV[..., banned] = float("-inf")
        chosen.append(logits_BPV.log_softmax(-1).gather(2, output_BT[:, part, None])[..., 0])
    chosen_BT = torch.cat(chosen, 1)
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
    ids = [
        (tokenizer.encode_source(normalize(source), target), tokenizer.encode(normalize(text)))
        for source, text in pairs
    ]
    found: dict[int, PairScore] = {}
    for chosen in batches_of(ids):
        found.update(zip(chosen, score_batch(network, tokenizer, [ids[index] for index in chosen]), strict=True))
    return [found[index] for index in range(len(ids))]


def batches_of(pairs: Sequence[Ids]) -> list[list[int]]:
    """The numbers of pairs that are scored together, which are of similar length."""
    batches, longest = list[list[int]](), 0
    for index in sorted(range(len(pairs)), key=lambda index: (len(pairs[index][1]), len(pairs[index][0]))):
        length = max(len(pairs[index][0]), len(pairs[index][1]) + 1)
        longest = max(longest, length)
        full = bool(batches) and (len(batches[-1]) == BATCH or longest * (len(batches[-1]) + 1) > POSITIONS)
        if full or not batches:
            batches.append([])
            longest = length
        batches[-1].append(index)
    return batches


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
    check(bool(sources), f"{arguments.source} is empty: there is nothing to score")
    bundle = find_bundle(arguments.bundle, f"{origin}-{target}")
    network, pairs = bundle.network(choose_device(arguments.device)), list(zip(sources, targets, strict=True))
    for score in score_many(network, bundle.tokenizer, pairs, target):
        print(f"{score.log_probability:.4f}\t{score.per_token:.4f}\t{score.tokens}")
    return 0
