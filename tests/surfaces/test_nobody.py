"""A key that allows nothing: what is made by hand, and every tool, refuses it as the operations do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.registry import keep_file
from mainspring.surfaces.app import build_app
from mainspring.surfaces.mcp import tools
from mainspring.workspace import Keys, authenticate, first_start

HI = [{"role": "user", "content": "Hi"}]
REFUSED: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/files"): {"content": b"x"},
    ("GET", "/api/v1/files/{sha256}"): {},
    ("POST", "/v1/traces"): {"json": {"resourceSpans": []}},
    ("POST", "/"): {"json": {"resourceSpans": []}},
    ("POST", "/api/public/otel/v1/traces"): {"json": {"resourceSpans": []}},
    ("POST", "/api/public/scores"): {"json": []},
    ("POST", "/api/public/ingestion"): {"json": {"batch": []}},
    ("POST", "/v1/logs"): {"json": {"resourceLogs": []}},
    ("POST", "/v1/metrics"): {"json": {"resourceMetrics": []}},
    ("POST", "/v1/chat/completions"): {"json": {"model": "docs", "messages": HI}},
    ("POST", "/v1/completions"): {"json": {"model": "model/base@1", "prompt": "x"}},
    ("POST", "/v1/responses"): {"json": {"model": "acme/big", "input": "x"}},
    ("POST", "/v1/messages"): {"json": {"model": "docs", "messages": HI, "max_tokens": 5}},
    ("POST", "/v1/messages/count_tokens"): {"json": {"model": "docs", "messages": HI}},
    ("POST", "/v1/embeddings"): {"json": {"model": "minilm", "input": "x"}},
    ("GET", "/metrics"): {},
}
"""Every route made by hand that gives or takes something, with a request that is well-formed."""
HARMLESS = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/whoami"),
    ("GET", "/api/public/projects"),
    *((method, "/api/public/{rest:path}") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    ("POST", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model:path}"),
    ("GET", "/mcp"),
    ("POST", "/mcp"),
    ("DELETE", "/mcp"),
    ("POST", "/api/v1/feedback"),
    ("OPTIONS", "/api/v1/feedback"),
    ("POST", "/api/v1/review/next"),
    ("POST", "/api/v1/review/answer"),
}
"""What tells a key about itself alone, lists what it may use (for this one, nothing), or asks for a token in place of
any key."""


class OneEmbed:
    """An embedding model that is there, and is never asked."""

    name = "minilm"

    def embed(self, texts: Any) -> Any:
        raise AssertionError("a key without permissions reached the model")


@pytest.fixture
def nobody(bare_platform: Platform) -> Iterator[TestClient]:
    bare_platform.engine_port, bare_platform.embed_port = NoEngines(), OneEmbed()
    made = first_start(bare_platform)
    assert made is not None
    with access.acting_as(authenticate(bare_platform, made.secret)):
        key = Keys(bare_platform).create(permissions=[])
    with TestClient(
        build_app(bare_platform, dict), headers={"Authorization": f"Bearer {key.secret}"}, raise_server_exceptions=False
    ) as client:
        yield client


def test_every_route_made_by_hand_is_on_one_list(nobody: TestClient) -> None:
    app: Any = nobody.app
    known = set()
    for route in app.app.routes:
        if isinstance(route, Route):
            known |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
        else:
            assert isinstance(route, Mount) and route.path in ("/api/v1", "")
    assert known == set(REFUSED) | HARMLESS


def test_what_is_made_by_hand_is_refused(nobody: TestClient, bare_platform: Platform) -> None:
    with access.acting_as(access.system()):
        sha256 = keep_file(bare_platform, b"kept").sha256
    for (method, path), given in REFUSED.items():
        reply = nobody.request(method, path.replace("{sha256}", sha256), **given)
        assert (reply.status_code, "permission" in reply.text) == (403, True), f"{method} {path}: {reply.text}"
    assert [file.sha256 for file in bare_platform.files.list()] == [sha256]


def test_what_lists_lists_nothing(nobody: TestClient) -> None:
    assert nobody.get("/v1/models").json()["data"] == []
    assert nobody.get("/v1/models/minilm").status_code == 404
    assert nobody.get("/api/v1/whoami").json()["permissions"] == []


def test_every_tool_is_refused(nobody: TestClient) -> None:
    fit = {
        "kind": "judge",
        "messages": HI,
        "ref": "dataset/x",
        "trace_id": "0" * 32,
        "span_id": "0" * 16,
        "alert_id": "0" * 36,
        "issue_id": "0" * 36,
        "run_id": "0" * 36,
        "baseline": "0" * 36,
        "candidate": "0" * 36,
    }
    assert len(tools()) > 40
    for name, (_, spec, _) in tools().items():
        needed = {
            parameter.name: fit.get(parameter.name, "x")
            for parameter in spec.signature.parameters.values()
            if parameter.default is inspect.Parameter.empty
        }
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": needed}}
        result = nobody.post("/mcp", json=call).json()["result"]
        assert result["isError"] is True, name
        assert f"needs the permission '{spec.permission}'" in result["content"][0]["text"], name
