"""Parallel text of the directions that a bundle translates, as ids."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.config import check
from data.corpus import CorpusConfig, read
from data.languages import languages_of, of_file
from data.lexicon import Pair
from data.normalize import normalize
from data.tokenizer import Tokenizer
from models.bundle import Bundle
from training.telemetry import say


class Text(NamedTuple):
    """Parallel text of one direction."""

    direction: str
    source: Path
    target: Path


def read_texts(bundle: Bundle, files: Sequence[tuple[Path, Path]]) -> dict[str, list[Pair]]:
    """The ids of each direction's pairs.

    Args:
        bundle: whose directions and tokenizer are taken.
        files: translations of each other, line by line, whose suffixes are their languages, in any order.
    Raises:
        UserError: when a direction has no text, or text without pairs.
    """
    texts = {direction: texts_of(direction, files) for direction in bundle.info.directions}
    return {direction: pairs_of(some, bundle.tokenizer) for direction, some in texts.items()}


def texts_of(direction: str, files: Sequence[tuple[Path, Path]]) -> list[Text]:
    """The files of a direction, by their suffixes.

    Raises:
        UserError: when there are none: nothing could be translated in that direction.
    """
    found = []
    for pair in files:
        for left, right in (pair, pair[::-1]):
            if f"{of_file(left)}-{of_file(right)}" == direction:
                found.append(Text(direction, left, right))
    one, other = languages_of(direction)
    check(bool(found), f"the bundle translates {direction}: name text for it, such as --text text.{one} text.{other}")
    return found


def pairs_of(texts: Sequence[Text], tokenizer: Tokenizer) -> list[Pair]:
    """The ids of a direction's pairs that have text on both sides, the tag of the target and both ends' included."""
    pairs, skipped, direction = list[Pair](), 0, texts[0].direction
    source, target = languages_of(direction)
    for text in texts:
        for line in read(CorpusConfig("text", (source, target), text.source, text.target), Path()):
            left, right = normalize(line.source), normalize(line.target)
            skipped += not (left and right)
            if left and right:
                ids = tokenizer.encode_source(left, target), [*tokenizer.encode(right), tokenizer.eos_id]
                pairs.append((array("i", ids[0]), array("i", ids[1])))  # a fifth of what lists of numbers take
    check(bool(pairs), f"{texts[0].source} and {texts[0].target} hold no pair with text on both sides")
    say(f"{direction}: {len(pairs):,} pairs; {skipped:,} had an empty side")
    return pairs
