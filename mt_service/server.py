"""`mt serve`: settings, logging and uvicorn."""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Literal

import uvicorn
from fastapi import FastAPI

from data.errors import UserError
from mt_service.app import create_app
from mt_service.registry import Registry
from mt_service.settings import Settings, load_settings

log = logging.getLogger("mt_service")
SWITCH = 0.0005  # seconds; the engine's thread comes back for Python's lock after every step, and would wait for 5 ms
LOCAL = "127.0.0.1,::1,::ffff:127.0.0.1"  # proxies whose X-Forwarded-For is believed
BACKLOG = 2048  # connections that may wait to be accepted, as uvicorn has it
LAST_ANSWERS = 5  # seconds to send what was found while draining


class Server(uvicorn.Server):
    """Turns unready as soon as it is told to stop, so that a load balancer looks elsewhere."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT: who waits is answered, if need be that time ran out, before uvicorn cuts connections."""
        self.app.state.ready = False
        if not self.should_exit:
            threading.Thread(target=self.app.state.registry.drain, name="drain", daemon=True).start()
        super().handle_exit(sig, frame)

    def handle_hangup(self, sig: int, frame: FrameType | None) -> None:
        """SIGHUP: a terminal that closes takes its server along, which stops as at SIGTERM; a daemon reads its bundles
        anew."""
        if sys.stderr is not None and sys.stderr.isatty():
            self.handle_exit(sig, frame)
        else:
            threading.Thread(target=reload, args=(self.app.state.registry,), name="reload", daemon=True).start()


def reload(registry: Registry) -> None:
    """Read all bundles anew, and log what came of it."""
    try:
        registry.load()
    except UserError as error:
        log.error("the old bundles stay: %s", error)
    else:
        log.info("reloaded; serving %s", ", ".join(sorted(registry.directions())))


def listen(settings: Settings) -> socket.socket:
    """The socket, taken before the models are loaded: a second server is told at once, and who connects waits.

    Raises:
        UserError: when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
        made.listen(BACKLOG)  # two may bind before either listens, and uvloop says nothing when it cannot
    except OSError as error:
        made.close()
        raise UserError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}; see --host and --port"
        ) from None
    return made


def protocol() -> type[asyncio.Protocol] | Literal["auto"]:
    """How HTTP is read; without httptools as uvicorn does, whose other way has such limits already."""
    try:
        from mt_service.protocol import Protocol
    except ImportError:
        return "auto"
    return Protocol


def run(arguments: argparse.Namespace) -> int:
    """Load the bundles, so that a bad one is told in a sentence, then serve until told to stop.

    Raises:
        UserError: for bad settings or bundles, or an address that cannot be had.
    """
    flags = {name: getattr(arguments, name) for name in ("host", "port", "bundles", "glossaries", "threads", "device")}
    settings = load_settings(os.environ, **flags)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.setswitchinterval(SWITCH)
    with listen(settings) as listening:
        registry = Registry(settings)
        registry.load()
        served = ", ".join(sorted(registry.directions()))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        log.info("serving %s on http://%s:%d", served, host, listening.getsockname()[1])
        app = create_app(settings, registry)
        seconds = math.ceil(settings.drain_seconds) + LAST_ANSWERS
        proxies = os.environ.get("FORWARDED_ALLOW_IPS", LOCAL)
        config = uvicorn.Config(
            app,
            http=protocol(),
            access_log=False,
            server_header=False,
            log_config=None,
            timeout_graceful_shutdown=seconds,
            forwarded_allow_ips=proxies,
        )
        server = Server(app, config)
        signal.signal(signal.SIGTERM, server.handle_exit)  # uvicorn raises it again at its end, when all is done
        signal.signal(signal.SIGHUP, server.handle_hangup)
        server.run([listening])
    return 0 if server.started else 1
