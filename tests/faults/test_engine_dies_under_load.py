"""An engine that is killed while many ask it: every call has its answer or a clear error, and the books are right."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fault_servers import Server, wait_for
from test_engine_survives import engines
from test_nothing_lost import client

pytestmark = [pytest.mark.slow, pytest.mark.model]
Launch = Callable[..., Server]
PROTOCOLS = ("chat", "messages", "responses")


class Callers:
    """Threads that ask by turns, whole and streamed, until they are told to stop; each notes how every call ended."""

    def __init__(self, http: httpx.Client, count: int = 4) -> None:
        self.ended: list[tuple[str, dict[str, Any]]] = []
        self._http = http
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, turn: int) -> None:
        while not self._stop.is_set():
            turn += 1
            self.ended.append(self._ask(PROTOCOLS[turn % 3], stream=turn % 2 == 0))

    def _ask(self, protocol: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
        message = {"role": "user", "content": "Count to twenty."}
        path, body = {
            "chat": ("/v1/chat/completions", {"messages": [message], "max_tokens": 12}),
            "messages": ("/v1/messages", {"messages": [message], "max_tokens": 12}),
            "responses": ("/v1/responses", {"input": "Count to twenty.", "max_output_tokens": 12}),
        }[protocol]
        asked = {"model": "model/smollm2", "temperature": 0, "stream": stream, **body}
        with self._http.stream("POST", path, json=asked) as reply:
            raw = reply.read().decode()
        if reply.status_code != 200:
            return f"{protocol} {reply.status_code}", json.loads(raw)
        if not stream:
            return f"{protocol} ok", json.loads(raw)
        events = [
            json.loads(line[5:]) for line in raw.splitlines() if line.startswith("data:") and "[DONE]" not in line
        ]
        failed = next(
            (each for each in events if "error" in each or each.get("type") in ("error", "response.failed")), None
        )
        if failed is not None:
            return f"{protocol} event", failed
        whole = "[DONE]" in raw if protocol == "chat" else events[-1]["type"] in (
            "message_stop", "response.completed", "response.incomplete"
        )  # fmt: skip
        return (f"{protocol} ok" if whole else f"{protocol} cut short"), events[-1]

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_every_call_ends_well_or_with_an_error_and_the_books_are_right(launch: Launch) -> None:
    server = launch(MAINSPRING_ENGINE_THREADS="1", MAINSPRING_ENGINE_SLOTS="4")
    with client(server) as http:
        assert http.post("/api/v1/models/smollm2/pull", json={}).status_code == 201
        assert http.post("/api/v1/budgets", json={"amount": 1000, "per": "month"}).status_code == 201
        assert http.post("/api/v1/engines/smollm2/load", json={}).status_code == 200
        callers = Callers(http)
        try:
            for _ in range(3):
                seen = len(callers.ended)
                wait_for("answers", lambda seen=seen: len(callers.ended) > seen + 6)
                (engine,) = [each for each in engines(server) if each["pid"]]
                os.kill(engine["pid"], signal.SIGKILL)
                wait_for("a new engine", lambda old=engine["pid"]: any(
                    each["pid"] not in (0, old) and each["state"] == "ready" for each in engines(server)
                ))  # fmt: skip
            seen = len(callers.ended)
            wait_for("answers", lambda: len(callers.ended) > seen + 12)
        finally:
            callers.stop()
        kinds = Counter(kind for kind, _ in callers.ended)
        allowed = {f"{each} {end}" for each in PROTOCOLS for end in ("ok", "event", "502", "503")}
        assert set(kinds) <= allowed, kinds
        for kind, body in callers.ended:
            if not kind.endswith("ok"):
                assert "Ask again" in json.dumps(body) or "message" in json.dumps(body), body
        assert sum(kinds[f"{each} ok"] for each in PROTOCOLS) > 20

        total = len(callers.ended)
        rows = http.get("/api/v1/usage").json()
        assert sum(row["requests"] for row in rows) == total
        assert sum(row["estimated"] for row in rows) <= total - sum(kinds[f"{each} ok"] for each in PROTOCOLS)
        wait_for(
            "every trace", lambda: len(http.get("/api/v1/traces", params={"limit": 1000}).json()["items"]) == total
        )
