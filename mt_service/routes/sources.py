"""Which languages the texts of a request are in, where that is to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from fastapi import Request

from data.languages import languages_of
from mt_service.detection import Guess, as_guesses, sample, score, writers
from mt_service.markup import visible
from mt_service.problems import RefusedError
from mt_service.registry import Registry
from mt_service.routes.admission import admitted
from mt_service.translation import Options

UNABLE = "languages are told apart only where models without a shortlist translate to each of them"
SURE = 0.99  # probability from which a text is in a language, whatever the others of its request are in


def chosen(own: Mapping[str, float], together: Mapping[str, float], sources: Collection[str]) -> Guess:
    """The language of a text: its own if that is sure, else that of all texts, else the likeliest of the sources."""
    for scores in (own, together):
        guess = as_guesses(scores)[0]
        if guess.probability >= SURE:
            return guess
    return next(one for one in as_guesses(together) if one.language in sources)


def reads(registry: Registry, language: str, text: str, is_html: bool) -> bool:
    """Whether a text may be in a language, as who translates from that takes it; it may, if nobody does."""
    for name, translator in registry.directions().items():
        if languages_of(name)[0] == language:
            seen = sample(" ".join(visible(text)) if is_html else text)
            options = Options(*languages_of(name))
            return not translator.foreign(translator.plan([seen], options)[0], options)
    return True


async def sources_of(request: Request, texts: Sequence[str], target: str, is_html: bool) -> list[Guess]:
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
        seen = await asyncio.to_thread(lambda: [" ".join(visible(text)) for text in texts]) if is_html else texts
        with admitted(request) as client:
            scores = await score(candidates, seen, request.app.state.settings.deadline_seconds, client)
        together = {language: sum(one[language] for one in scores) for language in candidates}
        return [chosen(one, together, sources) for one in scores]
    if len(sources) > 1:
        raise RefusedError(
            422, "invalid", f"field 'source': {UNABLE}; name one of {', '.join(sources)}", field="source"
        )
    return [Guess(sources[0], 0.0) for _ in texts]
