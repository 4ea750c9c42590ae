"""An erasure that is killed in its midst goes on, and says at its end how much it erased in all."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fault_servers import Server, wait_for

pytestmark = pytest.mark.slow
TRACES, TOGETHER = 6_000, 500


def otlp(first: int) -> bytes:
    now = time.time_ns()
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": "chat",
            "startTimeUnixNano": str(now - 1_000_000),
            "endTimeUnixNano": str(now),
            "attributes": [{"key": "user.id", "value": {"stringValue": "lee" if number == 1 else "kim"}}],
        }
        for number in range(first, first + TOGETHER)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def test_an_erasure_survives_kills_of_the_worker(launch: Callable[..., Server]) -> None:
    server = launch()
    headers = {"Authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=300) as http:
        for first in range(1, TRACES, TOGETHER):
            sent = http.post("/v1/traces", content=otlp(first), headers={"Content-Type": "application/json"})
            assert sent.status_code == 200
        run = http.post("/api/v1/erasures", json={"user_id": "kim"}).json()

        def state() -> dict[str, Any]:
            return http.get(f"/api/v1/runs/{run['id']}").json()  # type: ignore[no-any-return]

        for part in (1, 2):
            wait_for("a part that is erased", lambda part=part: state()["progress"]["done"] >= part)
            old = server.child("worker")["pid"]
            os.kill(old, signal.SIGKILL)
            wait_for("a new worker", lambda old=old: server.child("worker")["pid"] not in (0, old))
        wait_for("the end", lambda: state()["state"] == "succeeded")
        assert state()["result"]["erased"]["traces"] == TRACES - 1
        assert http.get("/api/v1/users/kim").status_code == 404
        assert [line["user_id"] for line in http.get("/api/v1/users").json()["items"]] == ["lee"]
        assert len(http.get("/api/v1/audit", params={"action": "erasure.done"}).json()["items"]) == 1
        [erasure] = http.get("/api/v1/erasures").json()["items"]
        path = f"/api/v1/erasures/{erasure['id']}"
        wait_for("the second look", lambda: http.get(path).json()["settled_at"])
