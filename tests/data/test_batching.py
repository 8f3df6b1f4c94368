import dataclasses
import logging
import multiprocessing
import os
import random
import re
import signal
from array import array
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch

from data import batching
from data.batching import BatchingConfig, BatchStream, Position, concatenated
from data.collate import Batch
from data.config import build
from data.errors import UserError
from data.prepare import DataConfig, Pair, Prepared, prepare
from data.terms import Terms

CONFIG = BatchingConfig(tokens=160, max_length=60, sampling=0.2, placeholder_rate=0.3)


def stream(
    prepared: Prepared, config: BatchingConfig = CONFIG, rank: int = 0, world: int = 1, seed: int = 1
) -> BatchStream:
    return BatchStream(prepared, config, seed, rank, world)


def epochs(batches: BatchStream, count: int) -> list[Batch]:
    """The batches of the next epochs."""
    found = []
    while batches.position.epoch < count:
        found.append(next(batches))
    return found


def same(left: Batch, right: Batch) -> bool:
    return left.pairs == right.pairs and all(torch.equal(a, b) for a, b in zip(left[:5], right[:5], strict=True))


def batch_length(batch: Batch) -> tuple[int, int]:
    """Pieces of the longest source and target."""
    return int(batch.source_length_B.max()) - 2, int(batch.target_length_B.max()) - 1


def all_same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def test_an_epoch_holds_every_pair_in_every_direction_once(prepared: Prepared) -> None:
    tokenizer = prepared.tokenizer
    pairs = [pair for number in range(prepared.shards) for pair in prepared.shard(number)]
    found: Counter[tuple[int, str, str, str]] = Counter()
    for batch in epochs(stream(prepared, BatchingConfig(tokens=160, max_length=60, sampling=0.2)), 1):
        for i, number in enumerate(batch.pairs):
            source = batch.source_BS[i, : batch.source_length_B[i]].tolist()
            target = batch.target_output_BT[i, : batch.target_length_B[i]].tolist()
            assert source[-1] == target[-1] == tokenizer.eos_id
            assert batch.target_input_BT[i, : batch.target_length_B[i]].tolist() == [tokenizer.bos_id, *target[:-1]]
            (tag,) = tokenizer.pieces(source[:1])
            found[number, tag, tokenizer.decode(source), tokenizer.decode(target)] += 1
    expected = Counter((i, "<2en>", pair.source, pair.target) for i, pair in enumerate(pairs, start=1))
    expected += Counter((i, "<2de>", pair.target, pair.source) for i, pair in enumerate(pairs, start=1))
    assert found == expected


def test_batches_keep_to_the_budget_and_pad_little(prepared: Prepared) -> None:
    config = BatchingConfig(tokens=400, max_length=60)
    batches = epochs(stream(prepared, config), 1)
    for batch in batches:
        assert max(batch.source_BS.numel(), batch.target_output_BT.numel()) <= config.tokens
    real = sum(int(batch.source_length_B.sum()) for batch in batches)
    assert real / sum(batch.source_BS.numel() for batch in batches) > 0.8
    assert real / len(batches) > 0.6 * config.tokens


def test_epochs_differ_in_order_and_pieces(prepared: Prepared) -> None:
    one = stream(prepared)
    first = epochs(one, 1)
    second = epochs(one, 2)
    assert [batch.pairs for batch in first] != [batch.pairs for batch in second]
    assert sum(int(b.target_length_B.sum()) for b in first) != sum(int(b.target_length_B.sum()) for b in second)


