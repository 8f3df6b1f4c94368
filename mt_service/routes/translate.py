"""POST /v1/translate."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from data.errors import UserError
from mt_service.problems import RefusedError
from mt_service.registry import Registry
from mt_service.rerank import beam_of
from mt_service.schemas import (
    AlternativeText,
    ProblemAnswer,
    TranslateAnswer,
    TranslatedText,
    TranslateRequest,
    Usage,
    WordAlignment,
    WordLink,
    WordSpan,
)
from mt_service.settings import Settings
from mt_service.translator import Alignment, Options, Translation, Translator

PATIENCE = 0.05  # seconds before a client's leaving is looked out for: most answers are there by then
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": text}
    for status, text in {
        400: "The body is no JSON.",
        413: "The body is too large.",
        415: "The body is not declared to be JSON.",
        422: "A field is wrong; the message names it.",
        429: "Too many requests at once from one client; see Retry-After.",
        503: "Too much waits, or the server is about to stop; see Retry-After.",
        504: "It took longer than a request may.",
    }.items()
}


def check_limits(wish: TranslateRequest, settings: Settings) -> None:
    """Refuse what is over a limit of the server, naming field and limit."""
    asked = {
        "text": (len(wish.texts), settings.max_texts, "texts"),
        "text ": (sum(map(len, wish.texts)), settings.max_characters, "characters in all"),
        "beam": (wish.beam or 1, settings.max_beam, ""),
        "n_best": (wish.n_best, min(settings.max_n_best, settings.max_beam), ""),
    }
    for name, (value, limit, unit) in asked.items():
        if value > limit:
            field, what = name.strip(), f" {unit}" if unit else ""
            message = f"field '{field}': {value}{what} asked for, but at most {limit} are allowed"
            raise RefusedError(422, "invalid", message, field=field, limit=limit)
    if wish.beam is not None and wish.n_best > wish.beam:
        message = f"field 'n_best': {wish.n_best} asked for, but a beam of {wish.beam} gives no more than that"
        raise RefusedError(422, "invalid", message, field="n_best", limit=wish.beam)


def find(registry: Registry, source: str, target: str, field: str, purpose: str = "") -> Translator:
    """The translator of a direction, or a refusal that names the field which asked for it."""
    try:
        return registry.find(source, target)
    except UserError as error:
        raise RefusedError(422, "unknown_direction", f"{purpose}{error}", field=field) from None


@contextmanager
def one_of_few(clients: Counter[str], client: str, limit: int) -> Iterator[None]:
    """Count a client's requests under way, and refuse one too many."""
    if clients[client] >= limit:
        message = f"{limit} requests of yours are under way, which is as many as may be; wait for an answer"
        raise RefusedError(429, "too_many_requests", message, limit=limit, retry_after=1.0)
    clients[client] += 1
    try:
        yield
    finally:
        clients[client] -= 1
        if not clients[client]:
            del clients[client]


@contextmanager
def while_there(request: Request) -> Iterator[None]:
    """Cancel what the task does inside when the client leaves.

    Raises:
        RefusedError: then.
    """
    loop, task, left = asyncio.get_running_loop(), asyncio.current_task(), False
    watches: list[asyncio.Task[None]] = []

    async def watch() -> None:
        nonlocal left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left = True
        if task is not None:
            task.cancel()

    timer = loop.call_later(PATIENCE, lambda: watches.append(loop.create_task(watch())))
    try:
        yield
    except asyncio.CancelledError:
        if not left or task is None:
            raise
        task.uncancel()
        raise RefusedError(499, "client_left", "the client left") from None
    finally:
        timer.cancel()
        for one in watches:
            one.cancel()


async def read(request: Request) -> TranslateRequest:
    """A request's body.

    Raises:
        RefusedError, RequestValidationError: naming what is wrong.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        said = f"declared as {kind}" if kind else "not declared"
        raise RefusedError(
            415, "not_json", f"the body is {said}: send JSON, and the header Content-Type: application/json"
        )
    try:
        body = await request.body()
    except ClientDisconnect:
        raise RefusedError(499, "client_left", "the client left") from None
    if not body:
        raise RefusedError(422, "invalid", "the body is empty; send a JSON object with text, source and target")
    try:
        return TranslateRequest.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


class DirectRoute(APIRoute):
    """Described as FastAPI describes routes, but its body goes from bytes to a model at once, by pydantic alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""

        async def handle(request: Request) -> Response:
            return await translate(await read(request), request)

        return handle


def add_translation(app: FastAPI) -> None:
    """Put the route into an application; the first one is found soonest."""
    app.router.add_api_route(
        "/v1/translate",
        translate,
        methods=["POST"],
        response_model=TranslateAnswer,
        responses=PROBLEMS,
        route_class_override=DirectRoute,
    )


async def translate(wish: TranslateRequest, request: Request) -> Response:
    """Translate one text or a list of texts; the answers stand in the same order."""
    state, started = request.app.state, time.perf_counter()
    check_limits(wish, state.settings)
    translator = find(state.registry, wish.source, wish.target, "target")
    reverse = find(state.registry, wish.target, wish.source, "rerank", "to rerank, ") if wish.rerank else None
    beam = beam_of(translator.info, wish.beam, wish.n_best, wish.rerank, state.settings.max_beam)
    options = Options(wish.source, wish.target, beam, wish.n_best, wish.length_penalty, wish.alignments)
    client = request.client.host if request.client else "unknown"
    with one_of_few(state.clients, client, state.settings.client_requests), while_there(request):
        found = await translator.translate(wish.texts, options, state.settings.deadline_seconds, client, reverse)
    usage = Usage(
        characters=sum(map(len, wish.texts)),
        sentences=sum(one.sentences for one in found),
        tokens=sum(one.tokens for one in found),
        seconds=round(time.perf_counter() - started, 4),
    )
    state.metrics.tokens.inc(usage.tokens)
    state.metrics.characters.inc(usage.characters)
    texts = [present(one, wish) for one in found]
    answer = TranslateAnswer(
        model=translator.info.name, source=wish.source, target=wish.target, translations=texts, usage=usage
    )
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")  # checked once is enough


def present(one: Translation, wish: TranslateRequest) -> TranslatedText:
    """What was asked for of a translation."""
    alternatives = None
    if wish.n_best > 1:
        alternatives = [
            AlternativeText(text=other.text, score=round(other.score, 4) if wish.scores else None)
            for other in one.alternatives
        ]
    return TranslatedText(
        text=one.text,
        score=round(one.score, 4) if wish.scores else None,
        alternatives=alternatives,
        alignment=None if one.alignment is None else present_alignment(one.alignment),
        warnings=one.warnings or None,
    )


def present_alignment(alignment: Alignment) -> WordAlignment:
    """Word links as JSON."""
    return WordAlignment(
        source_words=[WordSpan(**span._asdict()) for span in alignment.source_words],
        target_words=[WordSpan(**span._asdict()) for span in alignment.target_words],
        links=[WordLink(**link._asdict()) for link in alignment.links],
    )
