"""What is written to a connection, piece by piece."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from mt_service.sending import Together

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"{}"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([HEAD, BODY], [HEAD + BODY]),
        ([HEAD, BODY, BODY], [HEAD + BODY, BODY]),
        ([HEAD, b""], [HEAD]),
        ([HEAD], []),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", HEAD, BODY], [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + BODY]),
        ([HEAD, BODY, HEAD, BODY], [HEAD + BODY, HEAD + BODY]),
    ],
)
def test_a_head_waits_for_its_body_and_nothing_else_waits(written: list[bytes], sent: list[bytes]) -> None:
    transport = Mock()
    together = Together(transport)
    for data in written:
        together.write(data)
    assert [call.args[0] for call in transport.write.call_args_list] == sent


@pytest.mark.parametrize("end", ["flush", "close"])
def test_a_head_without_a_body_is_sent_in_the_end(end: str) -> None:
    transport = Mock()
    together = Together(transport)
    together.write(HEAD)
    getattr(together, end)()
    transport.write.assert_called_once_with(HEAD)
    assert transport.close.called == (end == "close")


def test_nothing_is_sent_where_nothing_was_held() -> None:
    transport = Mock()
    Together(transport).flush()
    transport.write.assert_not_called()


def test_all_else_is_the_transports() -> None:
    transport = Mock()
    Together(transport).pause_reading()
    transport.pause_reading.assert_called_once_with()
