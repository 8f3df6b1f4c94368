"""POST /v1/translate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from data.errors import UserError
from data.glossary import Glossary, glossary_of
from data.languages import languages_of, primary
from mt_service.alignment import Alignment
from mt_service.detection import Guess
from mt_service.markup import read
from mt_service.middleware import USAGE
from mt_service.pieces import Spans
from mt_service.problems import RefusedError, problems
from mt_service.projection import put_back, texts
from mt_service.registry import Registry
from mt_service.rerank import beam_of
from mt_service.routes.admission import admitted
from mt_service.routes.sources import Told, reads, sources_of
from mt_service.schemas import AUTO, TranslateRequest
from mt_service.settings import Settings
from mt_service.translation import Alternative, Options, Translation
from mt_service.translator import Translator

BOM = b"\xef\xbb\xbf"
PROBLEMS = problems(
    {
        400: "The body is no JSON.",
        408: "Not all of it came within a minute.",
        413: "The body is too large.",
        415: "The body is not declared to be JSON, or packed.",
        422: "A field is wrong; the message names it.",
        429: "Too many requests at once from one client; see Retry-After.",
        431: "The headers or the address are too long.",
        500: "The engine failed; see the server's log.",
        503: "Too much waits, or the server is about to stop; see Retry-After.",
        504: "It took longer than a request may.",
    }
)


def check_limits(wish: TranslateRequest, settings: Settings) -> None:
    """Refuse what is over a limit of the server, naming field and limit."""
    texts, terms = wish.texts, wish.terms
    asked = {
        "text": (len(texts), settings.max_texts, "texts"),
        "text ": (sum(map(len, texts)), settings.max_characters, "characters in all"),
        "glossary": (len(terms), settings.max_terms, "terms"),
        "glossary ": (sum(map(len, chain(*terms.items()))), settings.max_characters, "characters in all"),
        "beam": (wish.beam or 1, settings.max_beam, ""),
        "n_best": (wish.n_best, min(settings.max_n_best, settings.max_beam), ""),
    }
    for name, (value, limit, unit) in asked.items():
        if value > limit:
            field, what = name.strip(), f" {unit}" if unit else ""
            message = f"field '{field}': {value}{what} asked for, but at most {limit} are allowed"
            raise RefusedError(422, "invalid", message, field=field, limit=limit)
    for name, more in (("n_best", wish.n_best > 1), ("alignments", wish.alignments)):
        if wish.is_html and more:
            message = f"field '{name}': of HTML there is one translation, without alignments"
            raise RefusedError(422, "invalid", message, field=name)
    if wish.beam is not None and wish.n_best > wish.beam:
        message = f"field 'n_best': {wish.n_best} asked for, but a beam of {wish.beam} gives no more than that"
        raise RefusedError(422, "invalid", message, field="n_best", limit=wish.beam)


def find(registry: Registry, source: str, target: str, field: str = "", purpose: str = "") -> Translator:
    """The translator of a direction, or a refusal that names the field which asked for it: of both the wrong one."""
    try:
        return registry.find(source, target)
    except UserError as error:
        known = any(languages_of(direction)[0] == source for direction in registry.directions())
        field = field or ("target" if known else "source")
        raise RefusedError(422, "unknown_direction", f"{purpose}{error}", field=field) from None


def wished_glossary(wish: TranslateRequest, translator: Translator) -> Glossary | None:
    """The terms of a request, or a refusal."""
    try:
        glossary = glossary_of(wish.terms, wish.source) if wish.terms else None
        translator.masking(f"{wish.source}-{wish.target}", glossary)
    except UserError as error:
        raise RefusedError(422, "invalid", f"field 'glossary': {error}", field="glossary") from None
    return glossary


async def body_of(request: Request) -> bytes:
    """All of a request's body, without a mark of byte order.

    Raises:
        RefusedError: when it is encoded, or the client leaves meanwhile.
    """
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise RefusedError(415, "not_json", f"the body is encoded ({coding[:20]}): send it as it is")
    try:
        return (await request.body()).removeprefix(BOM)
    except ClientDisconnect:
        raise RefusedError(499, "client_left", "the client left") from None


class Work(NamedTuple):
    """What came of a request."""

    model: str  # empty where nothing was to be translated
    translations: list[Translation]
    usage: dict[str, float]


async def work(
    wish: TranslateRequest, request: Request, seconds: float | None = None, kept: Sequence[Spans] = ()
) -> Work:
    """Translate what a request asks for.

    Args:
        wish: what that is.
        request: whose client waits.
        seconds: that it may take, by default as many as the settings say.
        kept: of each text, where parts begin and end that stay as they are.
    Raises:
        RefusedError, OverloadError, DeadlineError, EngineError: nothing was translated.
    """
    state, started = request.app.state, time.perf_counter()
    check_limits(wish, state.settings)
    translator = find(state.registry, wish.source, wish.target)
    reverse = find(state.registry, wish.target, wish.source, "rerank", "to rerank, ") if wish.rerank else None
    beam = beam_of(translator.info, wish.beam, wish.n_best, wish.rerank, state.settings.max_beam)
    glossary = wished_glossary(wish, translator)
    links = wish.alignments or wish.is_html
    options = Options(wish.source, wish.target, beam, wish.n_best, wish.length_penalty, links, glossary=glossary)
    seconds = state.settings.deadline_seconds if seconds is None else seconds
    with admitted(request) as client:
        if wish.is_html:
            documents = await asyncio.to_thread(lambda: list(map(read, wish.texts)))
            parts = await translator.translate(texts(documents), options, seconds, client, reverse)
            found = await asyncio.to_thread(put_back, documents, parts)
        else:
            found = await translator.translate(wish.texts, options, seconds, client, reverse, kept)
    return Work(translator.info.name, found, used(wish, found, started))


def count(request: Request, done: Iterable[Work]) -> None:
    """Have what a request cost counted when its answer is on its way."""
    request.scope[USAGE] = [
        {**one.usage, "doubtful": sum(len(each.doubtful) for each in one.translations)} for one in done
    ]


def used(wish: TranslateRequest, found: Sequence[Translation], started: float) -> dict[str, float]:
    """What a request cost that started then, by time.perf_counter()."""
    return {
        "characters": sum(map(len, wish.texts)),
        "sentences": sum(one.sentences for one in found),
        "tokens": sum(one.tokens for one in found),
        "seconds": round(time.perf_counter() - started, 4),
    }


async def work_by_source(wish: TranslateRequest, request: Request) -> tuple[list[Guess], Work]:
    """The language of each text where no source is named, and what comes of the texts: what is in the target language
    already stays then.

    Raises:
        RefusedError, OverloadError, DeadlineError, EngineError: nothing was translated.
    """
    wish = as_served(wish, request.app.state.registry)
    if wish.source != AUTO:
        done = await work(wish, request)
        count(request, [done])
        return [], done
    started, state = time.perf_counter(), request.app.state
    check_limits(wish, state.settings)
    told = await sources_of(request, wish.texts, wish.target, wish.is_html)
    guesses = [one.guess for one in told]
    found, parts, served = dict[int, Translation](), list[Work](), state.registry.directions()
    for source in sorted({guess.language for guess in guesses}):
        places = [place for place, guess in enumerate(guesses) if guess.language == source]
        if f"{source}-{wish.target}" not in served:
            found |= {place: as_it_is(wish.texts[place], told[place], wish, state.registry) for place in places}
            continue
        some = wish.model_copy(update={"source": source, "text": [wish.texts[place] for place in places]})
        left = state.settings.deadline_seconds - (time.perf_counter() - started)
        parts.append(await work(some, request, left, [told[place].kept for place in places]))
        found |= zip(places, parts[-1].translations, strict=True)
    count(request, parts)
    translations = [found[place] for place in range(len(guesses))]
    return guesses, Work(parts[-1].model if parts else "", translations, used(wish, translations, started))


def as_served(wish: TranslateRequest, registry: Registry) -> TranslateRequest:
    """A request with languages as they are served: de of DE or de-AT, where that is not served itself."""
    served = {language for name in registry.directions() for language in languages_of(name)}
    asked = {"source": wish.source, "target": wish.target}
    named = {field: primary(code) for field, code in asked.items() if code not in served and primary(code) in served}
    return wish.model_copy(update=named) if named else wish


def as_it_is(text: str, told: Told, wish: TranslateRequest, registry: Registry) -> Translation:
    """A text that is most like a language which nothing translates to the target, or the target itself."""
    language = told.guess.language
    where = f"in {language} already"
    if language != wish.target:
        where = f"in {language}, which no model translates to {wish.target}"
    if not reads(registry, language, told.seen):
        where = "in no language served"
    remark = f"left as it is: it seems to be {where}"
    alignment = Alignment([], [], []) if wish.alignments else None
    return Translation(text, 0.0, [Alternative(text, 0.0)], alignment, 0, 0, [remark])


async def translate(wish: TranslateRequest, request: Request) -> Response:
    """Translate one text or a list of texts; the answers stand in the same order."""
    guesses, done = await work_by_source(wish, request)
    shown = [present(one, wish) for one in done.translations]
    for one, guess in zip(shown, guesses, strict=False):  # there are none where the source was named
        one["source"] = guess.language
    answer = {"model": done.model, "source": wish.source, "target": wish.target}
    return as_json({**answer, "translations": shown, "usage": done.usage})


def as_json(answer: Any) -> Response:
    """An answer of plain data: pydantic has checked what came, not what is made here."""
    return Response(json.dumps(answer, ensure_ascii=False, separators=(",", ":")), media_type="application/json")


def present(one: Translation, wish: TranslateRequest) -> dict[str, Any]:
    """What was asked for of a translation: a `TranslatedText` without what is None."""
    shown = with_score(one.text, one.score, wish)
    if wish.n_best > 1:
        shown["alternatives"] = [with_score(*other, wish) for other in one.alternatives]
    if one.alignment is not None:
        shown["alignment"] = {
            name: [part._asdict() for part in parts] for name, parts in one.alignment._asdict().items()
        }
    if remarks := one.remarks:
        shown["warnings"] = remarks
    return shown


def with_score(text: str, score: float, wish: TranslateRequest) -> dict[str, Any]:
    """A text, and its score if that was asked for."""
    return {"text": text, "score": round(score, 4)} if wish.scores else {"text": text}
