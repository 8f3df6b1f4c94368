"""HTTP against a real server."""

from __future__ import annotations

import gzip
import json
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Served, ask, metric, serve, until
from toy import WORDS

from mt_service.schemas import TranslateAnswer

LONG = {"text": [" ".join(["ba"] * 50)] * 128, "source": "aa", "target": "bb", "beam": 16}  # takes many seconds


@pytest.fixture(scope="module")
def server(golden: Path) -> Iterator[Served]:
    with serve(golden) as served:
        yield served


def background(server: Served, body: Any) -> tuple[threading.Thread, list[httpx.Response]]:
    """A request that another thread waits for."""
    answers: list[httpx.Response] = []
    thread = threading.Thread(
        target=lambda: answers.append(httpx.post(server.url + "/v1/translate", json=body, timeout=60))
    )
    thread.start()
    return thread, answers


def send(server: Served, body: Any) -> socket.socket:
    """A request whose client may leave."""
    host, port = server.url.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    head = f"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.encode() + b"\r\n\r\n" + data)
    return connection


def test_one_text_gives_one_translation(server: Served) -> None:
    answer = ask(server, "ba dei lo")
    assert answer.status_code == 200
    tree = answer.json()
    assert tree["translations"] == [{"text": "lo dei ba"}]
    assert (tree["model"], tree["source"], tree["target"]) == ("toy", "aa", "bb")
    assert tree["usage"].pop("seconds") > 0
    assert tree["usage"] == {"characters": 9, "sentences": 1, "tokens": 5}


def test_a_list_gives_a_list_in_the_same_order(server: Served) -> None:
    answer = ask(server, ["ba dei", "", "ka lo mo"])
    assert [one["text"] for one in answer.json()["translations"]] == ["dei ba", "", "mo lo ka"]


def test_scores_n_best_and_alignments_come_when_asked_for(server: Served) -> None:
    (found,) = ask(server, "ba dei lo", n_best=3, beam=4, scores=True, alignments=True).json()["translations"]
    assert found["score"] <= 0
    assert found["alternatives"][0]["text"] == "lo dei ba"
    assert len(found["alternatives"]) == 3
    assert found["alignment"]["source_words"][1] == {"start": 3, "end": 6}
    assert all(0 < one["weight"] <= 1 for one in found["alignment"]["links"])


@pytest.mark.parametrize(
    "more",
    [{}, {"scores": True}, {"n_best": 2, "beam": 2}, {"n_best": 2, "beam": 2, "scores": True, "alignments": True}],
)
def test_answers_are_what_their_description_says_and_nothing_else(server: Served, more: dict[str, Any]) -> None:
    found = ask(server, ["ba dei. lo", "", "ba " * 2000], **more).json()
    assert found["translations"][2]["warnings"]
    assert TranslateAnswer.model_validate(found).model_dump(exclude_none=True) == found


def test_translations_are_found_where_a_proxy_puts_something_before_their_path(golden: Path) -> None:
    with serve(golden, root_path="/mt") as served:
        for path in ("/v1/translate", "/mt/v1/translate"):
            answer = httpx.post(served.url + path, json={"text": "ba dei", "source": "aa", "target": "bb"})
            assert answer.json()["translations"] == [{"text": "dei ba"}]
            assert httpx.post(served.url + path, json={"text": 7}).status_code == 422
        counted = 'mt_http_requests_total{method="POST",route="/v1/translate",status="200"} 2.0'
        assert counted in httpx.get(served.url + "/metrics").text
        assert metric(served.url, "mt_characters_total") == 2 * len("ba dei")


