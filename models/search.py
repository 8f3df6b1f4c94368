"""Beam search and greedy search (beam 1), with sentences that join and leave between steps.

Legend: B sentences under way, K beam, N = B * K rows, S source positions, L words so far, V vocabulary,
C = 2 K candidates.

Log-probabilities are never computed for the whole vocabulary: the best candidates of each row are found among logits,
and only those are normalised.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from data.collate import padded
from models.beams import IMPOSSIBLE, Beams, merge, place, select
from models.decoder import DecoderState, Memory, map_memory, map_state
from models.hypotheses import Hypothesis, SearchOptions, Specials, length_penalty, settled
from models.seq2seq import Seq2Seq
from models.shortlist import Shortlist


class Candidates(NamedTuple):
    """How hypotheses may go on, and what each would have if it ended here."""

    score_BC: Tensor  # log-probability, best first
    parent_BC: Tensor  # the hypothesis that goes on
    token_BC: Tensor  # the word
    end_BK: Tensor  # log-probability of each hypothesis with eos


@dataclass
class Sentence:
    """The bookkeeping of one sentence under way."""

    key: Hashable
    source_length: int
    limit: int
    rewarded: int
    length: int = 0
    finished: list[Hypothesis] = field(default_factory=list)
    stop: Hypothesis | None = None  # where it is least bad to stop, should it never end
    prefix: Sequence[int] = ()  # what every hypothesis begins with

    @property
    def given(self) -> bool:
        """Whether the next word was asked for."""
        return self.length < len(self.prefix)


def best_continuations(logits_NV: Tensor, score_BK: Tensor, banned: Tensor, specials: Specials) -> Candidates:
    """The 2 K best continuations of each sentence, best first.

    Twice the beam, since at most K of them can be eos (one per hypothesis).

    Args:
        logits_NV: of the next word, float32; overwritten.
        score_BK: log-probability of each hypothesis.
        banned: ids that are never produced.
        specials: ids that are treated apart.
    """
    beam = score_BK.shape[1]
    logits_NV.index_fill_(1, banned, IMPOSSIBLE)
    best_NC, token_NC = logits_NV.topk(min(2 * beam, logits_NV.shape[1]), dim=1)
    total_N1 = logits_NV.logsumexp(1, keepdim=True)
    per_row = best_NC.shape[1]
    total_BX = (score_BK[..., None] + (best_NC - total_N1).view(-1, beam, per_row)).flatten(1)
    score_BC, index_BC = total_BX.topk(2 * beam, dim=1)
    token_BC = token_NC.view(-1, beam * per_row).gather(1, index_BC)
    end_BK = score_BK + (logits_NV[:, specials.eos] - total_N1[:, 0]).view_as(score_BK)
    return Candidates(score_BC, index_BC // per_row, token_BC, end_BK)


class BeamSearch:
    """Searches for many sentences at once; each one's result is the same whoever shares the batch.

    A sentence leaves when its n-best list is settled (see `settled`) or its length limit is reached.

    Args:
        network: in evaluation mode.
        options: how to search.
        specials: ids that are treated apart.
        shortlist: limits what is searched for to each sentence's own words, whose probabilities then add up to 1.
    """

    def __init__(
        self, network: Seq2Seq, options: SearchOptions, specials: Specials, shortlist: Shortlist | None = None
    ) -> None:
        self.network, self.options, self.specials, self.shortlist = network, options, specials, shortlist
        self.sentences: list[Sentence] = []
        self.beams: Beams | None = None
        self.device = network.output_weight.device
        self.banned = torch.tensor(sorted(specials.banned), device=self.device)

    def __len__(self) -> int:
        """Sentences under way."""
        return len(self.sentences)

    @torch.inference_mode()
    def add(
        self, keys: Sequence[Hashable], sources: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]] = ()
    ) -> None:
        """Let sentences join.

        Args:
            keys: names under which `step` returns the results.
            sources: ids as the network reads them: tag, words, eos; never empty.
            prefixes: words that each one's hypotheses begin with, none by default; one that ends with eos is only
                scored, and one with a word that is never produced gives an empty n-best list.
        """
        if not sources:
            return
        prefixes = prefixes or [()] * len(sources)
        lengths = [len(source) for source in sources]
        source_BS, length_B = padded(sources, self.specials.pad), torch.tensor(lengths)
        memory, state = self.network.encode(source_BS.to(self.device), length_B.to(self.device))
        joining = self.begin(memory, state)._replace(forbidden_BV=self.forbidden(sources, prefixes))
        self.beams = joining if self.beams is None else merge(self.beams, joining)
        for key, length, prefix in zip(keys, lengths, prefixes, strict=True):
            limit, rewarded = self.options.limit(length, len(prefix)), self.options.rewarded(length)
            self.sentences.append(Sentence(key, length, limit, rewarded, prefix=prefix))

    def begin(self, memory: Memory, state: DecoderState) -> Beams:
        """Beams that hold bos; only the first hypothesis of each is possible, since all are equal."""
        beam, sentences = self.options.beam, memory[0].bias_BS.shape[0]
        score_BK = torch.full((sentences, beam), IMPOSSIBLE, device=self.device)
        score_BK[:, 0] = 0.0
        tokens_BKL = torch.full((sentences, beam, 1), self.specials.bos, device=self.device)
        attention = None
        if self.options.alignments:
            attention = torch.zeros(sentences, beam, 0, memory[0].bias_BS.shape[1], device=self.device)
        state = map_state(lambda tensor: tensor.repeat_interleave(beam, 0), state)
        return Beams(memory, state, score_BK, tokens_BKL, attention, None)

    def forbidden(self, sources: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]]) -> Tensor | None:
        """The words that are not on each source's shortlist; the end always is, and what was asked for. None are
        forbidden where a prefix is only scored."""
        if self.shortlist is None:
            return None
        forbidden_BV = torch.ones(len(sources), len(self.network.output_weight), dtype=torch.bool)
        forbidden_BV[:, self.specials.eos] = False
        for row, (source, prefix) in enumerate(zip(sources, prefixes, strict=True)):
            if prefix and prefix[-1] == self.specials.eos:
                forbidden_BV[row] = False
                continue
            forbidden_BV[row, torch.from_numpy(self.shortlist.words(source))] = False
            forbidden_BV[row, torch.tensor(prefix, dtype=torch.long)] = False
        return forbidden_BV.to(self.device)

    @torch.inference_mode()
    def step(self) -> dict[Hashable, list[Hypothesis]]:
        """Advance every sentence by one word; return the n-best lists of those that end, best first."""
        if self.beams is None:
            return {}
        beams, options = self.beams, self.options
        position_B = torch.tensor([sentence.length for sentence in self.sentences], device=self.device)
        last_BK1 = beams.tokens_BKL.gather(2, position_B[:, None, None].expand(-1, options.beam, 1))
        output = self.network.decode(last_BK1.view(-1, 1), beams.memory, beams.state)
        logits_NV = self.network.logits(output.hidden_NTD[:, 0]).float()
        if beams.forbidden_BV is not None:
            logits_NV.masked_fill_(beams.forbidden_BV.repeat_interleave(options.beam, 0), IMPOSSIBLE)
        candidates = best_continuations(logits_NV, beams.score_BK, self.banned, self.specials)
        candidates = self.with_given(candidates, logits_NV, beams.score_BK)
        if beams.attention_BKLS is not None:
            now_BK1S = output.attention_NTS.view(*beams.score_BK.shape, 1, -1)
            beams = beams._replace(attention_BKLS=place(beams.attention_BKLS, now_BK1S, position_B))
        beams = beams._replace(state=output.state)
        self.collect(beams, candidates)
        self.beams = self.advance(beams, position_B, candidates)
        return self.leave()

    def with_given(self, candidates: Candidates, logits_NV: Tensor, score_BK: Tensor) -> Candidates:
        """Where the next word was asked for, it is the only candidate, and follows the first hypothesis."""
        rows = [row for row, sentence in enumerate(self.sentences) if sentence.given]
        if not rows:
            return candidates
        words = [self.sentences[row].prefix[self.sentences[row].length] for row in rows]
        row_R, word_R = torch.tensor(rows, device=self.device), torch.tensor(words, device=self.device)
        log_RV = logits_NV.view(*score_BK.shape, -1)[row_R, 0].log_softmax(-1)
        score_BC, parent_BC, token_BC, end_BK = (part.clone() for part in candidates)
        score_BC[row_R] = end_BK[row_R] = IMPOSSIBLE
        score_BC[row_R, 0] = score_BK[row_R, 0] + log_RV.gather(1, word_R[:, None])[:, 0]
        parent_BC[row_R, 0] = 0
        token_BC[row_R, 0] = word_R
        return Candidates(score_BC, parent_BC, token_BC, end_BK)

    def collect(self, beams: Beams, candidates: Candidates) -> None:
        """Note the hypotheses that end here: eos among the best K candidates, or the length limit."""
        beam = self.options.beam
        score_BC, parent_BC, token_BC, end_BK = candidates
        ends_BK = (token_BC[:, :beam] == self.specials.eos) & (score_BC[:, :beam] > IMPOSSIBLE)
        for row, column in ends_BK.nonzero().tolist():
            ended = self.hypothesis(beams, row, int(parent_BC[row, column]), float(score_BC[row, column]))
            self.sentences[row].finished.append(ended)
        for row, sentence in enumerate(self.sentences):
            if sentence.finished:
                continue
            if sentence.length >= sentence.rewarded and not sentence.given:
                score, parent = (float(value) for value in end_BK[row].max(0))
                stop = self.hypothesis(beams, row, int(parent), score, complete=False)
                sentence.stop = max(sentence.stop or stop, stop, key=lambda hypothesis: hypothesis.score)
            if sentence.length + 1 >= sentence.limit:
                sentence.finished = [sentence.stop] if sentence.stop else self.cut(beams, row, candidates)

    def cut(self, beams: Beams, row: int, candidates: Candidates) -> list[Hypothesis]:
        """What a sentence has at its limit, when no hypothesis ended and none may be stopped earlier.

        One may where the limit is beyond the length that is rewarded: it repeats itself by then.
        """
        columns = zip(*(part[row, : self.options.beam].tolist() for part in candidates[:3]), strict=True)
        return [
            self.hypothesis(beams, row, parent, score, word, complete=False)
            for score, parent, word in columns
            if word != self.specials.eos and score > IMPOSSIBLE
        ]

    def hypothesis(
        self, beams: Beams, row: int, parent: int, log_probability: float, *extra: int, complete: bool = True
    ) -> Hypothesis:
        """One that goes no further: its parent's words, and one more when it was cut at the limit."""
        sentence = self.sentences[row]
        tokens = (*beams.tokens_BKL[row, parent, 1 : sentence.length + 1].tolist(), *extra)
        alignment = None
        if beams.attention_BKLS is not None:
            weights = beams.attention_BKLS[row, parent, : len(tokens) + complete, : sentence.source_length]
            alignment = tuple(tuple(line) for line in weights.tolist())
        divisor = length_penalty(sentence.length + 1, sentence.rewarded, self.options.length_penalty)
        return Hypothesis(tokens, log_probability / divisor, log_probability, alignment, complete)

    def advance(self, beams: Beams, position_B: Tensor, candidates: Candidates) -> Beams:
        """The best K candidates that go on become the hypotheses of the next step."""
        beam = self.options.beam
        score_BC, parent_BC, token_BC, _ = candidates
        going_BC = torch.where(token_BC == self.specials.eos, IMPOSSIBLE, score_BC)
        score_BK, column_BK = going_BC.topk(beam, dim=1)
        parent_BK, token_BK = parent_BC.gather(1, column_BK), token_BC.gather(1, column_BK)
        offset_B1 = torch.arange(len(self.sentences), device=self.device)[:, None] * beam
        row_N = (parent_BK + offset_B1).view(-1)
        tokens_BKL = beams.tokens_BKL.flatten(0, 1).index_select(0, row_N).view_as(beams.tokens_BKL)
        attention = beams.attention_BKLS
        if attention is not None:
            attention = attention.flatten(0, 1).index_select(0, row_N).view_as(attention)
        return beams._replace(
            state=map_state(lambda tensor: tensor.index_select(0, row_N), beams.state),
            score_BK=score_BK,
            tokens_BKL=place(tokens_BKL, token_BK[..., None], position_B + 1),
            attention_BKLS=attention,
        )

    def leave(self) -> dict[Hashable, list[Hypothesis]]:
        """Let ended sentences go, and return their n-best lists."""
        results: dict[Hashable, list[Hypothesis]] = {}
        staying: list[int] = []
        assert self.beams is not None
        for row, (sentence, live) in enumerate(zip(self.sentences, self.beams.score_BK[:, 0].tolist(), strict=True)):
            sentence.length += 1
            finished, over = sentence.finished, sentence.length >= sentence.limit
            if over or settled(finished, live, sentence.length, sentence.rewarded, self.options):
                ranked = sorted(finished, key=lambda hypothesis: -hypothesis.score)
                results[sentence.key] = ranked[: self.options.n_best]
            else:
                staying.append(row)
        self.keep(staying)
        return results

    @torch.inference_mode()
    def drop(self, keys: Iterable[Hashable]) -> None:
        """Stop sentences whose result nobody wants any more."""
        unwanted = set(keys)
        self.keep([row for row, sentence in enumerate(self.sentences) if sentence.key not in unwanted])

    def keep(self, rows: list[int]) -> None:
        """Keep only some sentences, and no more source positions and words than they need."""
        if self.beams is None or len(rows) == len(self.sentences):
            return
        self.sentences = [self.sentences[row] for row in rows]
        if not rows:
            self.beams = None
            return
        beams = select(self.beams, torch.tensor(rows, device=self.device), self.options.beam)
        source = max(sentence.source_length for sentence in self.sentences)
        length = max(sentence.length for sentence in self.sentences)
        attention = beams.attention_BKLS
        self.beams = beams._replace(
            memory=map_memory(lambda part: part[:, :source], beams.memory),
            tokens_BKL=beams.tokens_BKL[:, :, : length + 1],
            attention_BKLS=None if attention is None else attention[:, :, :length, :source],
        )


def translate_ids(
    network: Seq2Seq,
    sources: Sequence[Sequence[int]],
    options: SearchOptions,
    specials: Specials,
    shortlist: Shortlist | None = None,
    batch: int = 64,
) -> list[list[Hypothesis]]:
    """Translate a list of sources, longest first, up to `batch` of them at once; results in the order given."""
    search = BeamSearch(network, options, specials, shortlist)
    waiting = sorted(range(len(sources)), key=lambda index: len(sources[index]))
    results: dict[Hashable, list[Hypothesis]] = {}
    while waiting or len(search):
        if not len(search):
            chosen = [waiting.pop() for _ in range(min(batch, len(waiting)))]
            search.add(chosen, [sources[index] for index in chosen])
        results.update(search.step())
    return [results[index] for index in range(len(sources))]
