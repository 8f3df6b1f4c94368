"""A real server in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx


class Served(NamedTuple):
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    log: list[str]
    seconds: float  # from the start to ready


@contextmanager
def serve(*bundles: Path, **settings: object) -> Iterator[Served]:
    """`mt serve` on a free port with these bundles (none: those that ship), with settings as variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MT_")}
    environment |= {f"MT_{name.upper()}": str(value) for name, value in settings.items()}
    words = [word for bundle in bundles for word in ("--bundle", str(bundle))]
    command = [sys.executable, "-m", "mt_service", "serve", "--port", "0", "--threads", "1", *words]
    started = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, encoding="utf-8")
    log: list[str] = []
    assert process.stderr
    reader = threading.Thread(target=lambda: log.extend(iter(process.stderr.readline, "")))
    reader.start()
    try:
        url = wait_ready(process, log)
        yield Served(url, process, log, time.monotonic() - started)
    finally:
        process.terminate()
        process.wait(30)
        reader.join()
        process.stderr.close()


def wait_ready(process: subprocess.Popen[str], log: list[str]) -> str:
    """The address, as soon as the server says that it is ready."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"serving .* on (http://\S+)", "".join(log))
        if found:
            try:
                if httpx.get(found.group(1) + "/health/ready", timeout=5).status_code == 200:
                    return found.group(1)
            except httpx.TransportError:
                pass
        time.sleep(0.02)
    raise AssertionError("the server never got ready: " + "".join(log))


def until(happened: object, seconds: float = 10) -> None:
    """Wait until a function gives true."""
    assert callable(happened)
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def metric(url: str, name: str) -> float:
    """A number of /metrics, summed over its labels."""
    text = httpx.get(url + "/metrics").text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(name + r"[ {]", line))


def ask(server: Served, text: Any, **more: Any) -> httpx.Response:
    """A translation from aa to bb, asked for over HTTP."""
    body = {"text": text, "source": "aa", "target": "bb", **more}
    return httpx.post(server.url + "/v1/translate", json=body, timeout=60)
