"""The access log and the door in front of the application."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainspring.kernel import settings
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.errors import Invalid
from mainspring.surfaces.access_log import AccessLog, Request
from mainspring.surfaces.door import Door

ANN = Caller("ann", "k1", "default", "production", "admin", ROLES["admin"])
TOLD = [(b"x-mainspring-trace-id", b"t" * 32), (b"x-mainspring-model", b"model/m@1"), (b"x-other", b"no")]


def request(path: str = "/v1/models", headers: list[tuple[bytes, bytes]] = TOLD) -> Request:
    return Request(1_767_323_045.5, "GET", path, 200, 1.23456, 77, ANN, headers)


def test_a_line_tells_who_asked_what_and_nothing_of_its_content(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "access.log")
    log.add(request())
    log.close()
    [line] = [json.loads(text) for text in (tmp_path / "access.log").read_text().splitlines()]
    pid = line.pop("pid")
    assert pid > 0 and line == {
        "time": "2026-01-02T03:04:05.500Z",
        "method": "GET",
        "path": "/v1/models",
        "status": 200,
        "ms": 1.23,
        "bytes": 77,
        "key": "k1",
        "member": "ann",
        "trace_id": "t" * 32,
        "model": "model/m@1",
        "deployment": "",
    }
    assert stat.S_IMODE((tmp_path / "access.log").stat().st_mode) == 0o600


def test_the_text_form_keeps_a_line_a_line(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "access.log", text=True)
    log.add(request('/v1/"models\nGET /forged'))
    log.close()
    assert (tmp_path / "access.log").read_text() == (
        'k1 - ann [02/Jan/2026:03:04:05 +0000] "GET /v1/%22models\\nGET /forged HTTP/1.1" 200 77 1.23ms\n'
    )


def test_several_writers_share_a_file_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    logs = [AccessLog(path, max_bytes=4_000, kept=2) for _ in range(3)]
    done = threading.Barrier(4)

    def write(number: int) -> None:
        for at in range(300):
            logs[number].add(request(f"/{number}/{at}"))
            if at % 20 == 0:
                logs[number]._write()
        done.wait()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    done.wait()
    for log in logs:
        log.close()
    files = sorted(found.name for found in tmp_path.glob("access.log*"))
    assert files == ["access.log", "access.log.1", "access.log.2"]
    for name in files:
        assert all(json.loads(text) for text in (tmp_path / name).read_text().splitlines())
    assert all(log.dropped == 0 for log in logs)


def test_the_settings_switch_it_off_and_name_its_form(tmp_path: Path) -> None:
    def of(**flags: Any) -> AccessLog | None:
        named = {name.replace("__", "."): value for name, value in flags.items()}
        return AccessLog.of(settings.load({"home": str(tmp_path), **named}, environ={}, folder=tmp_path))

    assert of(access_log__enabled=False) is None
    with pytest.raises(Invalid, match=r"access_log.format is 'xml'"):
        of(access_log__format="xml")
    log = of(access_log__format="text")
    assert log is not None
    log.close()


def ask(door: Door, path: str, **how: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app=door, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, **how)

    return asyncio.run(once())


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/fails":
        raise RuntimeError("no")
    scope["state"]["caller"] = ANN
    await send({"type": "http.response.start", "status": 201, "headers": TOLD})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    await send({"type": "http.response.body", "body": b"678"})


def test_the_door_logs_answers_and_failures_without_query_or_key(tmp_path: Path) -> None:
    door = Door(app, AccessLog(tmp_path / "access.log"))
    ask(door, "/v1/x?api_key=hidden", headers={"authorization": "Bearer ms_hidden"})
    ask(door, "/fails")
    door.close()
    text = (tmp_path / "access.log").read_text()
    good, bad = [json.loads(line) for line in text.splitlines()]
    assert "hidden" not in text
    assert (good["path"], good["status"], good["bytes"], good["member"]) == ("/v1/x", 201, 8, "ann")
    assert (bad["path"], bad["status"], bad["key"]) == ("/fails", 500, "")


def test_a_process_that_leaves_says_so(tmp_path: Path) -> None:
    door = Door(app)
    assert "connection" not in ask(door, "/readyz").headers
    door.leaving = "hand over"
    assert (ask(door, "/readyz").status_code, ask(door, "/v1").headers["connection"]) == (201, "close")
    door.leaving = "stop"
    assert ask(door, "/readyz").status_code == 503
    assert ask(door, "/readyz").json()["status"] == "draining"
    assert ask(door, "/v1").headers["connection"] == "close"
