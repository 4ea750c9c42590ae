"""A server of canned answers, and the spans that the SDK sent to it, as the product's own intake reads them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from tests.sdk.canned import Canned

import mainspring
from mainspring.kernel.spans import Span
from mainspring.traces import otlp


class Sink:
    """What arrived."""

    def __init__(self, server: Canned) -> None:
        self.server = server

    def spans(self) -> list[Span]:
        """Flush, and return every ended span that arrived, as the intake understands it."""
        assert mainspring.flush(30)
        return [span for span in self.arrived() if span.status != "running"]

    def arrived(self) -> list[Span]:
        bodies = [body for path, _, body in list(self.server.received) if path == "/v1/traces"]
        decoded = [otlp.decode(body, "json", project="p") for body in bodies]
        assert [each.problem for each in decoded if each.rejected] == []
        return [span for each in decoded for span in each.spans]

    def one(self) -> Span:
        [span] = self.spans()
        return span

    def named(self) -> dict[str, Span]:
        return {span.name: span for span in self.spans()}

    def scores(self) -> list[dict[str, object]]:
        assert mainspring.flush(30)
        return [json.loads(body) for path, _, body in self.server.received if path == "/api/v1/scores"]

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        with self.server.arrived:
            while not condition():
                assert self.server.arrived.wait(max(0, deadline - time.monotonic())), "nothing arrived"


@pytest.fixture
def server() -> Iterator[Canned]:
    canned = Canned()
    yield canned
    canned.gate.set()
    canned.shutdown()
    canned.server_close()


@pytest.fixture
def sink(server: Canned) -> Iterator[Sink]:
    """The SDK, recording."""
    assert mainspring.init(server.url, "key", service="shop", environment="staging", interval=0.05)
    yield Sink(server)
    mainspring.shutdown(5)