def test_seeds_differ_and_the_same_seed_repeats(prepared: Prepared) -> None:
    assert all_same(epochs(stream(prepared), 2), epochs(stream(prepared), 2))
    assert not all_same(epochs(stream(prepared), 1), epochs(stream(prepared, seed=2), 1))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_a_resumed_stream_goes_on_as_if_it_had_never_stopped(prepared: Prepared, world: int) -> None:
    for rank in range(world):
        whole = stream(prepared, rank=rank, world=world)
        positions, batches = [], []
        while whole.position.epoch < 2:
            positions.append(whole.position)
            batches.append(next(whole))
        assert len(set(positions)) == len(positions)
        for start in {0, 1, len(batches) // 3, len(batches) // 2, len(batches) - 1}:
            resumed = stream(prepared, rank=rank, world=world)
            resumed.seek(positions[start])
            assert all_same(epochs(resumed, 2), batches[start:])


def test_a_position_survives_as_plain_numbers(prepared: Prepared) -> None:
    whole = stream(prepared)
    list(islice(whole, 7))
    resumed = stream(prepared)
    resumed.seek(Position(*list(whole.position)))
    assert same(next(resumed), next(whole))


def test_encoding_ahead_changes_no_batch_whatever_becomes_of_the_other_process(prepared: Prepared) -> None:
    plain, ahead = stream(prepared), BatchStream(prepared, CONFIG, 1, ahead=True)
    before = set(multiprocessing.active_children())
    assert same(next(plain), next(ahead))
    (process,) = set(multiprocessing.active_children()) - before
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)  # as Ctrl-C does to all processes of a terminal
    while plain.position.epoch < 1:
        assert same(next(plain), next(ahead))
        assert plain.position == ahead.position
    assert same(next(plain), next(ahead))
    for process in set(multiprocessing.active_children()) - before:
        process.kill()
    assert all_same(epochs(ahead, 2), epochs(plain, 2))
    for one in (plain, ahead):
        one.seek(Position(0, 1, 2))
    assert all_same(epochs(ahead, 1), epochs(plain, 1))
    ahead.close()
    assert set(multiprocessing.active_children()) == before
    assert same(next(plain), next(ahead))
    ahead.close()


