"""How HTTP is read from a connection: as uvicorn does, but within limits, and offers of HTTP/2 are passed over.

A head has a size and a request a time that it may take to arrive, also when the server is about to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mt_service.schemas import Problem, ProblemAnswer

LIMIT = 65_536  # bytes of a request that are no body
SEPARATORS = 4  # bytes of a header beside its name and value
OFFERS = (b"upgrade", b"http2-settings")
ARRIVAL = 60.0  # seconds that a request may take to arrive, from the connection or its first byte
TOO_LARGE = Problem(code="too_large", message="the headers and address of the request are too long", limit=LIMIT)
TOO_SLOW = Problem(code="too_slow", message="the request did not arrive in time", limit=ARRIVAL)
STOPPING = Problem(code="overloaded", message="the server is about to stop, and the request has not arrived")


class Protocol(HttpToolsProtocol):
    """One connection.

    The parser stops at the end of a head that offers another protocol, even where a body follows, as Java's client
    sends it. Such a head is then parsed once more, without the offer.
    """

    size = 0  # bytes since a request ended or a piece of a body came
    arriving: asyncio.TimerHandle | None = None  # ends the wait for a request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self.await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.stop_awaiting()
        super().connection_lost(exc)

    def await_request(self) -> None:
        """Wait for all of a request, but not for ever."""
        self.stop_awaiting()
        self.arriving = self.loop.call_later(ARRIVAL, self.give_up, HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW)

    def stop_awaiting(self) -> None:
        """A request has arrived, or none will."""
        if self.arriving is not None:
            self.arriving.cancel()
            self.arriving = None

    def give_up(self, status: HTTPStatus, problem: Problem) -> None:
        """Cut a connection whose request has not arrived; not while it waits for the answer to an earlier one."""
        if self.headers is None:  # nothing at all has come
            self.transport.close()
        elif self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.refuse(status, problem)

    def shutdown(self) -> None:
        """The server is about to stop: what has not arrived by now is not waited for."""
        super().shutdown()
        if self.arriving is not None:
            self.give_up(HTTPStatus.SERVICE_UNAVAILABLE, STOPPING)

    def data_received(self, data: bytes) -> None:
        """What has come of one request or of several."""
        self._unset_keepalive_if_required()
        self.size += len(data)
        while data:
            data = self.parse(data)
        if self.size > LIMIT:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LARGE)

    def parse(self, data: bytes) -> bytes:
        """Parse some bytes; gives what is to be parsed next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            if self.is_offered():
                head = self.head()
                self.parser = httptools.HttpRequestParser(self)
                with contextlib.suppress(AttributeError):  # before httptools 0.6.3
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                return head + data[stopped.args[0] :]
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            if self.size <= LIMIT:
                self.send_400_response("Invalid HTTP request received.")
        return b""

    def is_offered(self) -> bool:
        """Whether the request offers another protocol, which is not spoken here."""
        offers = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        return offers and not self._should_upgrade()

    def head(self) -> bytes:
        """The head that was parsed, without offers."""
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        kept = [b"%b: %b" % (name, value) for name, value in self.headers if name not in OFFERS]
        return b"\r\n".join([line, *kept, b"", b""])

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.await_request()

    def on_headers_complete(self) -> None:
        """The end of a head: of one that was cut into no packets, the size is told only now."""
        fields = sum(len(name) + len(value) + SEPARATORS for name, value in self.headers)
        if len(self.url) + fields > LIMIT:
            self.size = LIMIT + 1
            raise ValueError(TOO_LARGE.message)  # stops the parser
        if not self.is_offered():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self.size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request, or of a head that is to be parsed once more."""
        self.size = 0
        if not self.is_offered():
            self.stop_awaiting()
            super().on_message_complete()

    def refuse(self, status: HTTPStatus, problem: Problem) -> None:
        """Cut the connection; the client is told why, unless it waits for another answer, or got a part of it."""
        if self.transport.is_closing():
            return
        self.logger.warning(problem.message)
        if (
            self.cycle is None
            or self.cycle.response_complete
            or (self.cycle.more_body and not self.cycle.response_started)
        ):
            body = ProblemAnswer(error=problem).model_dump_json(exclude_none=True).encode()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n".encode()
            self.transport.write(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
        self.transport.close()
