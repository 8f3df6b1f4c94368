"""Reading HTTP from a connection: limits of heads, and offers of other protocols."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from serving import serve
from uvicorn.server import ServerState

from mt_service.protocol import LIMIT, Protocol

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
BODY = b"\r\nUpgrade: of a body\r\n\r\n"


def post(path: bytes, body: bytes = BODY, more: bytes = OFFER) -> bytes:
    """A request."""
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path, more, len(body), body)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path, the names of headers, and the body; at /slow, never."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    said = [scope["path"].encode(), b",".join(name for name, _ in scope["headers"]), body]
    content = b"<" + b"|".join(said) + b">"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connected() -> tuple[Protocol, Wire]:
    """A connection to `echo`, in a running loop."""
    config, wire = uvicorn.Config(echo, log_config=None), Wire()
    config.load()
    protocol = Protocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    return protocol, wire


def talk_slowly(packets: list[bytes], stops: bool = False) -> Wire:
    """What comes of packets behind which nothing follows for a while, or until the server is about to stop."""

    async def talk() -> Wire:
        protocol, wire = connected()
        for packet in packets:
            protocol.data_received(packet)
            await asyncio.sleep(0.01)
        if stops:
            protocol.shutdown()
        else:
            await asyncio.sleep(0.1)
        closed = wire.closed
        protocol.connection_lost(None)  # which closes
        wire.closed = closed
        return wire

    return asyncio.run(talk())


def told(*packets: bytes, answers: int = 1) -> Wire:
    """What comes back when these packets are sent, until there are so many answers or the connection is closed."""

    async def talk() -> Wire:
        protocol, wire = connected()
        for packet in packets:
            if not wire.closed:
                protocol.data_received(packet)
        if wire.closed:
            protocol.connection_lost(None)
        for _ in range(100):
            await asyncio.sleep(0)
        assert wire.closed or wire.written.count(b"HTTP/1.1 200") == answers
        return wire

    return asyncio.run(talk())


def echoes(*packets: bytes, answers: int = 1) -> list[bytes]:
    return re.findall(rb"<(.*?)>", told(*packets, answers=answers).written, re.DOTALL)


PLAIN = b"/a|host,connection,content-length|" + BODY


def test_a_request_that_offers_another_protocol_is_answered_in_this_one() -> None:
    assert echoes(post(b"/a")) == [PLAIN]
    assert echoes(b"GET /b HTTP/1.1\r\n" + OFFER + b"\r\n") == [b"/b|connection|"]


def test_an_offer_may_be_cut_into_packets_anywhere() -> None:
    whole = post(b"/a")
    for place in range(1, len(whole)):
        assert echoes(whole[:place], whole[place:]) == [PLAIN]
    assert echoes(*(bytes([one]) for one in whole)) == [PLAIN]


def test_requests_behind_an_offer_are_answered_too() -> None:
    both = post(b"/a") + post(b"/b", b"x", more=b"") + post(b"/c", b"y")
    expected = [PLAIN, b"/b|host,content-length|x", b"/c|host,connection,content-length|y"]
    assert echoes(both, answers=3) == expected
    assert echoes(both[:-5], both[-5:], answers=3) == expected


def test_a_body_in_chunks_may_follow_an_offer() -> None:
    head = b"POST /a HTTP/1.1\r\n" + OFFER + b"Transfer-Encoding: chunked\r\n\r\n"
    assert echoes(head + b"3\r\nabc\r\n", b"0\r\n\r\n") == [b"/a|connection,transfer-encoding|abc"]


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 9000])
def test_a_head_that_does_not_end_is_cut_off(start: bytes) -> None:
    wire = told(start, *[b"a" * 9000] * 8)
    assert wire.closed
    assert wire.written.startswith(b"HTTP/1.1 431")
    assert len(wire.written) < 1000


def test_the_limit_of_heads_holds_however_they_come() -> None:
    for size, status in ((LIMIT - 100, b"200"), (LIMIT + 1, b"431")):
        whole = b"GET / HTTP/1.1\r\nX: " + b"a" * size + b"\r\n\r\n"
        for packets in ([whole], [whole[:9], whole[9:]], [whole[:-1], whole[-1:]]):
            assert told(*packets).written.startswith(b"HTTP/1.1 " + status)


def test_headers_behind_a_body_are_limited_as_well() -> None:
    start = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: "
    wire = told(start, *[b"a" * 9000] * 8)
    assert wire.closed
    assert re.findall(rb"HTTP/1.1 (\d+)", wire.written) == [b"431"]


HALF = b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"


@pytest.mark.parametrize(
    ("packets", "statuses"),
    [
        ([], []),
        ([HALF[:20]], [b"408"]),
        ([HALF], [b"408"]),
        ([post(b"/a"), HALF], [b"200", b"408"]),
    ],
)
def test_a_request_has_to_arrive_in_time(
    packets: list[bytes], statuses: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mt_service.protocol.ARRIVAL", 0.05)
    wire = talk_slowly(packets)
    assert wire.closed
    assert re.findall(rb"HTTP/1.1 (\d+)", wire.written) == statuses


def test_who_waits_for_an_answer_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mt_service.protocol.ARRIVAL", 0.05)
    wire = talk_slowly([post(b"/slow"), HALF[:20]])
    assert (wire.closed, wire.written) == (False, b"")


def test_what_has_not_arrived_when_the_server_stops_is_refused() -> None:
    wire = talk_slowly([HALF], stops=True)
    assert wire.closed
    assert b'"message":"the server is about to stop, and the request has not arrived"' in wire.written
    assert re.findall(rb"HTTP/1.1 (\d+)", wire.written) == [b"503"]
    waiting = talk_slowly([post(b"/slow")], stops=True)
    assert (waiting.closed, waiting.written) == (False, b"")


def test_a_long_body_is_no_long_head() -> None:
    body = b"b" * (3 * LIMIT)
    whole = post(b"/a", body, more=b"") + post(b"/b", b"", more=b"")
    for length in (4096, 2 * LIMIT, len(whole)):
        packets = [whole[start : start + length] for start in range(0, len(whole), length)]
        found = echoes(*packets, answers=2)
        assert found == [b"/a|host,content-length|" + body, b"/b|host,content-length|"]
    ones = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nb\r\n" * LIMIT + b"0\r\n\r\n"
    assert echoes(ones[:50], ones[50:]) == [b"/c|transfer-encoding|" + b"b" * LIMIT]


def test_what_is_no_http_is_a_bad_request() -> None:
    wire = told(b"hello\r\n\r\n")
    assert wire.closed
    assert wire.written.startswith(b"HTTP/1.1 400")


def test_the_server_reads_requests_so(golden: Path) -> None:
    with serve(golden) as server:
        offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
        body = {"text": "ba dei", "source": "aa", "target": "bb"}
        answer = httpx.post(server.url + "/v1/translate", json=body, headers=offer)
        assert answer.json()["translations"] == [{"text": "dei ba"}]
        answer = httpx.get(server.url, headers={"X": "a" * LIMIT})
        assert (answer.status_code, answer.json()["error"]["limit"]) == (431, LIMIT)
