"""The interface of LibreTranslate, for programs that were made for that: /translate, /detect and /languages.

Its requests have other names for the same things, come as JSON or as a form, and what is wrong with them is told in one
sentence without a code. A text that is in the language which is wished for comes back as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from data.languages import languages_of, name_of
from mt_service.detection import SAMPLE, Guess, writers
from mt_service.markup import visible
from mt_service.problems import HANDLERS, RefusedError, checking_body, told
from mt_service.routes.detect import UNABLE, guesses
from mt_service.routes.translate import as_json, body_of, check_limits, work
from mt_service.schemas import Language, TranslateRequest

router = APIRouter()
FORM = "application/x-www-form-urlencoded"
AUTO = "auto"  # for a source that is to be told


class Asked(BaseModel):
    """A text, or several; keys, and whatever else LibreTranslate may know, are passed over."""

    q: str | list[str]

    @property
    def texts(self) -> list[str]:
        """The texts as a list."""
        return [self.q] if isinstance(self.q, str) else self.q


class Wish(Asked):
    """What a text is to become."""

    source: Language = AUTO
    target: Language
    format: Literal["text", "html"] | None = None
    alternatives: int | None = Field(None, ge=0)


Model = TypeVar("Model", bound=BaseModel)


async def read_as(model: type[Model], request: Request) -> Model:
    """A request's body.

    Raises:
        RefusedError, RequestValidationError: naming what is wrong.
    """
    kind, body = request.headers.get("Content-Type", ""), await body_of(request)
    if kind.startswith("multipart/"):
        raise RefusedError(415, "not_json", f"the body is a form of many parts: send JSON, or a form as {FORM}")
    with checking_body():
        return model.model_validate(form(body)) if kind.startswith(FORM) else model.model_validate_json(body)


def form(body: bytes) -> dict[str, Any]:
    """The fields of a form; a text that comes several times makes a list."""
    pairs = parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    several = [value for name, value in pairs if name == "q"]
    return {**dict(pairs), **({"q": several} if len(several) > 1 else {})}


def sample(wish: Asked, is_html: bool) -> str:
    """Enough of some texts to tell their language."""
    said, length = list[str](), 0
    for part in chain.from_iterable(visible(text) if is_html else (text,) for text in wish.texts):
        some = part.strip()[:SAMPLE]
        said.append(some)
        length += len(some)
        if length >= SAMPLE:
            break
    return "\n".join(said)


async def source_of(wish: Wish, request: Request) -> Guess:
    """The language of a text: the one that is named, or the likeliest of those that can become what is wished for.

    Raises:
        RefusedError: when these are several, and not told apart.
    """
    registry = request.app.state.registry
    directions = [languages_of(name) for name in registry.directions()]
    sources = sorted(source for source, target in directions if target == wish.target)
    if wish.source != AUTO or not sources:
        return Guess(wish.source, 1.0)
    candidates = {name: one for name, one in writers(registry).items() if name in (*sources, wish.target)}
    if candidates:
        found = await guesses(request, candidates, sample(wish, wish.format == "html"))
        return min(found, key=lambda one: (-one.probability, one.language == wish.target))
    if len(sources) > 1:
        raise RefusedError(
            422, "invalid", f"field 'source': {UNABLE}; name one of {', '.join(sources)}", field="source"
        )
    return Guess(sources[0], 0.0)


async def translated(request: Request) -> Response:
    """Translate.

    Raises:
        RefusedError, RequestValidationError, OverloadError, DeadlineError, EngineError: for `problems.HANDLERS`.
    """
    started, wish, settings = time.monotonic(), await read_as(Wish, request), request.app.state.settings
    is_html = wish.format == "html"
    n_best = 1 if is_html else min(1 + (wish.alternatives or 0), settings.max_n_best, settings.max_beam)
    fields = {"source": wish.source, "target": wish.target, "format": "html" if is_html else "text", "n_best": n_best}
    asked = TranslateRequest.model_validate({"text": wish.q, **fields})
    check_limits(asked, settings)
    source = await source_of(wish, request)
    said: dict[str, Any] = {"translatedText": wish.texts, "alternatives": [[] for _ in wish.texts]}
    if source.language != wish.target or wish.source != AUTO or wish.target == AUTO:
        asked = asked.model_copy(update={"source": source.language})
        found = (await work(asked, request, settings.deadline_seconds - (time.monotonic() - started))).translations
        said["translatedText"] = [one.text for one in found]
        said["alternatives"] = [[other.text for other in one.alternatives[1:]] for one in found]
    if wish.source == AUTO:
        said["detectedLanguage"] = [as_libre(source) for _ in wish.texts]
    if not wish.alternatives:
        del said["alternatives"]
    return as_json(said if isinstance(wish.q, list) else {name: values[0] for name, values in said.items()})


def as_libre(guess: Guess) -> dict[str, Any]:
    """A guess in other words."""
    return {"language": guess.language, "confidence": round(100 * guess.probability, 1)}


async def detected(request: Request) -> Response:
    """Tell the language of a text.

    Raises:
        RefusedError, RequestValidationError, OverloadError, DeadlineError, EngineError: for `problems.HANDLERS`.
    """
    asked, candidates = await read_as(Asked, request), writers(request.app.state.registry)
    if not candidates:
        raise RefusedError(422, "cannot_detect", UNABLE)
    return as_json([as_libre(one) for one in await guesses(request, candidates, sample(asked, is_html=False))])


async def in_a_sentence(respond: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """An answer, or in one sentence why there is none."""
    try:
        return await respond(request)
    except tuple(HANDLERS) as error:
        refused = await told(request, error)
        message = json.loads(bytes(refused.body))["error"]["message"].replace("field 'text'", "field 'q'")
        kept = {name: value for name, value in refused.headers.items() if name == "retry-after"}
        return Response(json.dumps({"error": message}), refused.status_code, kept, "application/json")


@router.post("/translate", include_in_schema=False)
async def translate(request: Request) -> Response:
    """A text or several, translated."""
    return await in_a_sentence(translated, request)


@router.post("/detect", include_in_schema=False)
async def detect(request: Request) -> Response:
    """The languages that a text may be in, the likeliest first."""
    return await in_a_sentence(detected, request)


@router.get("/languages", include_in_schema=False)
async def languages(request: Request) -> list[dict[str, Any]]:
    """The languages, and what each can be translated to."""
    targets: dict[str, list[str]] = {}
    for name in request.app.state.registry.directions():
        source, target = languages_of(name)
        targets.setdefault(source, []).append(target)
    return [{"code": code, "name": name_of(code), "targets": sorted(some)} for code, some in sorted(targets.items())]
