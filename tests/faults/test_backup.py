"""A backup is written while everything runs, and brings all of it back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_servers import Server
from test_nothing_lost import client, otlp

pytestmark = pytest.mark.slow
Launch = Callable[..., Server]


def test_a_backup_brings_everything_back_elsewhere(launch: Launch, tmp_path: Path) -> None:
    server = launch()
    trace_id = secrets.token_hex(16)
    with client(server) as http:
        body = {"messages": [{"role": "user", "content": "Hello {{name}}"}]}
        assert http.post("/api/v1/prompts/greet/versions", json=body).status_code == 201
        headers = {"Content-Type": "application/json"}
        assert http.post("/v1/traces", content=otlp(trace_id), headers=headers).status_code == 200
        file = http.post("/api/v1/files", content=b"some bytes").json()["sha256"]
        done = server.run("backup", str(tmp_path / "backup"), "--json")
        assert done.returncode == 0, done.stderr
        assert http.post("/api/v1/prompts/later/versions", json=body).status_code == 201
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    assert server.run("restore", str(tmp_path / "backup"), "--force").returncode == 5
    server.stop()

    other = Server(tmp_path / "other")
    restored = other.run("restore", str(tmp_path / "backup"))
    assert restored.returncode == 0, restored.stderr
    assert other.run("restore", str(tmp_path / "backup")).returncode == 5
    assert other.run("restore", str(tmp_path / "backup"), "--force").returncode == 0
    other.start()
    try:
        assert "owner_key" not in other.state
        with client(other) as http:
            assert http.get("/api/v1/prompts/greet").status_code == 200
            assert http.get("/api/v1/prompts/later").status_code == 404
            assert http.get(f"/api/v1/traces/{trace_id}").status_code == 200
            assert http.get(f"/api/v1/files/{file}").content == b"some bytes"
        assert other.run("audit", "verify").returncode == 0
    finally:
        other.stop()


def test_a_damaged_backup_is_refused_before_anything_is_touched(launch: Launch, tmp_path: Path) -> None:
    server = launch()
    backup = tmp_path / "backup"
    assert server.run("backup", str(backup)).returncode == 0
    assert server.run("backup", str(backup)).returncode == 5
    server.stop()
    with (backup / "records").open("r+b") as file:
        file.seek(4000)
        file.write(b"damage")
    other = Server(tmp_path / "other")
    done = other.run("restore", str(backup))
    assert done.returncode == 2
    assert "records" in done.stderr
    assert not other.home.exists()
    (backup / "manifest.json").unlink()
    assert other.run("restore", str(backup)).returncode == 2


def test_the_settings_are_shown_with_where_they_came_from(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", MAINSPRING_RECORDS_URL="postgresql://ann:hunter2@db/x")
    done = server.run("config", "show", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["setting"]: row for row in json.loads(done.stdout)}
    assert rows["home"]["source"] == "MAINSPRING_HOME"
    assert rows["port"]["source"] == "default"
    assert "hunter2" not in done.stdout


def test_the_schema_is_brought_up_to_date_by_hand(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    first = server.run("db", "upgrade")
    assert first.returncode == 0, first.stderr
    assert "first schema" in first.stdout
    assert server.run("db", "upgrade").stdout == ""
