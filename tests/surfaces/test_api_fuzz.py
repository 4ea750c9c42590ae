"""Whatever fits the description of the API, and much that does not, gets an answer that the description knows.

Schemathesis makes the requests from `openapi.json`, with a fixed seed. None may fail the server, answer a status that
is not described, or say anything but the one shape of error.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from httpx import Response
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel.platform import Platform
from mainspring.surfaces.app import build_app
from mainspring.surfaces.rest import rest_app
from mainspring.workspace import first_start

pytestmark = pytest.mark.slow
OUTSIDE = {"model.pull", "channel.test"}
GATEWAY = ("gateway.", "otlp.", "health", "ready", "metrics")
"""Operations that lie beside `/api/v1`."""
"""Operations that call out to the world."""
EXAMPLES = 6
DOCUMENT = rest_app(None).openapi()


def operations() -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] not in OUTSIDE:
            yield operation


@pytest.fixture
def http(bare_platform: Platform) -> Iterator[TestClient]:
    bare_platform.engine_port = NoEngines()
    made = first_start(bare_platform)
    assert made is not None
    headers = {"Authorization": f"Bearer {made.secret}"}
    with TestClient(build_app(bare_platform, dict), headers=headers, raise_server_exceptions=False) as client:
        yield client


def ask(http: TestClient, case: Any) -> Response:
    beside = case.operation.definition.raw["operationId"].startswith(GATEWAY)
    given = case.as_transport_kwargs(base_url="http://testserver" if beside else "http://testserver/api/v1")
    plain = isinstance(given.get("data"), bytes | str)
    return http.request(
        given["method"],
        given["url"],
        params=given.get("params"),
        content=given.get("data") if plain else None,
        json=given.get("json"),
        headers={"content-type": case.media_type} if plain and case.media_type else None,
    )


def complaint(reply: Response, described: dict[str, Any]) -> str:
    """Return what is wrong with an answer, or nothing."""
    status = str(reply.status_code)
    if status not in described and f"{status[0]}XX" not in described:
        return f"{status} is not described: {reply.text[:200]}"
    said = described.get(status, described.get(f"{status[0]}XX", {}))
    if reply.status_code >= 400 and "content" in said:
        schema = said["content"]["application/json"]["schema"]
        try:
            validator = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
            validator.validate(reply.json())
        except (ValueError, jsonschema.ValidationError):
            return f"{status} in another shape: {reply.text[:200]}"
    return ""


class Listener:
    """Asks, and keeps the first complaint of each operation."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        self.wrong: dict[str, str] = {}
        self.answered: Counter[int] = Counter()

    def hear(self, operation: Any) -> None:
        """Send some requests of an operation."""
        raw = operation.definition.raw

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def look(case: Any) -> None:
            reply = ask(self.http, case)
            self.answered[reply.status_code // 100] += 1
            problem = complaint(reply, raw["responses"])
            if problem:
                sent = f"{case.method} {case.formatted_path} {case.query} {str(case.body)[:200]}"
                self.wrong.setdefault(raw["operationId"], f"{sent}: {problem}")

        look()


def test_no_request_fails_the_server_or_gets_an_answer_that_is_not_described(http: TestClient) -> None:
    listener = Listener(http)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operation in operations():
            listener.hear(operation)
    assert not listener.wrong, "\n".join(f"{name}: {what}" for name, what in listener.wrong.items())
    assert listener.answered[2] > 40 and listener.answered[4] > 40
