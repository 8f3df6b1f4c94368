"""Which languages the texts of a request are in, where that is to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from fastapi import Request

from data.languages import languages_of
from data.wrapping import paragraph_spans
from mt_service.detection import Guess, as_guesses, sample, score, writers
from mt_service.markup import visible
from mt_service.pieces import Spans
from mt_service.problems import RefusedError
from mt_service.registry import Registry
from mt_service.routes.admission import admitted
from mt_service.translation import Options
from mt_service.translator import Translator

UNABLE = "languages are told apart only where models translate to each of them"
WORDS = 4  # of a paragraph that tells its language
PARAGRAPHS = 16  # of a text that are looked at
BEGINNING = 80  # characters of each, which is enough
TOGETHER = 512  # of all texts of a request
SURE = 0.99  # probability from which a text is in a language, whatever the others of its request are in


def sure(scores: Mapping[str, float]) -> Guess | None:
    """The language that is sure, if one is."""
    guess = as_guesses(scores)[0]
    return guess if guess.probability >= SURE else None


def chosen(own: Mapping[str, float], together: Mapping[str, float], sources: Collection[str]) -> Guess:
    """The language of a text: its own if that is sure, else that of all texts, else the likeliest of the sources."""
    for scores in (own, together):
        if guess := sure(scores):
            return guess
    return next(one for one in as_guesses(together) if one.language in sources)


def reads(registry: Registry, language: str, text: str) -> bool:
    """Whether a text may be in a language, as who translates from that takes it; it may, if nobody does."""
    for name, translator in registry.directions().items():
        if languages_of(name)[0] == language:
            options = Options(*languages_of(name))
            return not translator.foreign(translator.plan([sample(text)], options)[0], options)
    return True


class Wished(NamedTuple):
    """The languages that can become the target, and that; and what the texts are."""

    sources: Sequence[str]
    target: str
    is_html: bool


class Told(NamedTuple):
    """The language of a text, where its paragraphs begin and end that are surely in the target language, and what
    people see of it."""

    guess: Guess
    kept: Spans = ()
    seen: str = ""


def paragraphs_of(text: str, most: int = PARAGRAPHS) -> list[tuple[int, int]]:
    """Where the paragraphs of a text are that tell their language, if there are several; of very many, some."""
    spans = [span for span in paragraph_spans(text) if len(text[slice(*span)].split()) >= WORDS]
    return spans[:: -(-len(spans) // most)] if len(spans) > 1 else []


def with_paragraphs(whole: Guess, spans: Spans, scores: Sequence[Mapping[str, float]], wished: Wished) -> Told:
    """What a text of several paragraphs is to be taken for.

    Args:
        whole: the language of its beginning.
        spans: its paragraphs.
        scores: theirs.
        wished: the languages.
    """
    guesses = list(map(sure, scores))
    others = (one for one in guesses if one is not None and one.language in wished.sources)
    guess = next(others, whole) if whole.language == wished.target else whole
    mine = [span for span, one in zip(spans, guesses, strict=True) if one and one.language == wished.target]
    return Told(guess, [] if guess.language == wished.target else mine)


async def sources_of(request: Request, texts: Sequence[str], target: str, is_html: bool) -> list[Told]:
    """The likeliest language of each text, of all that are served; of what is not sure, of those that can become the
    target.

    Raises:
        RefusedError: when these are several, and not told apart, or there are none.
        OverloadError, DeadlineError, EngineError: nothing was found out.
    """
    registry = request.app.state.registry
    directions = [languages_of(name) for name in registry.directions()]
    sources = sorted(source for source, other in directions if other == target)
    if not sources:
        message = f"no model translates to {target}; there are: {', '.join(sorted(registry.directions()))}"
        raise RefusedError(422, "unknown_direction", message, field="target")
    candidates = writers(registry)
    if not candidates.keys().isdisjoint(sources):
        with admitted(request) as client:
            seconds = request.app.state.settings.deadline_seconds
            return await tell_apart(candidates, texts, Wished(sources, target, is_html), seconds, client)
    if len(sources) > 1:
        raise RefusedError(
            422, "invalid", f"field 'source': {UNABLE}; name one of {', '.join(sources)}", field="source"
        )
    return [Told(Guess(sources[0], 0.0)) for _ in texts]


async def tell_apart(
    candidates: Mapping[str, Translator], texts: Sequence[str], wished: Wished, seconds: float, client: Hashable
) -> list[Told]:
    """The languages of texts, each by its beginning, and of the paragraphs of those that have several.

    Args and Raises as of `detection.score`.
    """
    seen, most = texts, min(PARAGRAPHS, TOGETHER // len(texts)) if texts else 0
    if wished.is_html:
        seen = await asyncio.to_thread(lambda: [" ".join(visible(text)) for text in texts])
    spans = [[] if wished.is_html or not most else paragraphs_of(text, most) for text in texts]
    parts = [text[slice(*span)][:BEGINNING] for text, some in zip(texts, spans, strict=True) for span in some]
    scores = await score(candidates, [*seen, *parts], seconds, client)
    whole, of_parts = scores[: len(texts)], iter(scores[len(texts) :])
    together = {language: sum(one[language] for one in whole) for language in candidates}
    return [
        with_paragraphs(
            chosen(one, together, wished.sources), some, list(islice(of_parts, len(some))), wished
        )._replace(seen=text)
        for one, some, text in zip(whole, spans, seen, strict=True)
    ]
