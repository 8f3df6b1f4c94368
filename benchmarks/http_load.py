"""Throughput and latency of a running server under many clients that send single sentences.

usage: python benchmarks/http_load.py URL FILE SOURCE TARGET [--clients 64] [--requests 2000] [--beam 5]

Each client sends its next sentence as soon as it has an answer. First one client alone, for the latency of a lone
request; then all. Prints JSON: requests/s, tokens/s, percentiles of latency in milliseconds, and what was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from training.device import hardware
from training.manifest import git_state, versions

LONE, PERCENTILES = 200, (50, 90, 99, 100)


class Tally:
    """What came back."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.tokens = 0

    def report(self, seconds: float) -> dict[str, Any]:
        """Rates and percentiles."""
        ranked = sorted(self.milliseconds)
        at = {f"p{share}": round(ranked[min(len(ranked) - 1, len(ranked) * share // 100)], 1) for share in PERCENTILES}
        rates = {
            "requests_per_second": round(len(ranked) / seconds, 1),
            "tokens_per_second": round(self.tokens / seconds),
        }
        return {**rates, "latency_ms": at, "statuses": dict(self.statuses)}


class Connection:
    """One that is kept; a client of few lines, since it shares the processors with what it measures."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url)

    async def __aenter__(self) -> Connection:
        host, port = self.address.hostname or "", self.address.port or 80
        self.reader, self.writer = await asyncio.open_connection(host, port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def post(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer."""
        data = json.dumps(body).encode()
        head = f"POST /v1/translate HTTP/1.1\r\nHost: {self.address.netloc}\r\nContent-Type: application/json\r\n"
        self.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(answer.split(b" ", 2)[1]), await self.reader.readexactly(length)


async def client(url: str, texts: Iterator[str], body: dict[str, Any], tally: Tally) -> None:
    """Ask until there is nothing left to ask."""
    async with Connection(url) as connection:
        for text in texts:
            started = time.perf_counter()
            status, answer = await connection.post({**body, "text": text})
            tally.milliseconds.append((time.perf_counter() - started) * 1000)
            tally.statuses[status] += 1
            if status == 200:
                tally.tokens += json.loads(answer)["usage"]["tokens"]


async def load(url: str, lines: list[str], body: dict[str, Any], clients: int, requests: int) -> dict[str, Any]:
    """Some clients at once."""
    tally, texts = Tally(), islice(cycle(lines), requests)
    started = time.perf_counter()
    await asyncio.gather(*(client(url, texts, body, tally) for _ in range(clients)))
    return {"clients": clients, **tally.report(time.perf_counter() - started)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--beam", type=int, default=5)
    arguments = parser.parse_args()
    lines = arguments.file.read_text(encoding="utf-8").splitlines()
    body = {"source": arguments.source, "target": arguments.target, "beam": arguments.beam}
    results = [
        asyncio.run(load(arguments.url, lines, body, clients, requests))
        for clients, requests in ((1, LONE), (arguments.clients, arguments.requests))
    ]
    facts = {"beam": arguments.beam, "file": arguments.file.name, "results": results}
    print(json.dumps({**facts, "hardware": hardware(), "versions": versions(), "git": git_state()}, indent=2))


if __name__ == "__main__":
    main()
