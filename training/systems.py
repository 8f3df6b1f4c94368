"""Where translations come from: a file, a bundle or a running server."""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tqdm import tqdm

from data.config import check
from data.corpus import all_lines
from data.errors import UserError
from models.bundle import Bundle, read_bundle, shipped_bundles

CHUNK = 32  # texts of a request to a server
TRIES = 20  # for a request that a server is too busy for


class Request(NamedTuple):
    """What to translate."""

    sources: list[str]
    source: str
    target: str
    beam: int | None
    length_penalty: float | None
    device: str


ByBundle: TypeAlias = Callable[[Request, Path | None], list[str]]  # with a bundle, or the one that ships


def translations(
    request: Request | None, file: Path | None, server: str | None, bundle: Path | None, by_bundle: ByBundle
) -> list[str]:
    """Translations, one a line."""
    if file is not None:
        return all_lines(file)
    assert request is not None
    return by_server(request, server) if server else by_bundle(request, bundle)


def find_bundle(folder: Path | None, direction: str) -> Bundle:
    """The bundle in a folder, or the one that ships and offers the direction.

    Raises:
        UserError: when there is none; it lists the directions there are.
    """
    candidates = [read_bundle(path) for path in ([folder] if folder else shipped_bundles())]
    fitting = [bundle for bundle in candidates if direction in bundle.info.directions]
    offered = ", ".join(sorted({one for bundle in candidates for one in bundle.info.directions})) or "none"
    who = f"{folder} does not translate" if folder else "no bundle that ships translates"
    check(bool(fitting), f"{who} {direction}; offered: {offered}")
    return fitting[0]


def by_server(request: Request, url: str) -> list[str]:
    """Translate through POST /v1/translate."""
    found: list[str] = []
    for start in tqdm(range(0, len(request.sources), CHUNK), unit_scale=CHUNK, unit="sentence", file=sys.stderr):
        body: dict[str, Any] = {"text": request.sources[start : start + CHUNK]}
        body |= {"source": request.source, "target": request.target}
        body |= {} if request.beam is None else {"beam": request.beam}
        body |= {} if request.length_penalty is None else {"length_penalty": request.length_penalty}
        answer = post(url.rstrip("/") + "/v1/translate", body)
        try:
            found.extend(" ".join(str(one["text"]).split("\n")) for one in answer["translations"])
        except (KeyError, TypeError):
            raise UserError(f"{url} is no translation server: it answered {str(answer)[:200]}") from None
    return found


def post(url: str, body: dict[str, Any]) -> Any:
    """Send JSON, and again as long as the server is busy.

    Raises:
        UserError: when it cannot be reached or refuses, with what it says.
    """
    check(url.startswith(("http://", "https://")), f"--server must be a URL like http://127.0.0.1:8000, not {url}")
    data = json.dumps(body).encode()
    for _ in range(TRIES):
        message = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(message, timeout=300) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            if error.code not in (429, 503):
                raise UserError(f"{url} answered {error.code}: {said[:500]}") from None
            time.sleep(retry_after(error.headers.get("Retry-After")))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UserError(f"{url} cannot be reached or is no translation server: {error}") from None
    raise UserError(f"{url} stayed too busy for {TRIES} tries")


def retry_after(header: str | None) -> float:
    """Seconds to wait, as the server says; one when it does not."""
    try:
        return min(60.0, max(0.1, float(header or 1)))
    except ValueError:
        return 1.0
