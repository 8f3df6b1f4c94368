"""Who is let in: so many requests of a client at once, and as long as the client waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from mt_service.problems import RefusedError

PATIENCE = 0.05  # seconds before a client's leaving is looked out for: most answers are there by then


@contextmanager
def one_of_few(clients: Counter[str], client: str, limit: int) -> Iterator[None]:
    """Count a client's requests under way, and refuse one too many."""
    if clients[client] >= limit:
        message = f"{limit} requests of yours are under way, which is as many as may be; wait for an answer"
        raise RefusedError(429, "too_many_requests", message, limit=limit, retry_after=1.0)
    clients[client] += 1
    try:
        yield
    finally:
        clients[client] -= 1
        if not clients[client]:
            del clients[client]


@contextmanager
def while_there(request: Request) -> Iterator[None]:
    """Cancel what the task does inside when the client leaves.

    Raises:
        RefusedError: then.
    """
    loop, task, left = asyncio.get_running_loop(), asyncio.current_task(), False
    watches: list[asyncio.Task[None]] = []

    async def watch() -> None:
        nonlocal left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left = True
        if task is not None:
            task.cancel()

    timer = loop.call_later(PATIENCE, lambda: watches.append(loop.create_task(watch())))
    try:
        yield
    except asyncio.CancelledError:
        if not left or task is None:
            raise
        task.uncancel()
        raise RefusedError(499, "client_left", "the client left") from None
    finally:
        timer.cancel()
        for one in watches:
            one.cancel()


@contextmanager
def admitted(request: Request) -> Iterator[str]:
    """Let a client's request in, within its limit and as long as the client is there; gives the client's name.

    Raises:
        RefusedError: when the client has too many under way, or leaves.
    """
    state, client = request.app.state, request.client.host if request.client else "unknown"
    with one_of_few(state.clients, client, state.settings.client_requests), while_there(request):
        yield client
