"""Which language a text is in, as the networks that are served know it.

A network that is given a text of the very language that it is to write says it once more. Text of another language it
would not write. So each language's network is asked how probable it would be to repeat the text, in one step for each
piece of it and without a search.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from data.languages import languages_of
from data.normalize import normalize
from mt_service.engine.interface import Job
from mt_service.pieces import LONGEST_IDS
from mt_service.registry import Registry
from mt_service.rerank import SCORING
from mt_service.translator import Translator

SAMPLE = 300  # characters that are looked at
ADDRESS = re.compile(r"://|@|^www\.", re.IGNORECASE)
IMPOSSIBLE = -1e9  # the log-probability of what a network cannot say


class Guess(NamedTuple):
    """A language that a text may be in."""

    language: str
    probability: float  # of those that are asked for


def writers(registry: Registry) -> dict[str, Translator]:
    """Who writes each language; nobody, unless each that is read is also written."""
    served = registry.directions().items()
    found = {languages_of(name)[1]: translator for name, translator in reversed(served)}
    return found if {languages_of(name)[0] for name, _ in served} <= found.keys() else {}


def repeat(translator: Translator, text: str, language: str) -> Job:
    """A text as its own translation."""
    tokenizer = translator.bundle.tokenizer
    ids = (*tokenizer.encode(text)[:LONGEST_IDS], tokenizer.eos_id)
    return Job((tokenizer.tag_id(language), *ids), SCORING, ids)


async def detect(
    candidates: Mapping[str, Translator], text: str, seconds: float, client: Hashable = None
) -> list[Guess]:
    """Guess the language of a text, the likeliest first; Args and Raises as of `score`."""
    (scores,) = await score(candidates, [text], seconds, client)
    return as_guesses(scores)


async def score(
    candidates: Mapping[str, Translator], texts: Iterable[str], seconds: float, client: Hashable = None
) -> list[dict[str, float]]:
    """The log-probability of each text in each language; when this task is cancelled, the engines stop.

    Args:
        candidates: languages, and who writes each.
        texts: any; one without a word is in any language alike.
        seconds: that it may take.
        client: whose requests share a turn.
    Raises:
        QueueFullError, DrainingError, DeadlineError, EngineError: nothing was found out.
    """
    samples, deadline = list(map(sample, texts)), time.monotonic() + seconds
    worded = [one for one in samples if one]
    asked = [
        asyncio.create_task(translator.answers([repeat(translator, one, name) for one in worded], deadline, client))
        for name, translator in candidates.items()
    ]
    try:
        rows = zip(*await asyncio.gather(*asked), strict=True)
    finally:
        for task in asked:  # where one engine refuses, what the others do is for nothing
            task.cancel()
    found = [[one[0].log_probability if one else IMPOSSIBLE for one in row] for row in rows]
    scored, same = iter(found), [0.0] * len(candidates)
    return [dict(zip(candidates, next(scored) if one else same, strict=True)) for one in samples]


def sample(text: str) -> str:
    """Enough words of a text to tell its language: addresses and what has no letter are in all of them."""
    words = (word for word in text.split() if any(map(str.isalpha, word)) and not ADDRESS.search(word))
    return normalize(" ".join(words)[:SAMPLE])


def as_guesses(scores: Mapping[str, float]) -> list[Guess]:
    """Languages from the log-probabilities that they give a text, the likeliest first."""
    most = max(scores.values())
    weights = {language: math.exp(score - most) for language, score in scores.items()}
    total = math.fsum(weights.values())
    guesses = [Guess(language, weight / total) for language, weight in weights.items()]
    return sorted(guesses, key=lambda one: -one.probability)