@pytest.mark.parametrize(
    ("change", "status", "field", "message"),
    [
        ({"text": None}, 422, "text", "field 'text' is missing"),
        ({"text": 7}, 422, "text", "field 'text': input should be a valid string, or input should be a valid array"),
        ({"text": ["ba", 7]}, 422, "text[1]", "field 'text[1]'"),
        ({"source": ""}, 422, "source", "field 'source'"),
        ({"beam": 0}, 422, "beam", "field 'beam': input should be greater than or equal to 1"),
        ({"beam": 99}, 422, "beam", "field 'beam': 99 asked for, but at most 16 are allowed"),
        ({"n_best": 9, "beam": 2}, 422, "n_best", "field 'n_best': 9 asked for, but a beam of 2"),
        ({"length_penalty": 9}, 422, "length_penalty", "field 'length_penalty'"),
        ({"text": ["ba"] * 129}, 422, "text", "field 'text': 129 texts asked for, but at most 128"),
        ({"text": "x" * 20_001}, 422, "text", "20001 characters in all asked for, but at most 20000"),
        ({"glossary": []}, 422, "glossary", "field 'glossary': input should be an object"),
        ({"glossary": {"ba": 1}}, 422, "glossary.ba", "field 'glossary.ba': input should be a valid string"),
        ({"glossary": {"ba": ""}}, 422, "glossary", "field 'glossary': the term 'ba' = '' has an empty side"),
        ({"glossary": {"ba": "lo"}}, 422, "glossary", "toy cannot follow a glossary: it was trained without"),
        ({"glossary": {str(i): "lo" for i in range(1001)}}, 422, "glossary", "1001 terms asked for, but at most 1000"),
        ({"glossary": {"ba": "x" * 20_000}}, 422, "glossary", "20002 characters in all asked for, but at most 20000"),
        ({"str": 1}, 422, "str", "unknown field 'str'"),
        ({"temperature": 1}, 422, "temperature", "unknown field 'temperature'; valid ones are: text, source"),
        ({"target": "zz"}, 422, "target", "no model translates aa to zz; there are: aa-bb"),
        ({"source": "xx"}, 422, "source", "no model translates xx to bb; there are: aa-bb"),
    ],
)
def test_a_wrong_field_is_named_with_its_limit(
    server: Served, change: dict[str, Any], status: int, field: str, message: str
) -> None:
    answer = httpx.post(server.url + "/v1/translate", json={"text": "ba", "source": "aa", "target": "bb", **change})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["field"] == field
    assert message in error["message"]


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/detect"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"ba"', b"\xff\xfe", b'{"txt": "ba"}', b"1" * 5000, b"[" * 50_000])
def test_a_body_that_makes_no_sense_is_the_clients_fault(server: Served, path: str, body: bytes) -> None:
    answer = httpx.post(server.url + path, content=body, headers={"Content-Type": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) in ((400, "bad_json"), (422, "invalid"))
    assert error["message"]


@pytest.mark.parametrize("body", [b"[]", b'"ba"', b"null"])
def test_a_body_that_is_no_object_is_told_what_it_should_hold(server: Served, body: bytes) -> None:
    for path, fields in (("/v1/translate", "text and target"), ("/v1/detect", "text")):
        answer = httpx.post(server.url + path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["error"]["message"] == f"the body must be a JSON object with {fields}"


def test_what_is_null_is_as_if_it_were_not_there(server: Served) -> None:
    wish = {"text": "ba dei", "source": None, "target": "bb"}
    others = ("format", "beam", "n_best", "length_penalty", "glossary", "rerank", "alignments", "scores")
    plain = httpx.post(server.url + "/v1/translate", json={"text": "ba dei", "target": "bb"}, timeout=60)
    answer = httpx.post(server.url + "/v1/translate", json=wish | dict.fromkeys(others), timeout=60)
    assert answer.status_code == plain.status_code == 200
    assert answer.json()["translations"] == plain.json()["translations"]
    unknown = httpx.post(server.url + "/v1/translate", json={**wish, "wrong": None}).json()["error"]
    assert unknown["message"].startswith("unknown field 'wrong'")
    lacking = httpx.post(server.url + "/v1/detect", json={"text": None}).json()["error"]
    assert lacking["message"] == "field 'text' is missing"
    unknown = httpx.post(server.url + "/v1/detect", json={"text": "ba", "wrong": 1}).json()["error"]
    assert unknown["message"] == "unknown field 'wrong'; valid ones are: text"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_declared_as_json_is_refused_with_the_mend(server: Served, kind: str) -> None:
    body = b'{"text": "ba", "source": "aa", "target": "bb"}'
    for path in ("/v1/translate", "/v1/detect"):
        answer = httpx.post(server.url + path, content=body, headers={"Content-Type": kind} if kind else {})
        assert answer.status_code == 415
        assert "Content-Type: application/json" in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"])
def test_json_may_be_declared_with_details(server: Served, kind: str) -> None:
    body = b'{"text": "ba dei", "source": "aa", "target": "bb"}'
    answer = httpx.post(server.url + "/v1/translate", content=body, headers={"Content-Type": kind})
    assert answer.json()["translations"] == [{"text": "dei ba"}]


def test_a_mark_of_byte_order_before_json_is_passed_over_and_other_codings_are_named(server: Served) -> None:
    body = b'{"text": "ba dei", "source": "aa", "target": "bb"}'
    json_kind = {"Content-Type": "application/json"}
    answer = httpx.post(server.url + "/v1/translate", content=b"\xef\xbb\xbf" + body, headers=json_kind)
    assert answer.json()["translations"] == [{"text": "dei ba"}]
    packed = httpx.post(
        server.url + "/v1/translate", content=gzip.compress(body), headers={**json_kind, "Content-Encoding": "gzip"}
    )
    assert packed.status_code == 415
    assert packed.json()["error"]["message"] == "the body is encoded (gzip): send it as it is"


def test_languages_may_be_named_with_regions_or_in_capitals(server: Served) -> None:
    body = {"text": "ba dei", "source": "AA", "target": "bb-CH"}
    answer = httpx.post(server.url + "/v1/translate", json=body).json()
    assert (answer["source"], answer["target"], answer["translations"]) == ("AA", "bb-CH", [{"text": "dei ba"}])


def test_a_body_over_the_limit_is_refused_unread(server: Served) -> None:
    assert httpx.post(server.url + "/v1/translate", content=b"x" * 600_000).status_code == 413


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/detect"])
def test_a_body_of_unknown_length_is_refused_when_it_grows_over_the_limit(server: Served, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(server.url + path, content=iter([b"x" * 100_000] * 6), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["limit"] > 0


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/detect"])
def test_a_client_that_leaves_within_its_body_is_no_failure_of_the_server(server: Served, path: str) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
        connection.sendall(head.encode())
    until(lambda: any(f'"route": "{path}", "status": 499' in line for line in server.log))
    assert not any("Traceback" in line for line in server.log)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/translate", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/web/../app.py", 404),
        ("GET", "/web/x.js", 404),
    ],
)
def test_unknown_paths_and_methods_have_the_same_envelope(server: Served, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, server.url + path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)


def test_what_may_be_asked_for_may_also_be_escaped(server: Served) -> None:
    body = json.dumps({"text": "😀" * 20_000, "source": "aa", "target": "bb"})
    assert len(body) > 12 * 20_000
    answer = httpx.post(server.url + "/v1/translate", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["usage"]["characters"]) == (200, 20_000)


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready"])
def test_who_only_looks_whether_it_answers_may_ask_for_the_head(server: Served, path: str) -> None:
    answer = httpx.head(server.url + path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_languages_tell_directions_and_limits(server: Served) -> None:
    tree = httpx.get(server.url + "/v1/languages").json()
    (direction,) = tree["directions"]
    assert (direction["source"], direction["target"], direction["model"]) == ("aa", "bb", "toy")
    assert tree["limits"] == {"texts": 128, "characters": 20_000, "terms": 1000, "beam": 16, "n_best": 10}


def test_health_metrics_and_description_are_there(server: Served) -> None:
    assert httpx.get(server.url + "/health/live").json() == {"status": "live"}
    assert httpx.get(server.url + "/health/ready").json() == {"status": "ready"}
    before = metric(server.url, "mt_tokens_total")
    ask(server, "ba dei")
    assert metric(server.url, "mt_tokens_total") == before + 4
    schema = httpx.get(server.url + "/openapi.json").json()
    described = schema["components"]["schemas"]["TranslateRequest"]
    assert described["examples"]
    assert limits_told(described["properties"]) == httpx.get(server.url + "/v1/languages").json()["limits"]
    told = {path: set(next(iter(routes.values()))["responses"]) for path, routes in schema["paths"].items()}
    assert told["/v1/translate"] == {"200", *map(str, (400, 408, 413, 415, 422, 429, 431, 500, 503, 504))}
    assert (told["/v1/reload"], told["/health/ready"]) == ({"200", "403", "409"}, {"200", "503"})


def limits_told(fields: dict[str, Any]) -> dict[str, int]:
    """What the description of a request says of its limits."""
    text, texts = fields["text"]["anyOf"]
    return {
        "texts": texts["maxItems"],
        "characters": text["maxLength"],
        "terms": fields["glossary"]["anyOf"][0]["maxProperties"],
        "beam": fields["beam"]["anyOf"][0]["maximum"],
        "n_best": fields["n_best"]["maximum"],
    }


def test_the_page_and_answers_forbid_outside_resources(server: Served) -> None:
    for path in ("/", "/web/app.js", "/web/words.js", "/web/style.css", "/v1/languages"):
        answer = httpx.get(server.url + path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert path.startswith("/v1") or httpx.head(server.url + path).status_code == 200


def test_a_requests_identifier_comes_back_and_text_is_never_logged(server: Served) -> None:
    body = {"text": "geheim", "source": "aa", "target": "bb"}
    answer = httpx.post(server.url + "/v1/translate", json=body, headers={"X-Request-ID": "abc-1"})
    assert answer.headers["X-Request-ID"] == "abc-1"
    until(lambda: any('"id": "abc-1"' in line for line in server.log))
    assert not any("geheim" in line for line in server.log)


def test_many_clients_get_what_each_would_get_alone(server: Served) -> None:
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(60)]
    alone = [ask(server, text).json()["translations"] for text in texts]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda text: ask(server, text).json()["translations"], texts))
    assert together == alone


def test_answers_do_not_wait_for_acknowledgements(server: Served) -> None:
    """With Nagle's algorithm on, every answer takes the 40 ms that a client's system delays an acknowledgement."""
    body = {"text": "ba dei", "source": "aa", "target": "bb", "beam": 1}
    with httpx.Client(base_url=server.url) as web:
        seconds = []
        for _ in range(15):
            started = time.perf_counter()
            assert web.post("/v1/translate", json=body).status_code == 200
            seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.035


def test_when_the_client_leaves_the_engine_stops(server: Served) -> None:
    before = metric(server.url, "mt_tokens_total")
    with send(server, LONG):
        until(lambda: metric(server.url, "mt_running_rows") > 0)
    until(lambda: metric(server.url, "mt_running_rows") == 0 and metric(server.url, "mt_queue_sentences") == 0, 3)
    assert metric(server.url, "mt_tokens_total") == before
    assert ask(server, "ba dei").status_code == 200


def test_one_request_too_many_of_a_client_is_429(golden: Path) -> None:
    with serve(golden, client_requests=1) as server, send(server, LONG):
        until(lambda: metric(server.url, "mt_running_rows") > 0)
        answer = ask(server, "ba")
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["error"]["limit"] == 1


def test_a_full_queue_is_503(golden: Path) -> None:
    with serve(golden, max_queue=10) as server, send(server, LONG):
        until(lambda: metric(server.url, "mt_running_rows") > 0)
        answer = ask(server, "ba")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1


def test_a_request_that_takes_too_long_is_504(golden: Path) -> None:
    with serve(golden, deadline_seconds=0.2) as server:
        assert httpx.post(server.url + "/v1/translate", json=LONG, timeout=30).status_code == 504
        assert ask(server, "ba dei").status_code == 200


def test_when_told_to_stop_the_server_finishes_what_it_is_at(golden: Path) -> None:
    with serve(golden) as server:
        thread, answers = background(server, LONG)
        until(lambda: metric(server.url, "mt_running_rows") > 0)
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        assert [answer.status_code for answer in answers] == [200]
        assert server.process.wait(20) in (0, -signal.SIGTERM)


def test_what_cannot_be_finished_in_time_is_told_so(golden: Path) -> None:
    endless = {**LONG, "text": LONG["text"] * 20}  # type: ignore[operator]
    with serve(golden, drain_seconds=0.3, max_texts=10_000, max_characters=10**7) as server:
        thread, answers = background(server, endless)
        until(lambda: metric(server.url, "mt_running_rows") > 0)
        server.process.send_signal(signal.SIGTERM)
        thread.join(20)
        assert [answer.status_code for answer in answers] == [503]


def test_a_list_is_no_longer_than_the_widest_beam(golden: Path) -> None:
    with serve(golden, max_beam=2) as server:
        assert len(ask(server, "ba dei lo", n_best=2).json()["translations"][0]["alternatives"]) == 2
        answer = ask(server, "ba dei lo", n_best=3)
        assert answer.json()["error"]["message"] == "field 'n_best': 3 asked for, but at most 2 are allowed"
        told = httpx.get(server.url + "/v1/languages").json()
        assert (told["limits"]["n_best"], told["directions"][0]["beam"]) == (2, 2)
