"""A client of Langfuse that is pointed here: its path, its keys, its scores."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel.platform import Platform
from mainspring.surfaces.app import build_app
from mainspring.workspace import first_start

TRACES = "/api/public/otel/v1/traces"
RECORDED = json.loads((Path(__file__).parent / "golden" / "langfuse.json").read_text())["requests"]
TRACE = RECORDED[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
IDS = ("traceId", "spanId", "parentSpanId")


@pytest.fixture
def server(bare_platform: Platform) -> Iterator[tuple[TestClient, str]]:
    bare_platform.engine_port = NoEngines()
    bare_platform.clock.advance(seconds=400 * 86_400)  # type: ignore[attr-defined]
    owner = first_start(bare_platform)
    assert owner is not None
    with TestClient(build_app(bare_platform, dict)) as http:
        yield http, owner.secret


def basic(secret: str, public: str = "pk-lf-any") -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{public}:{secret}".encode()).decode()}


def protobuf(request: dict[str, Any]) -> bytes:
    """Return a recorded request as the bytes that it was."""

    def bare(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: bare(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [bare(item) for item in value]
        return b64encode(bytes.fromhex(value)).decode() if key in IDS else value

    return ParseDict(bare(request), ExportTraceServiceRequest()).SerializeToString()


def test_spans_come_to_its_path_with_its_keys(server: tuple[TestClient, str]) -> None:
    http, secret = server
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip", **basic(secret)}
    for request in RECORDED:
        reply = http.post(TRACES, content=gzip.compress(protobuf(request)), headers=headers)
        assert (reply.status_code, reply.content) == (200, b"")
    trace = http.get(f"/api/v1/traces/{TRACE}", headers={"authorization": f"Bearer {secret}"}).json()
    root = trace["spans"][0]
    assert (root["name"], root["user_id"], root["session_id"]) == ("report", "user-1", "session-1")
    assert len(trace["spans"]) == sum(
        len(scope["spans"]) for one in RECORDED for group in one["resourceSpans"] for scope in group["scopeSpans"]
    )
    bearer = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    assert http.post(TRACES, content=b"{}", headers=bearer).status_code == 200


@pytest.mark.parametrize("said", ["", "!!!", "bm8gY29sb24=", "w7w6w7w=", b64encode(b"pk:ms_no_key").decode()])
def test_other_keys_are_refused(server: tuple[TestClient, str], said: str) -> None:
    http, _ = server
    headers = {"authorization": f"Basic {said}", "content-type": "application/json"}
    assert http.post(TRACES, content=b"{}", headers=headers).status_code == 401
    assert http.get("/api/public/projects", headers=headers).status_code == 401


def test_its_scheme_opens_nothing_else(server: tuple[TestClient, str]) -> None:
    http, secret = server
    for method, path in (("GET", "/api/v1/traces"), ("POST", "/v1/traces"), ("POST", "/v1/chat/completions")):
        assert http.request(method, path, headers=basic(secret), json={}).status_code == 401
    reply = http.get("/api/public/projects", headers=basic(secret))
    assert (reply.status_code, [one["name"] for one in reply.json()["data"]]) == (200, ["default"])
    missing = http.get("/api/public/v2/prompts/greet", headers=basic(secret))
    assert missing.status_code == 404 and "prompts and datasets" in missing.json()["error"]["hint"]


def scores(http: TestClient, secret: str) -> list[dict[str, Any]]:
    found = http.get("/api/v1/scores", headers={"authorization": f"Bearer {secret}"}).json()["items"]
    return sorted(found, key=lambda one: str(one["name"]))


def test_scores_are_kept_once_however_they_come(server: tuple[TestClient, str]) -> None:
    http, secret = server
    number = {"id": "a", "traceId": TRACE, "name": "Helpful", "value": 1.0, "dataType": "BOOLEAN", "comment": "yes"}
    word = {"id": "b", "sessionId": "s-1", "name": "tone", "value": "kind", "environment": "staging"}
    for _ in range(2):
        reply = http.post("/api/public/scores", headers=basic(secret), json=[number, word])
        assert (reply.status_code, reply.json()) == (202, {"message": "Accepted"})
        events = [
            {"id": "1", "type": "score-create", "timestamp": "2026-03-02T10:00:00Z", "body": number},
            {"id": "2", "type": "sdk-log", "body": {}},
            {"id": "3", "type": "trace-create", "body": {"id": "t"}},
        ]
        reply = http.post("/api/public/ingestion", headers=basic(secret), json={"batch": events, "metadata": {}})
        assert reply.status_code == 207 and [one["id"] for one in reply.json()["successes"]] == ["1", "2"]
        assert [(one["id"], one["status"]) for one in reply.json()["errors"]] == [("3", 400)]
    helpful, tone = scores(http, secret)
    assert (helpful["trace_id"], helpful["number"], helpful["comment"]) == (TRACE, 1.0, "yes")
    assert (tone["session_id"], tone["label"], tone["source"]) == ("s-1", "kind", "code")


def test_a_score_that_is_wrong_is_named_and_the_others_are_kept(server: tuple[TestClient, str]) -> None:
    http, secret = server
    good = {"traceId": TRACE, "name": "n", "value": 0.5}
    bad = [{"traceId": TRACE, "value": 1}, {"name": "n", "value": 1, "datasetRunId": "r"}, 7, {**good, "value": None}]
    reply = http.post("/api/public/scores", headers=basic(secret), json=[good, *bad])
    assert reply.status_code == 207
    said = reply.json()
    assert (said["accepted"], said["rejected"], len(said["errors"]), len(scores(http, secret))) == (1, 4, 4, 1)
    assert http.post("/api/public/scores", headers=basic(secret), json=bad[0]).status_code == 422
    assert http.post("/api/public/scores", headers=basic(secret), json={**good, "name": "m"}).status_code == 200
    for body in (b"{", b"[" * 5000, b'{"batch": 1}', b'{"batch": [1]}'):
        assert http.post("/api/public/ingestion", headers=basic(secret), content=body).status_code == 422
    many = http.post("/api/public/scores", headers=basic(secret), json=[good] * 1001)
    assert many.status_code == 413 and len(scores(http, secret)) == 2
