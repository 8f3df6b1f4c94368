"""The interface of LibreTranslate, for programs that were made for that: /translate and /languages.

Its requests have other names for the same things, come as JSON or as a form, and are refused in one sentence without a
code. What tells languages apart is not here: `auto` is understood where only one language leads to the target.
"""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from data.languages import name_of
from mt_service.problems import HANDLERS, RefusedError, told
from mt_service.registry import Registry
from mt_service.routes.translate import as_json, work
from mt_service.schemas import Language, TranslateRequest

router = APIRouter()
FORM = "application/x-www-form-urlencoded"


class Wish(BaseModel):
    """What LibreTranslate can be asked for; keys and whatever else it may know are passed over."""

    q: str | list[str]
    source: Language = "auto"
    target: Language
    format: Literal["text", "html"] = "text"
    alternatives: int = Field(0, ge=0)


async def read_wish(request: Request) -> Wish:
    """A request's body.

    Raises:
        RefusedError, RequestValidationError: naming what is wrong.
    """
    body = await request.body()
    try:
        if request.headers.get("Content-Type", "").startswith(FORM):
            return Wish.model_validate(form(body))
        return Wish.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def form(body: bytes) -> dict[str, Any]:
    """The fields of a form; a text that comes several times makes a list."""
    pairs = parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    several = [value for name, value in pairs if name == "q"]
    return {**dict(pairs), **({"q": several} if len(several) > 1 else {})}


def source_of(wish: Wish, registry: Registry) -> str:
    """The language of a text: the one that is named, or the only one that can be translated to what it is to become.

    Raises:
        RefusedError: when there are several.
    """
    directions = [name.split("-") for name in registry.directions()]
    sources = sorted(source for source, target in directions if target == wish.target)
    if wish.source != "auto" or not sources:
        return wish.source
    if len(sources) > 1:
        message = f"field 'source': languages are not told apart here; name one of {', '.join(sources)}"
        raise RefusedError(422, "invalid", message, field="source")
    return sources[0]


async def answer(request: Request) -> Response:
    """Translate.

    Raises:
        RefusedError, RequestValidationError, OverloadError, DeadlineError, EngineError: for `problems.HANDLERS`.
    """
    wish, state = await read_wish(request), request.app.state
    source, settings = source_of(wish, state.registry), state.settings
    n_best = min(1 + wish.alternatives, settings.max_n_best, settings.max_beam)
    asked = {"text": wish.q, "source": source, "target": wish.target, "format": wish.format, "n_best": n_best}
    found = (await work(TranslateRequest.model_validate(asked), request)).translations
    said: dict[str, Any] = {"translatedText": [one.text for one in found]}
    if wish.source == "auto":
        said["detectedLanguage"] = [{"language": source, "confidence": 0} for _ in found]  # nothing was looked at
    if wish.alternatives:
        said["alternatives"] = [[other.text for other in one.alternatives[1:]] for one in found]
    return as_json(said if isinstance(wish.q, list) else {name: values[0] for name, values in said.items()})


@router.post("/translate", include_in_schema=False)
async def translate(request: Request) -> Response:
    """Translate a text or several, or tell in one sentence why not."""
    try:
        return await answer(request)
    except tuple(HANDLERS) as error:
        refused = await told(request, error)
        message = json.loads(bytes(refused.body))["error"]["message"].replace("field 'text'", "field 'q'")
        kept = {name: value for name, value in refused.headers.items() if name == "retry-after"}
        return Response(json.dumps({"error": message}), refused.status_code, kept, "application/json")


@router.get("/languages", include_in_schema=False)
async def languages(request: Request) -> list[dict[str, Any]]:
    """The languages, and what each can be translated to."""
    targets: dict[str, list[str]] = {}
    for name in request.app.state.registry.directions():
        source, target = name.split("-")
        targets.setdefault(source, []).append(target)
    return [{"code": code, "name": name_of(code), "targets": sorted(some)} for code, some in sorted(targets.items())]
