"""The back ends that the contract of the span store is tested on, and a ClickHouse to test one of them with."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from mainspring.backends.spans_clickhouse import ClickHouseSpans
from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.ports import Spans

Open = Callable[[], Spans]
BACK_ENDS = ("sqlite", "clickhouse")
PATIENCE = 120.0
"""Seconds that readers in tests wait for the index; by default they show after less what there is by then."""


class ClickHouse:
    """ClickHouse in a process of its own, behind the real driver; its data outlives the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> ClickHouse:
        """Start it, at the same port where it ran before."""
        command = [sys.executable, str(Path(__file__).with_name("clickhouse_server.py")), str(self._folder)]
        self._process = subprocess.Popen([*command, str(self.port)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def stop(self) -> None:
        """End it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def address(self) -> str:
        """Return the URL of a database that is not there yet."""
        return f"clickhouse://127.0.0.1:{self.port}/test_{uuid.uuid4().hex[:12]}?compress=false"


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A server for the tests of a file."""
    if find_spec("chdb") is None:  # a checkout without it still tests SQLite; CI installs every locked package
        pytest.skip("chdb is not installed; `make install` brings it")
    server = ClickHouse(tmp_path_factory.mktemp("clickhouse") / "data").start()
    yield server
    server.stop()


def opener(kind: str, folder: Path, request: pytest.FixtureRequest) -> Open:
    """Return a function that opens one new store of a back end, again and again."""
    if kind == "sqlite":
        return lambda: SqliteSpans(folder)
    url = request.getfixturevalue("clickhouse").address()
    return lambda: ClickHouseSpans(url, folder)


@pytest.fixture(params=BACK_ENDS)
def open_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the store in `tmp_path / "spans"`, on each back end; however busy the machine, readers see what it wrote."""
    for kind in BACK_ENDS:
        monkeypatch.setattr(f"mainspring.backends.spans_{kind}.store._PATIENCE", PATIENCE)
    return opener(request.param, tmp_path / "spans", request)


@pytest.fixture
def store(open_store: Open) -> Iterator[Spans]:
    """An empty store of each back end."""
    spans = open_store()
    yield spans
    spans.close()
