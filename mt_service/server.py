"""`mt serve`: settings, logging and uvicorn."""

from __future__ import annotations

import argparse
import logging
import os
from types import FrameType

import uvicorn

from mt_service.app import create_app
from mt_service.registry import Registry
from mt_service.settings import load_settings


class Server(uvicorn.Server):
    """Turns unready as soon as it is told to stop, so that a load balancer looks elsewhere."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT."""
        app = self.config.loaded_app if self.config.loaded else self.config.app
        state = getattr(app, "state", None) or getattr(self.config.app, "state", None)
        if state is not None:
            state.ready = False
        super().handle_exit(sig, frame)


def run(arguments: argparse.Namespace) -> int:
    """Load the bundles, so that a bad one is told in a sentence, then serve until told to stop."""
    flags = {name: getattr(arguments, name) for name in ("host", "port", "bundles", "threads", "device")}
    settings = load_settings(os.environ, **flags)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    registry = Registry(settings)
    registry.load()
    served = ", ".join(sorted(registry.directions()))
    logging.getLogger("mt_service").info("serving %s on http://%s:%d", served, settings.host, settings.port)
    config = uvicorn.Config(
        create_app(settings, registry),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    server = Server(config)
    server.run()
    return 0 if server.started else 1
