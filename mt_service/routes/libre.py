"""The interface of LibreTranslate, for programs that were made for that: /translate, /detect and /languages.

Its requests have other names for the same things, come as JSON or as a form, and what is wrong with them is told in one
sentence without a code. A text that is in the language which is wished for comes back as it is.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from data.languages import languages_of, name_of
from mt_service import detection
from mt_service.detection import Guess, writers
from mt_service.problems import HANDLERS, RefusedError, checking_body, told
from mt_service.routes.admission import admitted
from mt_service.routes.sources import UNABLE
from mt_service.routes.translate import as_json, body_of, work_by_source
from mt_service.schemas import AUTO, Language, Texts, TranslateRequest, Wish

router = APIRouter()
FORM = "application/x-www-form-urlencoded"
FIELDS = 100  # of a form, beside its texts


class Asked(Wish):
    """A text, or several; keys, and whatever else LibreTranslate may know, are passed over."""

    q: Texts

    @property
    def texts(self) -> list[str]:
        """The texts as a list."""
        return [self.q] if isinstance(self.q, str) else self.q


class Translation(Asked):
    """What a text is to become."""

    source: Language = AUTO
    target: Language
    format: Literal["text", "html"] = "text"
    alternatives: int = Field(0, ge=0)


Model = TypeVar("Model", bound=BaseModel)


async def read_as(model: type[Model], request: Request) -> Model:
    """A request's body.

    Raises:
        RefusedError: naming what is wrong.
    """
    kind, body = request.headers.get("Content-Type", "").lower(), await body_of(request)
    if kind.startswith("multipart/"):
        raise RefusedError(415, "not_json", f"the body is a form of many parts: send JSON, or a form as {FORM}")
    with checking_body(model):
        if kind.startswith(FORM):
            return model.model_validate(form(body, request.app.state.settings.max_texts + FIELDS))
        return model.model_validate_json(body)


def form(body: bytes, most: int) -> dict[str, Any]:
    """The fields of a form; a text that comes several times makes a list.

    Raises:
        RefusedError: when there are more fields than that.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=most)
    except ValueError:
        message = f"the form has more than {most} fields; send fewer texts at once"
        raise RefusedError(422, "invalid", message, limit=most) from None
    if any("\ufffd" in value for _, value in pairs):
        raise RefusedError(
            422, "invalid", "the form is not in UTF-8, or has a text with characters that were lost before"
        )
    several = [value for name, value in pairs if name == "q"]
    return {**dict(pairs), **({"q": several} if len(several) > 1 else {})}


async def translated(request: Request) -> Response:
    """Translate.

    Raises:
        RefusedError, OverloadError, DeadlineError, EngineError: for `problems.HANDLERS`.
    """
    wish, settings = await read_as(Translation, request), request.app.state.settings
    is_html = wish.format == "html"
    n_best = 1 if is_html else min(1 + wish.alternatives, settings.max_n_best, settings.max_beam)
    fields = {"source": wish.source, "target": wish.target, "format": wish.format, "n_best": n_best}
    guesses, done = await work_by_source(TranslateRequest.model_validate({"text": wish.q, **fields}), request)
    said: dict[str, Any] = {"translatedText": [one.text for one in done.translations]}
    said["alternatives"] = [[other.text for other in one.alternatives[1:]] for one in done.translations]
    if guesses:
        said["detectedLanguage"] = list(map(as_libre, guesses))
    if not wish.alternatives:
        del said["alternatives"]
    return as_json(said if isinstance(wish.q, list) else {name: values[0] for name, values in said.items()})


def as_libre(guess: Guess) -> dict[str, Any]:
    """A guess in other words."""
    return {"language": guess.language, "confidence": round(100 * guess.probability, 1)}


async def detected(request: Request) -> Response:
    """Tell the language of a text.

    Raises:
        RefusedError, OverloadError, DeadlineError, EngineError: for `problems.HANDLERS`.
    """
    asked, candidates = await read_as(Asked, request), writers(request.app.state.registry)
    if not candidates:
        raise RefusedError(422, "cannot_detect", UNABLE)
    with admitted(request) as client:
        seconds = request.app.state.settings.deadline_seconds
        found = await detection.detect(candidates, "\n".join(asked.texts), seconds, client)
    return as_json([as_libre(one) for one in found])


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
