"""An engine that is killed comes back, and a call that it was answering ends with an answer or a clear error."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fault_servers import Server, alive, wait_for
from test_nothing_lost import client

pytestmark = [pytest.mark.slow, pytest.mark.model]
Launch = Callable[..., Server]


def engines(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(server.run("status", "--json").stdout)["engines"]
    return found


def ask(http: httpx.Client, tokens: int = 8) -> httpx.Response:
    body = {
        "model": "model/smollm2",
        "messages": [{"role": "user", "content": "Count to a hundred."}],
        "max_tokens": tokens,
        "temperature": 0,
    }
    return http.post("/v1/chat/completions", json=body)


def test_a_killed_engine_is_started_again(launch: Launch) -> None:
    server = launch()
    with client(server) as http:
        assert http.post("/api/v1/models/smollm2/pull", json={}).status_code == 201
        first = ask(http)
        assert first.status_code == 200, first.text
        (engine,) = engines(server)
        assert engine["state"] == "ready"

        replies: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: replies.append(ask(http, 400)))
        asking.start()
        os.kill(engine["pid"], signal.SIGKILL)
        asking.join()
        assert replies[0].status_code in (200, 502, 503), replies[0].text
        if replies[0].status_code != 200:
            assert replies[0].json()["error"]["message"]

        again = wait_for("an answer", lambda: (reply := ask(http)).status_code == 200 and reply)
        assert again.json()["choices"][0]["message"]["content"] == first.json()["choices"][0]["message"]["content"]
        (renewed,) = engines(server)
        assert renewed["restarts"] == 1
        assert renewed["pid"] != engine["pid"]
    pid = renewed["pid"]
    assert server.stop() == 0
    wait_for("the engine to end", lambda: not alive(pid))


def test_no_engine_outlives_a_killed_supervisor(launch: Launch) -> None:
    server = launch()
    with client(server) as http:
        assert http.post("/api/v1/models/smollm2/pull", json={}).status_code == 201
        assert ask(http).status_code == 200
    (engine,) = engines(server)
    os.kill(server.state["pid"], signal.SIGKILL)
    wait_for("the engine to end", lambda: not alive(engine["pid"]))
