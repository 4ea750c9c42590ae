"""Fixtures of the tests of routes: two vendors, a route over them, and the official client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI
from tests.serving.conftest import Served
from tests.serving.vendor import KEY, Vendor

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.registry import Providers
from mainspring.serving.routing import Routes
from mainspring.workspace import Members, first_start

HI: Any = [{"role": "user", "content": "Say hi"}]
SOON: Any = {"base_seconds": 0.01, "most_seconds": 0.05}


@pytest.fixture(scope="session")
def second_server() -> Iterator[Served]:
    """The server of another vendor."""
    served = Served()
    yield served
    served.stop()


@pytest.fixture
def second(second_server: Served, platform: Platform, providers: Providers) -> Vendor:
    """Another vendor, `beta`, which answers other words."""
    made = Vendor()
    made.url, made.words = second_server.url, ["Second", " here"]
    second_server.app = made.app
    providers.create("beta", made.url, kind="openai", api_key=KEY)
    return made


@pytest.fixture
def routes(platform: Platform, second: Vendor) -> Iterator[Routes]:
    """Routes in an environment that is not protected; acme and beta answer there."""
    first_start(platform)
    Members(platform).add("ann", "admin")
    with access.acting_as(replace(access.current(), environment="staging")):
        yield Routes(platform)


@pytest.fixture
def make(routes: Routes) -> Callable[..., Any]:
    """Make the route `chat` over acme, then beta, unless said otherwise."""

    def made(*targets: str, **terms: Any) -> Any:
        names = targets or ("acme/big", "beta/big")
        candidates: Any = [name if isinstance(name, dict) else {"target": name} for name in names]
        terms = {"backoff": SOON, **terms}
        return routes.create("chat", candidates, **terms)

    return made


@pytest.fixture
def staging(gateway_url: str) -> Iterator[OpenAI]:
    """The official client in the environment staging."""
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="ann-staging", max_retries=0) as made:
        yield made


def spans(platform: Platform) -> list[Span]:
    """Return the span of every attempt, the oldest first."""
    platform.spans.flush()
    found = platform.spans.scan("default", SpanFilter(), limit=100)
    return sorted((span for span in found if span.kind != "route"), key=lambda span: span.start_ns)


def asked(client: OpenAI, **given: Any) -> Any:
    """Ask the route and return the raw response."""
    return client.chat.completions.with_raw_response.create(**{"model": "chat", "messages": HI, **given})


def text(raw: Any) -> str:
    """Return the text of an answer."""
    return str(raw.parse().choices[0].message.content)


def streamed(client: OpenAI, **given: Any) -> str:
    """Ask for a stream and return its text."""
    pieces = client.chat.completions.create(**{"model": "chat", "messages": HI, "stream": True, **given})
    return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
