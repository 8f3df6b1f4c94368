"""What operators see of a server: failures, readiness, and bundles that are read anew."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from serving import Served, ask, serve, until

from models.bundle import SUMS
from mt_service import routes
from mt_service.app import create_app
from mt_service.detection import Guess
from mt_service.metrics import labelled
from mt_service.problems import RefusedError
from mt_service.registry import Registry
from mt_service.routes.sources import Told
from mt_service.schemas import TranslateRequest
from mt_service.settings import Settings
from mt_service.translator import Translator


@pytest.fixture(scope="module")
def server(golden: Path) -> Iterator[Served]:
    with serve(golden) as served:
        yield served


class Broken(Registry):
    """Fails where nothing is expected to fail."""

    def directions(self) -> dict[str, Translator]:
        raise RuntimeError("a secret of the inside")


def test_a_failure_that_nobody_thought_of_is_answered_like_any_other_and_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = Settings()
    transport = httpx.ASGITransport(create_app(settings, Broken(settings)))

    async def look() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/v1/languages", headers={"X-Request-ID": "mine-7"})

    answer = asyncio.run(look())
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text
    assert answer.headers["X-Request-ID"] == "mine-7"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "request mine-7 failed" in caplog.text
    assert "a secret of the inside" in caplog.text


def test_a_server_whose_engine_cannot_be_made_anew_is_not_ready(translator: Translator) -> None:
    settings = Settings()
    registry = Registry(settings, translators=[translator])
    app = create_app(settings, registry)
    app.state.ready = True

    async def look() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/health/ready")

    assert asyncio.run(look()).status_code == 200
    translator.worker.broken = True
    answer = asyncio.run(look())
    assert answer.status_code == 503
    assert "the engine of toy failed and could not be made anew" in answer.json()["error"]["message"]


def test_no_two_bundles_have_one_label_in_metrics() -> None:
    names = ("toy", "toy", "toy-2", "other", "toy")
    translators = [cast(Translator, SimpleNamespace(info=SimpleNamespace(name=name))) for name in names]
    assert [label for label, _ in labelled(translators)] == ["toy", "toy-2", "toy-2-2", "other", "toy-3"]


def test_nothing_is_counted_of_a_request_that_fails_half_way(
    translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    app = create_app(settings, registry := Registry(settings, translators=[translator]))
    guesses = [Told(Guess("aa", 1.0)), Told(Guess("zz", 1.0))]
    original = routes.translate.work

    async def work(wish: TranslateRequest, *rest: Any) -> routes.translate.Work:
        if wish.source == "zz":
            raise RefusedError(422, "invalid", "nothing comes of it")
        return await original(wish, *rest)

    async def sources(*_: object) -> list[Told]:
        return guesses

    async def look() -> tuple[int, str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.post("/v1/translate", json={"text": ["ba dei", "ka"], "target": "bb"})
            return answer.status_code, (await client.get("/metrics")).text

    monkeypatch.setattr(routes.translate, "sources_of", sources)
    monkeypatch.setattr(routes.translate, "work", work)
    monkeypatch.setattr(registry, "directions", lambda: {"aa-bb": translator, "zz-bb": translator})
    status, counted = asyncio.run(look())
    assert status == 422
    assert "mt_sentences_total 0.0" in counted
    guesses[1] = guesses[0]
    status, counted = asyncio.run(look())
    assert status == 200
    assert "mt_sentences_total 2.0" in counted


def test_a_bad_bundle_is_not_loaded_and_the_old_one_stays(golden: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(golden, tmp_path / "bundle"))
    with serve(folder) as server:
        assert httpx.post(server.url + "/v1/reload").json() == {"directions": ["aa-bb"]}
        (folder / "tokenizer.model").unlink()
        answer = httpx.post(server.url + "/v1/reload")
        assert answer.status_code == 409
        assert "tokenizer.model missing" in answer.json()["error"]["message"]
        assert ask(server, "ba dei").json()["translations"] == [{"text": "dei ba"}]


def test_a_page_in_a_browser_may_not_reload(server: Served) -> None:
    answer = httpx.post(server.url + "/v1/reload", headers={"Origin": "https://elsewhere.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no socket for both kinds of addresses on this machine")
def test_this_machine_may_reload_by_either_kind_of_address(golden: Path) -> None:
    with serve(golden, host="::") as server:
        port = server.url.rsplit(":", 1)[1]
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.post(f"http://{host}:{port}/v1/reload").status_code == 200


def test_reloading_may_need_a_token(golden: Path) -> None:
    with serve(golden, admin_token="secret") as server:
        told = httpx.post(server.url + "/v1/reload")
        message = "send the header Authorization: Bearer, with what MT_ADMIN_TOKEN is"
        assert (told.status_code, told.json()["error"]["message"]) == (403, message)
        for value, status in (("Bearer secret", 200), ("bearer secret", 200), ("secret", 403), ("Basic secret", 403)):
            assert httpx.post(server.url + "/v1/reload", headers={"Authorization": value}).status_code == status


def test_a_daemon_reads_its_bundles_anew_when_it_is_hung_up(golden: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(golden, tmp_path / "bundle"))
    with serve(folder) as server:
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded; serving aa-bb" in "".join(server.log))
        (folder / SUMS).unlink()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "ERROR mt_service the old bundles stay: " in "".join(server.log))
        assert ask(server, "ba dei").json()["translations"] == [{"text": "dei ba"}]
