"""BLEU of a network on the dev sets, during and after training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sacrebleu.metrics.bleu import BLEU

from data.languages import CHINESE, has_spaces, primary
from data.prepare import Pair, Prepared
from data.tokenizer import Tokenizer
from models.bundle import specials_of
from models.hypotheses import Hypothesis, SearchOptions
from models.search import translate_ids
from models.seq2seq import Seq2Seq


def bleu_for(language: str, sentences: bool = False) -> BLEU:
    """sacreBLEU with the tokenizer that suits a target language; for single sentences, short ones are no exception."""
    tokenizer = "13a" if has_spaces(language) else "zh" if primary(language) in CHINESE else "char"
    return BLEU(tokenize=tokenizer, effective_order=sentences)


def dev_pairs(prepared: Prepared, directions: Sequence[str], limit: int) -> dict[str, list[Pair]]:
    """The first `limit` pairs (0: all) of each dev set in each direction that it serves, keyed like `tatoeba de-en`."""
    found = {}
    for name, pairs in prepared.dev.items():
        for direction in directions:
            chosen = [pair for pair in pairs if pair.direction == direction]
            found[f"{name} {direction}"] = chosen[:limit] if limit else chosen
    return {name: pairs for name, pairs in found.items() if pairs}


@torch.inference_mode()
def search(
    network: Seq2Seq, tokenizer: Tokenizer, texts: Sequence[str], target: str, options: SearchOptions
) -> list[Hypothesis]:
    """The best hypothesis of each normalised text."""
    sources = [tokenizer.encode_source(text, target) for text in texts]
    return [found[0] for found in translate_ids(network, sources, options, specials_of(tokenizer))]


def translate(
    network: Seq2Seq, tokenizer: Tokenizer, texts: Sequence[str], target: str, options: SearchOptions
) -> list[str]:
    """The best translation of each normalised text."""
    return [tokenizer.decode(one.tokens) for one in search(network, tokenizer, texts, target, options)]


def dev_bleu(
    network: Seq2Seq, prepared: Prepared, directions: Sequence[str], limit: int, beam: int
) -> dict[str, float]:
    """BLEU per dev set and direction, keyed like `tatoeba de-en`.

    Args:
        network: evaluated as it is; its mode is put back.
        prepared: its dev sets and tokenizer.
        directions: spelled `de-en`.
        limit: sentences of each set and direction, at most; 0 takes all.
        beam: width of the search.
    """
    was_training = network.training
    network.eval()
    scores = {}
    for name, pairs in dev_pairs(prepared, directions, limit).items():
        target = pairs[0].target_language
        options = SearchOptions(beam=beam)
        found = translate(network, prepared.tokenizer, [pair.source for pair in pairs], target, options)
        bleu = bleu_for(target).corpus_score(found, [[pair.target for pair in pairs]])
        scores[name] = float(bleu.score)
    network.train(was_training)
    return scores
