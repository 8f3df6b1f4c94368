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

import httpx

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


async def client(web: httpx.AsyncClient, texts: Iterator[str], body: dict[str, Any], tally: Tally) -> None:
    """Ask until there is nothing left to ask."""
    for text in texts:
        started = time.perf_counter()
        answer = await web.post("/v1/translate", json={**body, "text": text})
        tally.milliseconds.append((time.perf_counter() - started) * 1000)
        tally.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            tally.tokens += answer.json()["usage"]["tokens"]


async def load(url: str, lines: list[str], body: dict[str, Any], clients: int, requests: int) -> dict[str, Any]:
    """Some clients at once."""
    tally, texts = Tally(), islice(cycle(lines), requests)
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as web:
        started = time.perf_counter()
        await asyncio.gather(*(client(web, texts, body, tally) for _ in range(clients)))
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
