"""What was acknowledged is there after kill -9, and work goes on where it stopped."""

from __future__ import annotations

import json
import os
import random
import resource
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from fault_servers import Server, wait_for
from tests.serving.conftest import Served
from tests.serving.vendor import KEY, Vendor

pytestmark = pytest.mark.slow
Launch = Callable[..., Server]
KILLS = int(os.environ.get("KILLS", "2"))
"""How often the server is killed in the midst of ingest; `KILLS=50 pytest …` takes some minutes."""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor of models that the server asks."""
    served = Served()
    made = Vendor()
    made.url, served.app = served.url, made.app
    yield made
    served.stop()


def otlp(trace_id: str) -> bytes:
    now = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "chat small-model",
        "kind": 3,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.key}"}, timeout=300)


class Traffic:
    """Calls `send(number)` from several threads and keeps what was acknowledged."""

    def __init__(self, send: Callable[[int], str | None], threads: int = 4) -> None:
        self.acknowledged: list[str] = []
        self._send = send
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(start,)) for start in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                known = self._send(number)
            except httpx.HTTPError:
                continue
            if known is not None:
                self.acknowledged.append(known)
            number += 1000

    def stop(self) -> list[str]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.acknowledged


def kill_thrice(server: Server, name: str, traffic: Traffic) -> None:
    """Kill the process three times, each after some more was acknowledged, how much is left to chance."""
    chance = random.Random(3)
    for _ in range(3):
        seen = len(traffic.acknowledged) + chance.randrange(40)
        wait_for("traffic", lambda seen=seen: len(traffic.acknowledged) > seen)
        old = server.child(name)["pid"]
        os.kill(old, signal.SIGKILL)
        wait_for(f"a new {name}", lambda old=old: server.child(name)["pid"] not in (0, old))
    seen = len(traffic.acknowledged)
    wait_for("traffic", lambda: len(traffic.acknowledged) > seen + 20)


def test_a_trace_that_got_200_survives_the_api(launch: Launch) -> None:
    server = launch()
    headers = {"Content-Type": "application/json"}
    with client(server) as http:

        def send(number: int) -> str | None:
            trace_id = secrets.token_hex(16)
            reply = http.post("/v1/traces", content=otlp(trace_id), headers=headers)
            return trace_id if reply.status_code == 200 else None

        traffic = Traffic(send)
        try:
            kill_thrice(server, "api", traffic)
        finally:
            acknowledged = traffic.stop()
        replies = [http.get(f"/api/v1/traces/{one}") for one in acknowledged]
        assert [reply.status_code for reply in replies] == [200] * len(acknowledged)
        assert {len(reply.json()["spans"]) for reply in replies} == {1}
        counted = sum(hour["spans"] for hour in http.get("/api/v1/traces/usage").json())
        assert counted == sum(line["spans"] for line in every_trace(http)) >= len(acknowledged)


def every_trace(http: httpx.Client) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = http.get("/api/v1/traces", params={"limit": 1000, "cursor": cursor}).json()
        yield from page["items"]
        if not (cursor := page["next_cursor"]):
            return


def test_a_full_disk_refuses_traces_and_takes_them_again_once_there_is_space(launch: Launch) -> None:
    server = launch()
    api = psutil.Process(server.child("api")["pid"])
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    kept: list[str] = []
    with client(server) as http:

        def send() -> int:
            trace_id = secrets.token_hex(16)
            reply = http.post("/v1/traces", content=otlp(trace_id), headers={"Content-Type": "application/json"})
            kept.extend([trace_id] if reply.status_code == 200 else [])
            return reply.status_code

        assert send() == 200
        # No file may grow at all: what a disk without space does to a process, but to this one alone.
        api.rlimit(psutil.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        refused = [send() for _ in range(20)]
        assert set(refused) == {503}
        api.rlimit(psutil.RLIMIT_FSIZE, unlimited)
        assert send() == 200
        assert wait_for("a trace that is found", lambda: http.get(f"/api/v1/traces/{kept[-1]}").status_code == 200)
        found = {line["trace_id"] for line in every_trace(http)}
    assert found == set(kept)


def test_a_call_that_was_answered_has_its_trace_after_the_api_was_killed(launch: Launch, vendor: Vendor) -> None:
    server = launch(MAINSPRING_TARGETS_ALLOW_PRIVATE="true")
    asked = {"model": "acme/big", "messages": [{"role": "user", "content": "Say hi"}]}
    with client(server) as http:
        made = {"name": "acme", "url": vendor.url, "api_key": KEY}
        assert http.post("/api/v1/providers", json=made).status_code == 201

        def send(number: int) -> str | None:
            reply = http.post("/v1/chat/completions", json={**asked, "stream": bool(number % 2)})
            whole = reply.status_code == 200 and (not number % 2 or reply.text.rstrip().endswith("[DONE]"))
            return reply.headers["x-mainspring-trace-id"] if whole else None

        traffic = Traffic(send)
        try:
            kill_thrice(server, "api", traffic)
        finally:
            acknowledged = traffic.stop()
        lost = [one for one in acknowledged if http.get(f"/api/v1/traces/{one}").status_code != 200]
        assert lost == []


def test_a_version_that_got_201_survives_the_api_and_the_audit_chain_holds(launch: Launch) -> None:
    server = launch()
    with client(server) as http:

        def send(number: int) -> str | None:
            body = {"messages": [{"role": "user", "content": f"text {number}"}]}
            reply = http.post(f"/api/v1/prompts/p{number}/versions", json=body)
            return f"p{number}" if reply.status_code == 201 else None

        traffic = Traffic(send, 2)
        try:
            kill_thrice(server, "api", traffic)
        finally:
            acknowledged = traffic.stop()
        lost = [name for name in acknowledged if http.get(f"/api/v1/prompts/{name}").status_code != 200]
        assert lost == []
    verified = server.run("audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.timeout(900 + 60 * KILLS)
def test_a_trace_that_got_200_survives_the_whole_server(launch: Launch) -> None:
    server = launch()
    headers = {"Content-Type": "application/json"}
    chance = random.Random(4)
    acknowledged: list[str] = []
    for _ in range(KILLS):
        with client(server) as http:

            def send(number: int, http: httpx.Client = http) -> str | None:
                trace_id = secrets.token_hex(16)
                reply = http.post("/v1/traces", content=otlp(trace_id), headers=headers)
                return trace_id if reply.status_code == 200 else None

            traffic = Traffic(send)
            try:
                wanted = chance.randint(1, 60)
                wait_for("traffic", lambda wanted=wanted, traffic=traffic: len(traffic.acknowledged) >= wanted)
                for pid in (server.child("api")["pid"], server.state["pid"]):
                    os.kill(pid, signal.SIGKILL)
            finally:
                acknowledged += traffic.stop()
        server.start()
    with client(server) as http:
        found = [line["trace_id"] for line in every_trace(http)]
        counted = sum(hour["spans"] for hour in http.get("/api/v1/traces/usage").json())
    assert set(acknowledged) <= set(found)
    assert len(set(found)) == len(found) == counted
