"""POST /v1/translate."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from data.errors import UserError
from mt_service.problems import RefusedError
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
from mt_service.translator import Alignment, Options, Translation

router = APIRouter()
R = TypeVar("R")
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": text}
    for status, text in {
        400: "The body is no JSON.",
        413: "The body is too large.",
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
        "n_best": (wish.n_best, settings.max_n_best, ""),
    }
    for name, (value, limit, unit) in asked.items():
        if value > limit:
            field, what = name.strip(), f" {unit}" if unit else ""
            message = f"field '{field}': {value}{what} asked for, but at most {limit} are allowed"
            raise RefusedError(422, "invalid", message, field=field, limit=limit)
    if wish.beam is not None and wish.n_best > wish.beam:
        message = f"field 'n_best': {wish.n_best} asked for, but a beam of {wish.beam} gives no more than that"
        raise RefusedError(422, "invalid", message, field="n_best", limit=wish.beam)


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


async def unless_gone(request: Request, work: Coroutine[Any, Any, R]) -> R:
    """Do the work, but stop when the client leaves."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(disconnected(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RefusedError(499, "client_left", "the client left")
        return task.result()
    finally:
        for one in (task, watch):
            one.cancel()


async def disconnected(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@router.post("/v1/translate", response_model=TranslateAnswer, responses=PROBLEMS)
async def translate(wish: TranslateRequest, request: Request) -> Response:
    """Translate one text or a list of texts; the answers stand in the same order."""
    state, started = request.app.state, time.perf_counter()
    check_limits(wish, state.settings)
    try:
        translator = state.registry.find(wish.source, wish.target)
    except UserError as error:
        raise RefusedError(422, "unknown_direction", str(error), field="target") from None
    beam = wish.beam or max(translator.info.beam, wish.n_best)
    options = Options(wish.source, wish.target, beam, wish.n_best, wish.length_penalty, wish.alignments)
    client = request.client.host if request.client else "unknown"
    with one_of_few(state.clients, client, state.settings.client_requests):
        work = translator.translate(wish.texts, options, state.settings.deadline_seconds, client)
        found = await unless_gone(request, work)
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
