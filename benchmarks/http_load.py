"""Throughput and latency of a running server under many clients that send single sentences.

usage: python benchmarks/http_load.py URL FILE SOURCE TARGET [--clients 64] [--requests 2000] [--beam 5]
                                       [--bundle BUNDLE] [--threads 1] [--turns 1] [--rounds 1]

Each client sends its next sentence as soon as it has an answer. First one client alone, for the latency of a lone
request; then all. With the bundle that is served, the engine alone translates the same sentences, with as many threads
as are named, ids in and ids out: so many in turns with the lone client (one by one, each finds the caches full of what
the other computes with), and all of them after many clients have asked, as many at once as there were clients. A
machine that changes its speed changes it for both. Prints JSON:
requests/s, tokens/s, percentiles of latency in milliseconds, what was refused, and the median over the rounds of two
ratios: the median latency of a lone request over that of the engine, and the requests/s of all clients over the
engine's sentences/s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop
from decode_speed import command, jobs_of, measure, timed

from models.bundle import read_bundle
from mt_service.engine.interface import Limits
from mt_service.engine.worker import Worker
from mt_service.registry import make_engine
from mt_service.settings import BILLION, Settings
from training.device import hardware
from training.manifest import git_state, versions

LONE, PERCENTILES = 200, (50, 90, 99, 100)


class Tally:
    """What came back."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []  # of each request that was answered with a translation
        self.statuses: Counter[int] = Counter()
        self.tokens = 0

    def report(self, seconds: float) -> dict[str, Any]:
        """Rates and percentiles of what was translated."""
        if not self.milliseconds:
            raise SystemExit(f"http_load: nothing was translated; statuses: {dict(self.statuses)}")
        rates = {
            "requests_per_second": round(len(self.milliseconds) / seconds, 1),
            "tokens_per_second": round(self.tokens / seconds),
        }
        return {**rates, "latency_ms": percentiles(self.milliseconds), "statuses": dict(self.statuses)}


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """What so many of a hundred did not exceed."""
    ranked = sorted(milliseconds)
    return {f"p{share}": round(ranked[min(len(ranked) - 1, len(ranked) * share // 100)], 2) for share in PERCENTILES}


class Connection:
    """One that is kept; few lines on a fast event loop, since clients share the processors with what they measure."""

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
            milliseconds = (time.perf_counter() - started) * 1000
            tally.statuses[status] += 1
            if status == 200:  # what is refused is quick, and no translation
                tally.milliseconds.append(milliseconds)
                tally.tokens += json.loads(answer)["usage"]["tokens"]


async def lone(url: str, texts: Iterator[str], body: dict[str, Any]) -> dict[str, Any]:
    """One client; what time its texts take to come does not count."""
    tally = Tally()
    await client(url, texts, body, tally)
    return {"clients": 1, **tally.report(sum(tally.milliseconds) / 1000)}


async def load(url: str, lines: list[str], body: dict[str, Any], clients: int, requests: int) -> dict[str, Any]:
    """Some clients at once."""
    tally, texts = Tally(), islice(cycle(lines), requests)
    started = time.perf_counter()
    await asyncio.gather(*(client(url, texts, body, tally) for _ in range(clients)))
    return {"clients": clients, **tally.report(time.perf_counter() - started)}


def alone(arguments: argparse.Namespace, lines: list[str], batch: int) -> float:
    """Sentences per second of the engine without a server."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "source"
        file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        setting = arguments.beam, batch, arguments.threads
        return measure(command(arguments, "native", setting, file)).sentences_per_second


def in_turns(arguments: argparse.Namespace, lines: list[str], milliseconds: list[float]) -> Iterator[str]:
    """Lines, so many at a time once the engine alone has translated them; the milliseconds of each are noted."""
    bundle = read_bundle(arguments.bundle)
    settings = Settings(device="cpu", engine="native", threads=arguments.threads)
    worker = Worker(lambda: make_engine(bundle, settings), Limits(arguments.beam, BILLION, BILLION))
    jobs = jobs_of(bundle, lines, arguments.target, arguments.beam)
    for start in range(0, len(lines), arguments.turns):
        some = slice(start, start + arguments.turns)
        milliseconds += [timed(worker, [job], together=True)[1] * 1000 for job in jobs[some]]
        yield from lines[some]
    worker.close()


def alone_client(arguments: argparse.Namespace, lines: list[str], body: dict[str, Any]) -> dict[str, Any]:
    """The latency of a lone request, beside the engine's if the bundle is named."""
    engine: list[float] = []
    texts = list(islice(cycle(lines), LONE))
    turns = in_turns(arguments, texts, engine) if arguments.bundle else iter(texts)
    found = uvloop.run(lone(arguments.url, turns, body))
    if arguments.bundle:
        took = percentiles(engine)
        found |= {"engine_latency_ms": took, "ratio": round(found["latency_ms"]["p50"] / took["p50"], 3)}
    return found


def many_clients(arguments: argparse.Namespace, lines: list[str], body: dict[str, Any]) -> dict[str, Any]:
    """The throughput of all clients, beside the engine's if the bundle is named."""
    found = uvloop.run(load(arguments.url, lines, body, arguments.clients, arguments.requests))
    if arguments.bundle:
        rate = alone(arguments, list(islice(cycle(lines), arguments.requests)), arguments.clients)
        found |= {"engine_alone": rate, "ratio": round(found["requests_per_second"] / rate, 3)}
    return found


def one_round(arguments: argparse.Namespace, lines: list[str]) -> list[dict[str, Any]]:
    """One client, then many; each beside the engine alone if its bundle is named."""
    body = {"source": arguments.source, "target": arguments.target, "beam": arguments.beam}
    return [measured(arguments, lines, body) for measured in (alone_client, many_clients)]


def summary(rounds: list[list[dict[str, Any]]]) -> dict[str, float]:
    """Medians of what was measured beside the engine alone."""
    lone, many = (statistics.median(found["ratio"] for found in column) for column in zip(*rounds, strict=True))
    return {"lone_latency_over_engine": round(lone, 2), "throughput_over_engine": round(many, 2)}


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
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.turns < 1:
        parser.error("--turns must be at least 1")
    lines = arguments.file.read_text(encoding="utf-8").splitlines()
    rounds = [one_round(arguments, lines) for _ in range(arguments.rounds)]
    facts = {"beam": arguments.beam, "turns": arguments.turns, "file": arguments.file.name, "rounds": rounds}
    if arguments.bundle:
        facts |= {"bundle": arguments.bundle.name, "threads": arguments.threads, "ratios": summary(rounds)}
    print(json.dumps({**facts, "hardware": hardware(), "versions": versions(), "git": git_state()}, indent=2))


if __name__ == "__main__":
    main()
