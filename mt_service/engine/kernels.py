"""A search's step on a GPU in two kernels, where torch takes more than a hundred.

Legend: B slots, K beam, N = B * K rows, L words of a hypothesis, V vocabulary, C = 2 K candidates, X columns of an
outcome.

Triton comes with torch where torch has CUDA; `fused.py` alone imports this module, and `Table.step` is the oracle.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, attr-defined, untyped-decorator"
# What stands here is compiled by Triton: its values are the device's, and have no types that Python knows.

import triton
from triton import language as tl


@triton.jit
def best_words(logits, masks, best, words, ends, size, EOS: tl.constexpr, C: tl.constexpr, BLOCK: tl.constexpr):
    """The C best words of a row with their log-probabilities, best first, and that of eos."""
    row, word = tl.program_id(0), tl.arange(0, BLOCK)
    inside = word < size
    logit = tl.load(logits + row * size + word, mask=inside, other=float("-inf")).to(tl.float32)
    logit += tl.load(masks + word, mask=inside, other=0.0)
    top = tl.max(logit, 0)
    total = top + tl.log(tl.sum(tl.exp(logit - top), 0))
    tl.store(ends + row, tl.load(logits + row * size + EOS).to(tl.float32) - total)
    for rank in tl.static_range(C):
        found = tl.argmax(logit, 0)
        tl.store(best + row * C + rank, tl.max(logit, 0) - total)
        tl.store(words + row * C + rank, found)
        logit = tl.where(word == found, float("-inf"), logit)


@triton.jit
def penalty(length, rewarded, alpha):
    """models.hypotheses.length_penalty."""
    return tl.exp(alpha * tl.log((5.0 + tl.minimum(length, rewarded).to(tl.float32)) / 6.0))


@triton.jit
def pick(values, index, at):
    """One element of a vector."""
    return tl.sum(tl.where(index == at, values, 0), 0)


@triton.jit
def advance(
    best, found, ends, score, last, words, parents, rows, active, lengths, limits, rewards, n_bests, counts, alphas,
    e_score, e_log, e_length, e_parent, s_score, s_log, s_length, s_parent, outcome, L, X, EOS: tl.constexpr,
    K: tl.constexpr, KP: tl.constexpr, C: tl.constexpr, CP: tl.constexpr,
):  # fmt: skip
    """All of `Table.step` that comes after the best words of each row, for a slot; and what came of it, if it ends.

    The vectors have KP and KP * CP elements: powers of two, of which the first K and C count.
    """
    slot = tl.program_id(0)
    beam, pair = tl.arange(0, KP), tl.arange(0, KP * CP)
    real, first = beam < K, slot * K
    live = tl.load(active + slot)
    length, limit, rewarded = tl.load(lengths + slot), tl.load(limits + slot), tl.load(rewards + slot)
    alpha, count, wanted = tl.load(alphas + slot), tl.load(counts + slot), tl.load(n_bests + slot)
    divisor = penalty(length + 1, rewarded, alpha)

    parent_of, column = pair // CP, pair % CP
    inside = (parent_of < K) & (column < C)
    before = tl.load(score + first + parent_of, mask=inside, other=float("-inf"))
    total = before + tl.load(best + (first + parent_of) * C + column, mask=inside, other=float("-inf"))
    stopped = tl.load(score + first + beam, mask=real, other=float("-inf"))
    stopped += tl.load(ends + first + beam, mask=real, other=float("-inf"))

    ended = tl.load(e_score + first + beam, mask=real, other=float("inf"))
    ended_log = tl.load(e_log + first + beam, mask=real, other=0.0)
    ended_length = tl.load(e_length + first + beam, mask=real, other=0)
    ended_parent = tl.load(e_parent + first + beam, mask=real, other=0)
    kept = 0
    top_score, top_word, top_parent = float("-inf"), 0, 0
    for rank in tl.static_range(C):
        at = tl.argmax(total, 0)
        value = tl.max(total, 0)
        total = tl.where(pair == at, float("-inf"), total)
        parent = at // CP
        word = tl.load(found + (first + parent) * C + at % CP)
        if rank < K:
            ends_now = (word == EOS) & (value > float("-inf")) & live
            ranked = value / divisor
            place = beam == tl.where(ends_now & (ranked > tl.min(ended, 0)), tl.argmin(ended, 0), KP)
            ended = tl.where(place, ranked, ended)
            ended_log = tl.where(place, value, ended_log)
            ended_length = tl.where(place, length, ended_length)
            ended_parent = tl.where(place, parent.to(tl.int64), ended_parent)
            count += ends_now.to(tl.int64)
        goes = (word != EOS) & (kept < K)
        tl.store(score + first + kept, value, mask=goes & live)
        tl.store(last + first + kept, word, mask=goes)
        tl.store(rows + first + kept, (first + parent).to(tl.int64), mask=goes)
        tl.store(words + (slot * L + length) * K + kept, word, mask=goes)
        tl.store(parents + (slot * L + length) * K + kept, parent.to(tl.int64), mask=goes)
        is_top = goes & (kept == 0)
        top_score = tl.where(is_top, value, top_score)
        top_word = tl.where(is_top, word, top_word)
        top_parent = tl.where(is_top, parent, top_parent)
        kept += goes.to(tl.int32)
    for missing in tl.static_range(K):  # where impossible candidates were ends
        tl.store(score + first + missing, float("-inf"), mask=(missing >= kept) & live)
        tl.store(rows + first + missing, first.to(tl.int64), mask=missing >= kept)

    stop_score, stop_log = tl.load(s_score + slot), tl.load(s_log + slot)
    stop_length, stop_parent = tl.load(s_length + slot), tl.load(s_parent + slot)
    stop_now = tl.max(stopped, 0) / divisor
    better = (count == 0) & (length >= rewarded) & live & (stop_now > stop_score)
    stop_score = tl.where(better, stop_now, stop_score)
    stop_log = tl.where(better, tl.max(stopped, 0), stop_log)
    stop_length = tl.where(better, length, stop_length)
    stop_parent = tl.where(better, tl.argmax(stopped, 0).to(tl.int64), stop_parent)

    listed = tl.where(real, ended, float("-inf"))
    one, other = listed[:, None], listed[None, :]
    ahead = (one > other) | ((one == other) & (beam[:, None] < beam[None, :]))
    worst = tl.max(tl.where(tl.sum(ahead.to(tl.int32), 0) == wanted - 1, listed, float("-inf")), 0)
    lenient = tl.where(alpha > 0, rewarded, length + 2)
    enough = (count >= K) & (worst >= top_score / penalty(length + 2, rewarded, alpha))
    settled = enough | (worst >= top_score / penalty(lenient, rewarded, alpha)) | (K == 1)
    done = live & (((count >= wanted) & settled) | (length + 1 >= limit))

    tl.store(e_score + first + beam, ended, mask=real)
    tl.store(e_log + first + beam, ended_log, mask=real)
    tl.store(e_length + first + beam, ended_length, mask=real)
    tl.store(e_parent + first + beam, ended_parent, mask=real)
    tl.store(s_score + slot, stop_score)
    tl.store(s_log + slot, stop_log)
    tl.store(s_length + slot, stop_length)
    tl.store(s_parent + slot, stop_parent)
    tl.store(counts + slot, count)
    tl.store(lengths + slot, length + live.to(tl.int64))
    tl.store(active + slot, live & (done == 0))

    winner = tl.argmax(listed, 0)
    complete, cut = count > 0, (count == 0) & (stop_score == float("-inf"))
    log = tl.where(complete, pick(ended_log, beam, winner), tl.where(cut, top_score, stop_log))
    start = tl.where(complete, pick(ended_length, beam, winner), tl.where(cut, length, stop_length))
    at = tl.where(complete, pick(ended_parent, beam, winner), tl.where(cut, top_parent.to(tl.int64), stop_parent))
    row = outcome + slot * X
    tl.store(row, (live & (done == 0)).to(tl.int32))
    tl.store(row + 1, (start + cut.to(tl.int64)).to(tl.int32), mask=done)
    tl.store(row + 2, complete.to(tl.int32), mask=done)
    tl.store(row + 3, log.to(tl.float32).to(tl.int32, bitcast=True), mask=done)
    tl.store(row + 4 + start, top_word.to(tl.int32), mask=done & cut)
    steps = tl.where(done, start, 0)
    for step in range(steps):
        behind = (slot * L + start - 1 - step) * K + at
        tl.store(row + 4 + start - 1 - step, tl.load(words + behind).to(tl.int32))
        at = tl.load(parents + behind)