def test_seeking_back_repeats(prepared: Prepared) -> None:
    one = stream(prepared)
    first = epochs(one, 1)
    one.seek(Position(0, 0, 0))
    assert all_same(epochs(one, 1), first)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_batches_of_one(prepared: Prepared, world: int) -> None:
    alone: dict[tuple[int, int], list[Batch]] = {}
    one = stream(prepared)
    while one.position.epoch < 2:
        alone.setdefault(one.position[:2], []).append(next(one))
    together: dict[tuple[int, int], list[Batch]] = {}
    ranks = [stream(prepared, rank=rank, world=world) for rank in range(world)]
    while ranks[0].position.epoch < 2:
        assert len({rank.position for rank in ranks}) == 1
        together.setdefault(ranks[0].position[:2], []).extend([next(rank) for rank in ranks])
    assert together.keys() == alone.keys()
    for key, batches in alone.items():
        assert all_same(together[key], batches[: len(batches) // world * world])


def test_placeholders_stand_on_both_sides(prepared: Prepared) -> None:
    config = BatchingConfig(tokens=160, max_length=60, placeholder_rate=1.0)
    symbols = set(range(6, 6 + len(prepared.tokenizer.placeholders)))
    count = 0
    for batch in epochs(stream(prepared, config), 1):
        for source, target in zip(batch.source_BS.tolist(), batch.target_output_BT.tolist(), strict=True):
            assert Counter(set(source) & symbols) == Counter(set(target) & symbols)
            count += bool(set(source) & symbols)
    assert count > 100


def test_other_numbers_stand_on_both_sides(prepared: Prepared) -> None:
    pairs = [pair for number in range(prepared.shards) for pair in prepared.shard(number)]
    known = {one for pair in pairs for one in re.findall(r"\d+", pair.source)}
    config = BatchingConfig(tokens=400, max_length=100, number_rate=0.5)
    found = set()
    for batch in epochs(stream(prepared, config), 1):
        for source, target in zip(batch.source_BS.tolist(), batch.target_output_BT.tolist(), strict=True):
            left, right = (re.findall(r"\d+", prepared.tokenizer.decode(ids)) for ids in (source, target))
            assert left == right
            found |= set(left)
    assert len(found - known) > 50


def test_other_names_stand_on_both_sides(prepared: Prepared) -> None:
    config = BatchingConfig(tokens=400, max_length=100, name_rate=0.9)
    found = set()
    for batch in epochs(stream(prepared, config), 1):
        for source, target in zip(batch.source_BS.tolist(), batch.target_output_BT.tolist(), strict=True):
            left, right = (
                re.findall(r" ([A-ZÀ-Þ]\w+)(?: ([A-ZÀ-Þ]\w+))?\.$", prepared.tokenizer.decode(ids))
                for ids in (source, target)
            )
            assert left == right
            found |= set(left)
    assert len(found) > 50


def test_terms_become_symbols_before_what_both_sides_share(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def marked(pairs: list[Pair], _: Terms, rate: float, symbols: tuple[str, ...], __: random.Random) -> list[Pair]:
        assert (rate, symbols) == (0.9, prepared.tokenizer.placeholders)
        return [pair._replace(source=symbols[0], target=symbols[0]) for pair in pairs]

    monkeypatch.setattr(batching, "with_terms", marked)
    config = BatchingConfig(tokens=400, max_length=100, term_rate=0.9, placeholder_rate=0.5)
    symbol = prepared.tokenizer.encode(prepared.tokenizer.placeholders[0])[-1]
    for batch in epochs(stream(prepared, config), 1):
        for source, target in zip(batch.source_BS.tolist(), batch.target_output_BT.tolist(), strict=True):
            assert source.count(symbol) == target.count(symbol) == 1


def test_words_may_come_in_place_of_their_pairs(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Terms, "of", lambda *_: [("Wort", "word")])
    config = BatchingConfig(tokens=400, max_length=100, word_rate=0.5)
    texts = [
        prepared.tokenizer.decode(ids)
        for batch in epochs(stream(prepared, config), 1)
        for ids in batch.source_BS.tolist()
    ]
    alone = sum(one.endswith(("Wort", "word")) and len(one.split()) == 1 for one in texts)
    assert 0.35 < alone / len(texts) < 0.65


def test_names_of_a_list_take_each_others_place(prepared: Prepared) -> None:
    listed = [Pair("de", "en", "Berlin", "Berlin"), Pair("de", "en", "Bruckdorf", "Bridgetown")]
    config = BatchingConfig(tokens=400, max_length=100, name_rate=0.9)
    found = set()
    for batch in epochs(stream(dataclasses.replace(prepared, names=[listed]), config), 1):
        for source, target in zip(batch.source_BS.tolist(), batch.target_output_BT.tolist(), strict=True):
            sides = [prepared.tokenizer.decode(ids) for ids in (source, target)]
            found.add(tuple("Bruckdorf" in side for side in sides) + tuple("Bridgetown" in side for side in sides))
    assert found == {(True, False, False, True), (False, True, True, False), (False,) * 4}


def test_lines_that_gave_way_to_long_pairs_are_not_called_too_long(prepared: Prepared) -> None:
    longest = max(max(map(batch_length, epochs(stream(prepared, BatchingConfig(tokens=400)), 1))))
    config = BatchingConfig(tokens=400, max_length=longest, number_rate=1.0)
    numbered = stream(prepared, config)
    taken = sum(len(batch.pairs) for batch in epochs(numbered, 1))
    assert taken < 2 * sum(prepared.shard_sizes)
    assert numbered.dropped == 0


def test_some_pairs_are_continued_by_another_within_the_longest_length(prepared: Prepared) -> None:
    tokenizer = prepared.tokenizer
    pairs = [pair for number in range(prepared.shards) for pair in prepared.shard(number)]
    texts = {(pair.source, pair.target) for pair in pairs}
    config = BatchingConfig(tokens=160, max_length=60, sampling=0.2, concatenation_rate=0.5)
    batches = epochs(stream(prepared, config), 1)
    appended = 0
    for batch in batches:
        for i, number in enumerate(batch.pairs):
            source = tokenizer.decode(batch.source_BS[i, : batch.source_length_B[i]].tolist())
            target = tokenizer.decode(batch.target_output_BT[i, : batch.target_length_B[i]].tolist())
            pair = pairs[number - 1]
            if source != pair.source and target != pair.source:
                german, english = (source, target) if source.startswith(pair.source) else (target, source)
                rest = german.removeprefix(f"{pair.source} "), english.removeprefix(f"{pair.target} ")
                assert rest in texts
                appended += 1
        assert int(batch.source_length_B.max()) <= 62
    kept = {number for batch in batches for number in batch.pairs}
    plain = epochs(stream(prepared, BatchingConfig(tokens=160, max_length=60, sampling=0.2)), 1)
    assert kept == {number for batch in plain for number in batch.pairs}
    assert 0.5 * len(kept) < appended < 1.1 * len(kept)  # in both directions, but where the two are too long


def test_sentences_that_no_space_parts_stay_alone() -> None:
    config, ids = BatchingConfig(concatenation_rate=1.0), [array("i", [number]) for number in range(8)]
    for languages, joined in ((("de", "en"), True), (("zh_Hant", "en"), False), (("en", "ja"), False)):
        found = concatenated(ids, [Pair(*languages, "a", "b")] * 2, config, random.Random(1))
        assert [len(one) for one in found] == [1 + joined] * 8


def test_sources_are_careless_and_targets_are_not(prepared: Prepared) -> None:
    tokenizer = prepared.tokenizer
    pairs = [pair for number in range(prepared.shards) for pair in prepared.shard(number)]
    written = {text.rstrip(".!?") for pair in pairs for text in pair[2:]}
    rates = {"careless_rate": 0.8, "concatenation_rate": 0.2}
    config = BatchingConfig(tokens=400, max_length=200, sampling=0.2, **rates)
    careless = total = 0
    for batch in epochs(stream(prepared, config), 1):
        for i, number in enumerate(batch.pairs):
            source = tokenizer.decode(batch.source_BS[i, : batch.source_length_B[i]].tolist())
            target = tokenizer.decode(batch.target_output_BT[i, : batch.target_length_B[i]].tolist())
            pair = pairs[number - 1]
            own = next(text for text in pair[2:] if target.startswith(text.rstrip(".!?")))
            careless += source[:20] != next((text for text in pair[2:] if text != own), own)[:20]
            total += 1
            if len(target) <= len(own):
                assert target.rstrip(".!?") in written
    assert 0.2 < careless / total < 0.9


def test_some_targets_are_their_own_sources_in_batches_that_keep_to_the_budget(prepared: Prepared) -> None:
    copies = total = 0
    for batch in epochs(stream(prepared, BatchingConfig(tokens=400, copy_rate=0.3)), 1):
        assert len(batch.pairs) * max(batch.source_BS.shape[1], batch.target_output_BT.shape[1]) <= 400
        for source_S, source_length, target_T, target_length in zip(
            *(batch.source_BS, batch.source_length_B, batch.target_output_BT, batch.target_length_B), strict=True
        ):
            own = source_S[1 : int(source_length)].tolist() == target_T[: int(target_length)].tolist()
            copies, total = copies + own, total + 1
    assert total == 2 * sum(prepared.shard_sizes)
    assert 0.2 < copies / total < 0.4


def test_too_long_pairs_are_counted_and_logged_once(prepared: Prepared, caplog: pytest.LogCaptureFixture) -> None:
    config = BatchingConfig(tokens=160, max_length=30)
    lengths = [
        max(len(prepared.tokenizer.encode(text)) for text in pair[2:])
        for number in range(prepared.shards)
        for pair in prepared.shard(number)
    ]
    expected = sum(length > 30 for length in lengths)
    one = stream(prepared, config)
    with caplog.at_level(logging.WARNING):
        batches = epochs(one, 1)
        assert one.dropped == expected > 0
        epochs(one, 3)
    assert one.dropped == expected
    assert len(caplog.messages) == prepared.shards
    assert f"of {prepared.shard_sizes[0]} pairs of train-00000.tsv are over max_length = 30" in caplog.messages[0]
    kept = {number for batch in batches for number in batch.pairs}
    assert kept == {i for i, length in enumerate(lengths, start=1) if length <= 30}


def test_data_without_a_fitting_pair_is_answered(prepared: Prepared) -> None:
    with pytest.raises(UserError, match="raise max_length"):
        next(stream(prepared, BatchingConfig(max_length=1)))
    with pytest.raises(UserError, match="for each of 500 ranks"):
        next(stream(prepared, world=500))


def test_shards_without_a_round_are_passed_over(make_config: Callable[..., DataConfig], tmp_path: Path) -> None:
    prepared = prepare(make_config(shard_pairs=2), tmp_path / "p", 1)
    one = stream(prepared, BatchingConfig(tokens=4000), rank=1, world=2)
    with pytest.raises(UserError, match="lower tokens"):
        next(one)
    one = stream(prepared, BatchingConfig(tokens=70, max_length=60), rank=1, world=2)
    assert len(epochs(one, 1)) > 50


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_length": 0}, "max_length"),
        ({"tokens": 101}, "must be >= 102"),
        ({"sampling": 1.0}, "sampling"),
        ({"placeholder_rate": 1.5}, "placeholder_rate"),
        ({"concatenation_rate": -0.1}, "concatenation_rate"),
        ({"careless_rate": 1.1}, "careless_rate"),
        ({"bucket_noise": -1.0}, "bucket_noise"),
    ],
)
def test_a_wrong_setting_is_named(setting: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(BatchingConfig, setting)


def test_a_wrong_rank_or_position_is_named(prepared: Prepared) -> None:
    with pytest.raises(UserError, match=r"rank must lie in 0\.\.1, but is 2"):
        stream(prepared, rank=2, world=2)
    with pytest.raises(UserError, match="shard 3: the data has 3 shards"):
        stream(prepared).seek(Position(0, 3, 0))
