"""The same server over PostgreSQL, with nothing changed but a setting."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from fault_servers import Server, wait_for
from sqlalchemy import make_url

from mainspring.surfaces.client import Client

pytestmark = pytest.mark.slow
Launch = Callable[..., Server]


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database on the server that `make test` starts."""
    given = os.environ.get("MAINSPRING_TEST_POSTGRES")
    if not given:
        pytest.skip("MAINSPRING_TEST_POSTGRES names no server; `make test` starts one")
    admin = make_url(given).set(drivername="postgresql")
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield admin.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_server_over_postgresql_works_survives_and_comes_back(launch: Launch, database: str, tmp_path: Path) -> None:
    server = launch(MAINSPRING_RECORDS_URL=database)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n')
    with Client(server.url, server.key) as client:
        client.dataset.import_("small", rows)
        old = server.child("worker")["pid"]
        os.kill(old, signal.SIGKILL)
        run = client.profile.create("dataset/small")
        wait_for("a new worker", lambda: server.child("worker")["pid"] not in (0, old))
        assert client.wait(run).state == "succeeded"
        assert client.audit.verify().verified
    assert not (server.home / "records.db").exists()
    assert server.run("backup", str(tmp_path / "backup")).returncode == 0
    server.stop()
    again = server.start()
    assert "owner_key" not in again.state
    with Client(again.url, again.key) as client:
        assert client.dataset.get("small").rows == 1
    password = make_url(database).password
    assert password is not None
    logged = "".join(path.read_text() for path in (server.home / "logs").glob("*.log"))
    assert password not in logged
