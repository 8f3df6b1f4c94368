"""Languages, health, metrics and reloading."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from data.errors import UserError
from data.languages import languages_of
from mt_service.detection import writers
from mt_service.problems import RefusedError, problems
from mt_service.schemas import Direction, LanguagesAnswer, LimitsAnswer

router = APIRouter()


@router.get("/v1/languages")
async def languages(request: Request) -> LanguagesAnswer:
    """Which languages can be translated, by which models, within which limits."""
    settings = request.app.state.settings
    directions = [
        Direction(
            source=languages_of(name)[0],
            target=languages_of(name)[1],
            model=translator.info.name,
            beam=min(translator.info.beam, settings.max_beam),
            length_penalty=translator.info.length_penalty,
            glossary=bool(translator.bundle.placeholders and settings.max_terms),
        )
        for name, translator in request.app.state.registry.directions().items()
    ]
    limits = LimitsAnswer(
        texts=settings.max_texts,
        characters=settings.max_characters,
        terms=settings.max_terms,
        beam=settings.max_beam,
        n_best=min(settings.max_n_best, settings.max_beam),
    )
    return LanguagesAnswer(directions=directions, limits=limits, detection=bool(writers(request.app.state.registry)))


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses=problems({503: "Starting, stopping, or an engine failed for good."}))
async def ready(request: Request) -> dict[str, str]:
    """Models are loaded and requests are taken; 503 otherwise."""
    if not request.app.state.ready:
        raise RefusedError(503, "not_ready", "the server is starting or about to stop", retry_after=1.0)
    broken = [one.info.name for one in request.app.state.registry.translators if one.worker.broken]
    if broken:
        message = f"the engine of {', '.join(broken)} failed and could not be made anew; the log tells why"
        raise RefusedError(503, "not_ready", message, retry_after=1.0)
    return {"status": "ready"}


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Numbers for Prometheus."""
    return Response(generate_latest(request.app.state.metrics.collector), media_type=CONTENT_TYPE_LATEST)


def may_administer(request: Request) -> bool:
    """Whether a request comes from this machine or knows the token."""
    token = request.app.state.settings.admin_token
    if token:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
    if "Origin" in request.headers:  # a browser asks, on behalf of whatever page
        return False
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


@router.post(
    "/v1/reload", responses=problems({403: "Neither this machine nor the token asks.", 409: "A bundle is bad."})
)
async def reload(request: Request) -> dict[str, list[str]]:
    """Read all bundles anew; when one is bad, the old ones stay and the answer says why."""
    if not may_administer(request):
        told = "without MT_ADMIN_TOKEN only this machine may reload"
        if request.app.state.settings.admin_token:
            told = "send the header Authorization: Bearer, with what MT_ADMIN_TOKEN is"
        raise RefusedError(403, "forbidden", told)
    registry = request.app.state.registry
    try:
        await asyncio.to_thread(registry.load)
    except UserError as error:
        raise RefusedError(409, "not_reloaded", f"the old bundles stay: {error}") from None
    return {"directions": sorted(registry.directions())}
