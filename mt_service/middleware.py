"""Around every request: an identifier, a log line without any user text, counts, security headers, a size limit.

What fails in a way that nobody thought of is answered here too, so that such an answer has all of these.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mt_service.metrics import Metrics
from mt_service.problems import RefusedError, respond
from mt_service.schemas import Problem

log = logging.getLogger("mt_service.access")
IDENTIFIER = re.compile(r"[\w.-]{1,64}")
BYTES_PER_CHARACTER = 12  # of JSON at its longest: two \\u escapes, for an emoji
USAGE = "mt_service.usage"  # what translations cost, in the scope of their request
FAILURE = Problem(code="internal", message="something went wrong in the server; its log tells what")
SECURITY = [
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class Around:
    """ASGI middleware.

    Args:
        app: what it stands around.
        metrics: counts requests.
        max_body: bytes that a request's body may have.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body: int) -> None:
        self.app, self.metrics, self.max_body = app, metrics, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, seen, headers = time.perf_counter(), dict[str, int](), Headers(scope=scope)
        wished = headers.get("X-Request-ID", "")
        identifier = wished if IDENTIFIER.fullmatch(wished) else secrets.token_hex(16)

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                added = (*SECURITY, (b"x-request-id", identifier.encode()))
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            if self.too_large(headers):
                await respond(413, self.refusal().problem)(scope, receive, add_headers)
            else:
                await self.app(scope, self.limited(receive), add_headers)
        except Exception:
            if "status" in seen:  # an answer has begun: the server logs what happened and cuts the connection
                raise
            log.exception("request %s failed in a way that nobody thought of", identifier)
            await respond(500, FAILURE)(scope, receive, add_headers)
        finally:
            self.note(scope, seen.get("status", 500), time.perf_counter() - started, identifier)

    def too_large(self, headers: Headers) -> bool:
        """Whether a request says that its body is over the limit."""
        length = headers.get("Content-Length", "0")
        return length.isdecimal() and int(length) > self.max_body

    def refusal(self) -> RefusedError:
        """Of a body over the limit."""
        return RefusedError(413, "too_large", "the body is too large", limit=self.max_body)

    def limited(self, receive: Receive) -> Receive:
        """A receive that refuses a body of unknown length when it grows over the limit."""
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body:
                raise self.refusal()
            return message

        return count

    def note(self, scope: Scope, status: int, seconds: float, identifier: str) -> None:
        """Count and log; the route's pattern stands for the path, so that labels stay few."""
        route: Any = scope.get("route")
        path = str(getattr(route, "path", "none"))
        self.metrics.requests.labels(path, scope["method"], str(status)).inc()
        self.metrics.seconds.labels(path).observe(seconds)
        for usage in scope.get(USAGE, ()):
            self.metrics.tokens.inc(usage["tokens"])
            self.metrics.sentences.inc(usage["sentences"])
            self.metrics.doubtful.inc(usage["doubtful"])
            self.metrics.characters.inc(usage["characters"])
        if not log.isEnabledFor(logging.INFO):
            return
        client = scope["client"][0] if scope.get("client") else None
        record = {"id": identifier, "method": scope["method"], "route": path, "status": status}
        log.info(json.dumps({**record, "seconds": round(seconds, 4), "client": client}))
