"""Which language the texts of a request are in, where that is to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from fastapi import Request

from data.languages import languages_of
from mt_service.detection import SAMPLE, Guess, detect, writers
from mt_service.markup import visible
from mt_service.problems import RefusedError
from mt_service.routes.admission import admitted
from mt_service.translator import Translator

AUTO = "auto"  # for a source that is to be told
UNABLE = "languages are told apart only where models without a shortlist translate to each of them"


async def guesses(request: Request, candidates: Mapping[str, Translator], text: str) -> list[Guess]:
    """What a text's language may be, within the limits of a client.

    Raises:
        RefusedError, OverloadError, DeadlineError, EngineError: nothing was found out.
    """
    with admitted(request) as client:
        return await detect(candidates, text, request.app.state.settings.deadline_seconds, client)


def sample(texts: Iterable[str], is_html: bool) -> str:
    """Enough of some texts to tell their language."""
    said, length = list[str](), 0
    for part in chain.from_iterable(visible(text) if is_html else (text,) for text in texts):
        some = part.strip()[:SAMPLE]
        said.append(some)
        length += len(some)
        if length >= SAMPLE:
            break
    return "\n".join(said)


async def source_of(request: Request, texts: Iterable[str], target: str, is_html: bool) -> Guess:
    """The likeliest language of some texts, among those that can become the target, and that itself.

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
    candidates = {name: one for name, one in writers(registry).items() if name in (*sources, target)}
    if candidates:
        found = await guesses(request, candidates, sample(texts, is_html))
        return min(found, key=lambda one: (-one.probability, one.language == target))
    if len(sources) > 1:
        raise RefusedError(
            422, "invalid", f"field 'source': {UNABLE}; name one of {', '.join(sources)}", field="source"
        )
    return Guess(sources[0], 0.0)
