"""The parts of the supervisor that need no process."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from mainspring.kernel import settings
from mainspring.kernel.errors import Conflict, Denied
from mainspring.surfaces.compose import build_platform
from mainspring.surfaces.processes.doctor import examine
from mainspring.surfaces.processes.home import ChildState, HomeLock, ServerState, prepare
from mainspring.surfaces.processes.logs import KEPT, LogFile, redact
from mainspring.surfaces.processes.owner import write_credentials
from mainspring.surfaces.processes.probe import ready
from mainspring.surfaces.processes.supervisor import Supervisor, is_loopback, listen
from mainspring.surfaces.upkeep import close

KEY = "ms_01a20a26d1f1_7878a172d1c9227485a7db05c6890206"


@pytest.mark.parametrize(
    "text",
    [
        f"key {KEY} used",
        f"Authorization: Bearer {KEY}",
        "connect postgresql://ann:hunter2hunter2@db/x",
        'config {"api_key": "abcdef123456"}',
        "password=correct-horse",
    ],
)
def test_secrets_are_blotted_out(text: str) -> None:
    shown = redact(text)
    assert "[redacted]" in shown
    for secret in ("7878a172", "hunter2", "abcdef123456", "correct-horse"):
        assert secret not in shown


@pytest.mark.parametrize("text", ["input_tokens: 1234567", "http://127.0.0.1:7070/v1", "a plain line", "token: 5"])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_log_is_set_aside_at_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.surfaces.processes.logs.MAX_BYTES", 100)
    log = LogFile(tmp_path / "api.log")
    for number in range(40):
        log.write(f"line {number:03d} " + "." * 20)
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["api.log", *(f"api.log.{number}" for number in range(1, KEPT + 1))]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    assert all(path.stat().st_size < 200 for path in tmp_path.iterdir())


def test_a_home_has_one_server(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert HomeLock.holder(tmp_path) is None
    lock = HomeLock.acquire(tmp_path)
    ServerState(os.getpid(), "http://127.0.0.1:1", "0", "now").write(tmp_path)
    assert HomeLock.holder(tmp_path) == os.getpid()
    with pytest.raises(Conflict, match=f"process {os.getpid()} at http://127.0.0.1:1"):
        HomeLock.acquire(tmp_path)
    lock.release()
    assert HomeLock.holder(tmp_path) is None
    HomeLock.acquire(tmp_path).release()


def test_the_state_of_a_server_survives_the_file(tmp_path: Path) -> None:
    prepare(tmp_path)
    state = ServerState(7, "http://x", "1.2.3", "then", "ready", [ChildState("api", "running", 8, 1, -9)])
    state.write(tmp_path)
    assert ServerState.read(tmp_path) == state
    (tmp_path / "run" / "server.json").write_text('{"pid": 7')
    assert ServerState.read(tmp_path) is None


def test_credentials_are_for_the_owner_alone_from_the_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text("old")
    path.chmod(0o644)
    write_credentials(path, {"api_key": KEY})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["credentials.json"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_port_in_use_is_a_conflict() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(Conflict, match="cannot listen"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_a_remote_address_is_denied_before_the_home_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    config = settings.load({"home": str(home), "host": "0.0.0.0"}, environ={}, folder=tmp_path)
    with pytest.raises(Denied):
        Supervisor(config, {}, on_ready=lambda state, key: None).run()
    assert not home.exists()


def test_a_server_that_is_not_there_is_not_ready() -> None:
    with socket.socket() as silent:  # held, so that nobody else listens there meanwhile
        silent.bind(("127.0.0.1", 0))
        assert not ready(f"http://127.0.0.1:{silent.getsockname()[1]}").reached


def test_a_home_of_other_tables_is_told_before_anything_is_asked_of_it(tmp_path: Path) -> None:
    config = settings.load({"home": str(tmp_path), "port": 0}, environ={}, folder=tmp_path)
    close(build_platform(config))
    findings = {finding.check: finding for finding in examine(config)}
    assert findings["records"].result == "ok"
    with closing(sqlite3.connect(tmp_path / "records.db")) as conn:
        conn.execute("ALTER TABLE runs DROP COLUMN progress")
        conn.execute("DROP TABLE monitors")
    findings = {finding.check: finding for finding in examine(config)}
    assert findings["records"].result == "failed" and "new home folder" in findings["records"].hint
    assert "monitors, runs.progress" in findings["records"].detail
    with pytest.raises(Conflict, match=r"lacks monitors, runs\.progress"):
        build_platform(config)


def test_the_doctor_finds_a_key_file_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text("{}")
    (tmp_path / "credentials.json").chmod(0o644)
    config = settings.load({"home": str(tmp_path), "port": 0}, environ={}, folder=tmp_path)
    findings = {finding.check: finding for finding in examine(config)}
    assert findings["credentials.json"].result == "failed"
    assert findings["credentials.json"].hint.startswith("chmod 600")
    assert findings["python"].result == "ok"
    assert findings["port"].result == "ok"
