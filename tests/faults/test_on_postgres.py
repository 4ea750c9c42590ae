"""The same server over PostgreSQL, with nothing changed but a setting."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from fault_servers import Server, wait_for
from sqlalchemy import make_url
from tests.serving.conftest import Served
from tests.serving.vendor import KEY, Vendor

from mainspring.surfaces.client import Client

PRIVATE = {"MAINSPRING_TARGETS_ALLOW_PRIVATE": "true"}

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


def test_two_hosts_over_one_database_never_exceed_a_budget_together(
    launch: Launch, database: str, tmp_path: Path
) -> None:
    served, vendor = Served(), Vendor()
    served.app = vendor.app
    first = launch("one", "--api-processes=2", MAINSPRING_RECORDS_URL=database, **PRIVATE)
    (tmp_path / "two").mkdir(mode=0o700)
    shutil.copy2(first.home / "secret.key", tmp_path / "two")
    second = launch("two", "--no-worker", MAINSPRING_RECORDS_URL=database, **PRIVATE)
    assert not (second.home / "credentials.json").exists()
    assert httpx.get(f"{second.url}/readyz").status_code == 200
    with Client(first.url, first.key) as client, Client(second.url, first.key) as other:
        client.provider.create("acme", served.url, api_key=KEY)
        client.price.set("acme/big", input_per_million=1.0, output_per_million=10.0)
        budget = other.budget.set(0.02, per="month")
        start = threading.Barrier(60)

        def ask(number: int) -> bool:
            url = (first.url, second.url)[number % 2]
            body = {"model": "acme/big", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 40}
            head = {"Authorization": f"Bearer {first.key}"}
            start.wait()
            status = httpx.post(f"{url}/v1/chat/completions", json=body, headers=head, timeout=300).status_code
            assert status in (200, 429)
            return status == 200

        with ThreadPoolExecutor(60) as pool:
            passed = sum(pool.map(ask, range(60)))
        assert 0 < passed <= 40
        spent = passed * 500_000

        def settled() -> bool:
            return (
                round(client.budget.get(budget.id).spent * 1e9)
                == round(other.budget.get(budget.id).spent * 1e9)
                == spent
            )

        wait_for("both to know what was spent", settled)
    assert second.stop() == 0
    served.stop()
