"""Servers that are stopped at the end of a test, whatever happened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fault_servers import Server

Launch = Callable[..., Server]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start a server on a folder of the test's own."""
    servers: list[Server] = []

    def start(name: str = "home", *options: str, port: int = 0, **environ: str) -> Server:
        server = Server(tmp_path / name, *options, **environ)
        servers.append(server)
        return server.start(port)

    yield start
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.process.terminate()
            try:
                server.process.wait(300)
            finally:
                server.process.kill()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole servers start and stop here, which takes its time on a busy machine."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(900))
