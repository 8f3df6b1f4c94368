"""Answers leave whole: uvicorn writes an answer's head and its body apart, which wakes whoever waits for it twice."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

STATUS, CONTINUE = b"HTTP/1.1 ", b"HTTP/1.1 100 "


class Together:
    """A transport that holds an answer's head back until the first of its body comes, and so for microseconds."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport, self.held = transport, b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Hold a head back, send all else."""
        if data.startswith(STATUS) and not data.startswith(CONTINUE):
            self.held += data
        else:
            self.transport.write(self.held + data)
            self.held = b""

    def flush(self) -> None:
        """Send what is held back: the head of an answer without a body."""
        if self.held:
            self.write(b"")

    def close(self) -> None:
        """Send what is held back and close."""
        self.flush()
        self.transport.close()


class WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self.together = Together(transport)
        super().connection_made(cast("asyncio.Transport", self.together))

    def on_response_complete(self) -> None:
        """Go on to what the client asks for next."""
        self.together.flush()
        super().on_response_complete()
