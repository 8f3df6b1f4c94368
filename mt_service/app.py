"""The HTTP application, put together from its parts."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from mt_service.described import tell_limits
from mt_service.metrics import Metrics
from mt_service.middleware import BYTES_PER_CHARACTER, Around
from mt_service.problems import HANDLERS
from mt_service.registry import Registry
from mt_service.routes import about, detect, libre, pages
from mt_service.routes.direct import Direct, add_translation
from mt_service.settings import Settings

OVERHEAD = 65_536  # bytes of a request that are neither text nor terms
# Where no environment variable asks for OpenTelemetry, FastAPI need not look for it at every request.
UNTRACED: dict[str, Any] = {"telemetry": {"tracing": False, "metrics": False, "logs": False}}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the bundles before the first request, and let the last ones finish."""
    registry: Registry = app.state.registry
    if not registry.translators:
        await asyncio.to_thread(registry.load)
    app.state.ready = True
    yield
    app.state.ready = False
    await asyncio.to_thread(registry.drain)


def create_app(settings: Settings, registry: Registry | None = None) -> FastAPI:
    """The application.

    Args:
        settings: limits and bundles.
        registry: translators made elsewhere; by default they are loaded at the start.
    """
    app = FastAPI(
        title="Machine translation",
        description="Self-hosted translation with recurrent networks.",
        version="1",
        lifespan=lifespan,
        root_path=settings.root_path,
        docs_url=None,
        redoc_url=None,
        **({} if any(name.startswith("OTEL_") for name in os.environ) else UNTRACED),
    )
    registry = registry or Registry(settings)
    metrics = Metrics(registry)
    app.state.settings, app.state.registry, app.state.metrics = settings, registry, metrics
    app.state.clients = Counter[str]()
    app.state.ready = False
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    route = add_translation(app)
    for router in (about.router, detect.router, libre.router, pages.router):
        app.include_router(router)
    tell_limits(app, settings)
    around = partial(Around, metrics=metrics, max_body=2 * settings.max_characters * BYTES_PER_CHARACTER + OVERHEAD)
    app.add_middleware(around)
    app.middleware_stack = Direct(app.build_middleware_stack(), route, around)
    return app
