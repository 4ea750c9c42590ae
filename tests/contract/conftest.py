"""The contract suite runs on SQLite and on a real PostgreSQL (MAINSPRING_TEST_POSTGRES, which `make test` sets)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def records_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield ""
        return
    server = os.environ.get("MAINSPRING_TEST_POSTGRES")
    if not server:  # a checkout without PostgreSQL still tests SQLite; CI runs `make test`, which starts one
        pytest.skip("MAINSPRING_TEST_POSTGRES names no server; `make test` starts one")
    import psycopg
    from sqlalchemy import make_url

    admin = make_url(server).set(drivername="postgresql")
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield admin.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
