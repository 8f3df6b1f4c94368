"""Shortlists: what a file must hold, and that a search keeps to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from data.errors import UserError
from models.bundle import read_bundle
from models.hypotheses import SearchOptions
from models.search import BeamSearch, translate_ids
from models.shortlist import Array, Shortlist, read_shortlist, write_shortlist

GOLDEN = Path(__file__).parent / "golden" / "format-1"
TEXTS = ["ba dei lo", "ka", "mo fa do go lei da", "ka lo mei fa"]


def shortlist(*lists: list[int]) -> Shortlist:
    start_V = numpy.cumsum([0, *map(len, lists)]).astype(numpy.int32)
    return Shortlist(start_V, numpy.concatenate([numpy.array(one, numpy.int32) for one in lists]))


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    write_shortlist(tmp_path / "list", shortlist([1], [], [0, 2]))
    found = read_shortlist(tmp_path / "list", 3)
    assert found.words([2, 0, 2]).tolist() == [0, 1, 2]
    assert found.words([1]).tolist() == []


WRONG: dict[str, Callable[[dict[str, Array]], object]] = {
    "cannot be read: .*word_N": lambda parts: parts.pop("word_N"),
    "is no shortlist for 3 pieces: make it again": lambda parts: parts.update(word_N=parts["word_N"] + 1),
    "is no shortlist for 3 pieces": lambda parts: parts.update(word_N=parts["word_N"].astype(numpy.int64)),
    "is no shortlist for 3": lambda parts: parts.update(start_V=parts["start_V"][1:]),
    "is no shortlist for": lambda parts: parts.update(start_V=parts["start_V"][::-1].copy()),
    "is no shortlist f": lambda parts: parts.update(
        start_V=numpy.array([0, 2**31 - 1, -(2**31), 3], numpy.int32)  # whose differences, in 32 bits, are all above 0
    ),
    "is no shortlist": lambda parts: parts.update(start_V=parts["start_V"] + 1),
}


@pytest.mark.parametrize("message", sorted(WRONG))
def test_a_file_of_another_bundle_is_refused(message: str, tmp_path: Path) -> None:
    parts = shortlist([1], [], [0, 2])._asdict()
    WRONG[message](parts)
    save_file(parts, tmp_path / "list")
    with pytest.raises(UserError, match=message):
        read_shortlist(tmp_path / "list", 3)


def test_what_is_no_tensor_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="cannot be read"):
        read_shortlist(tmp_path / "list", 3)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_search_with_a_shortlist_is_one_where_all_else_is_forbidden(beam: int) -> None:
    bundle, rng = read_bundle(GOLDEN), numpy.random.default_rng(1)
    network, size, specials = bundle.network(), len(bundle.tokenizer), bundle.specials
    lists = shortlist(*(sorted(rng.choice(size, 8, replace=False).tolist()) for _ in range(size)))
    sources = [bundle.tokenizer.encode_source(text, "bb") for text in TEXTS]
    options, found = SearchOptions(beam, n_best=beam), {}
    search = BeamSearch(network, options, specials, lists)
    search.add(range(3), sources[:3])
    found.update(search.step())
    search.add([3], sources[3:])
    while len(search):
        found.update(search.step())
    for key, source in enumerate(sources):
        allowed = {*lists.words(source).tolist(), specials.eos}
        others = specials._replace(forbidden=tuple((set(range(size)) - allowed) | set(specials.forbidden)))
        (expected,) = translate_ids(network, [source], options, others)
        assert [one.tokens for one in found[key]] == [one.tokens for one in expected]
        scores = [one.score for one in expected]
        assert [one.score for one in found[key]] == pytest.approx(scores, abs=1e-4)
