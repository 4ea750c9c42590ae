"""Fixtures of the serving tests: the base model and a pool of engines that serves it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openai import OpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from tests.serving.vendor import KEY, Vendor

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel import settings
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.errors import NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.registry import ModelContent, ModelFile, Providers, register
from mainspring.serving.gateway import Gateway
from mainspring.workspace import authenticate


def make_caller(role: str, member: str) -> Caller:
    """Return somebody of the project default."""
    return Caller(member, f"key-of-{member}", "default", "production", role, ROLES[role])


class Shelf:
    """Files by content hash, as the pool asks for them."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}

    def add(self, path: Path) -> str:
        """Take in a file and return its SHA-256."""
        with path.open("rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest()
        self.paths[key] = path
        return key

    def path(self, sha256: str) -> Path:
        """Return where a file is."""
        if sha256 not in self.paths:
            raise NotFound("There is no such file.")
        return self.paths[sha256]


def eventually(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)  # a step of waiting on a condition of another thread


@pytest.fixture(scope="session")
def base_model() -> Path:
    """The base model's GGUF file."""
    folder = Path(os.environ.get("MAINSPRING_MODELS") or "~/.mainspring/models").expanduser()
    path = folder / "smollm2" / "model.gguf"
    if not path.exists():
        pytest.fail("the base model is not here: run `make install`, or deselect with -m 'not model'")
    return path


@pytest.fixture
def shelf() -> Shelf:
    """An empty shelf."""
    return Shelf()


@pytest.fixture
def pool(shelf: Shelf, tmp_path: Path) -> Iterator[EnginePool]:
    """A pool of at most two engines."""
    limits = EngineLimits(max_loaded=2, drain_seconds=20, threads=1)
    made = EnginePool(shelf.path, limits=limits, logs=tmp_path / "logs")
    yield made
    made.close()


@pytest.fixture
def spec(shelf: Shelf, base_model: Path) -> EngineSpec:
    """A small engine over the base model."""
    return EngineSpec(base=shelf.add(base_model), context=512, slots=2)


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[Served]:
    """The server of a vendor."""
    served = Served()
    yield served
    served.stop()


@pytest.fixture
def vendor(vendor_server: Served) -> Vendor:
    """A vendor of models."""
    made = Vendor()
    made.url = vendor_server.url
    vendor_server.app = made.app
    return made


@pytest.fixture
def providers(platform: Platform, vendor: Vendor) -> Providers:
    """The vendor under two names, `acme` and `anth`, one for each dialect it speaks."""
    flags = {"home": str(platform.home), "targets.allow_private": True}
    platform.settings = settings.load(flags, environ={}, folder=platform.home)
    made = Providers(platform)
    made.create("acme", vendor.url, kind="openai", api_key=KEY)
    made.create("anth", vendor.url, kind="anthropic", api_key=KEY)
    return made


class FixedEngine:
    """The Engine port over one server that is there already."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.states: list[EngineState] = []

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Return the server, whatever is asked for."""
        self.asked += 1
        return Endpoint(self.url, "engine-key", (spec.adapter,) if spec.adapter else ())

    def keep(self, spec: EngineSpec, seconds: float | None) -> None:
        """Keep nothing."""

    def stop(self, spec: EngineSpec) -> bool:
        """Do nothing: it is not ours."""
        return False

    def list(self) -> list[EngineState]:
        """Return what a test put there."""
        return self.states


class Upstream:
    """A tiny server that speaks llama.cpp's protocol: it answers `words`, one an event, and does what it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.words = ["Hello", " there", "."]
        self.bodies: list[dict[str, Any]] = []
        self.fail: tuple[int, dict[str, Any]] | None = None
        self.die_after = -1
        """Close the connection after so many words."""
        self.hold = False
        """Send the first word, then wait for the client to leave."""
        self.hold_when = ""
        """Hold only what begins with this message."""
        self.fail_when = ""
        """Fail what begins with this message."""
        self.one_at_a_time = 0.0
        """Seconds that each stream has the server to itself for, where there are any."""
        self.cancelled = threading.Event()
        self.deaths = 0
        self._turn = asyncio.Lock()
        self.tool_calls: list[dict[str, Any]] = []
        self.answering: Callable[[dict[str, Any]], list[str]] | None = None
        """Makes the words from what is asked."""

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as an ASGI application."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.json()
        self.bodies.append(body)
        if self.answering is not None:
            self.words = self.answering(body)
        first = str((body.get("messages") or [{}])[0].get("content"))
        if self.fail is not None:
            await JSONResponse(self.fail[1], self.fail[0])(scope, receive, send)
        elif self.fail_when and first.startswith(self.fail_when):
            await JSONResponse({"error": {"message": "no"}}, 400)(scope, receive, send)
        elif self.hold_when and first.startswith(self.hold_when):
            await self._until_left(receive)
        elif self.deaths > 0:
            self.deaths -= 1
            headers = [(b"content-length", b"1000")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            raise ConnectionAbortedError("died before the answer")
        elif body.get("stream"):
            await self._stream(scope, body, receive, send)
        else:
            if self.hold:
                await self._until_left(receive)
                return
            await JSONResponse(self._whole(scope, body))(scope, receive, send)

    def _whole(self, scope: Any, body: dict[str, Any]) -> dict[str, Any]:
        text = "".join(self.words)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        if scope["path"] == "/v1/completions":
            choice["text"] = text
        else:
            choice["message"] = {"role": "assistant", "content": text}
            if self.tool_calls:
                choice["message"]["tool_calls"] = self.tool_calls
        return {"choices": [choice], "usage": self.usage}

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens: seven in, one a word out."""
        return {"prompt_tokens": 7, "completion_tokens": len(self.words), "prompt_tokens_details": {"cached_tokens": 2}}

    async def _until_left(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.cancelled.set()

    async def _stream(self, scope: Any, body: dict[str, Any], receive: Any, send: Any) -> None:
        if self.one_at_a_time:
            async with self._turn:
                await asyncio.sleep(self.one_at_a_time)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def event(data: Any) -> None:
            text = data if isinstance(data, str) else json.dumps(data)
            await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})

        for index, word in enumerate(self.words):
            if index == self.die_after:
                raise ConnectionAbortedError("died in mid-answer")
            piece = {"text": word} if scope["path"] == "/v1/completions" else {"delta": {"content": word}}
            await event({"choices": [{"index": 0, "finish_reason": None, **piece}]})
            if self.hold:
                await self._until_left(receive)
                return
        if self.tool_calls:
            for index, call in enumerate(self.tool_calls):
                function = call["function"]
                begun = {"index": index, "id": call["id"], "function": {"name": function["name"], "arguments": ""}}
                await event({"choices": [{"index": 0, "delta": {"tool_calls": [begun]}, "finish_reason": None}]})
                rest = {"index": index, "function": {"arguments": function["arguments"]}}
                await event({"choices": [{"index": 0, "delta": {"tool_calls": [rest]}, "finish_reason": None}]})
        await event({"choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": "stop"}]})
        await event({"choices": [], "usage": self.usage})
        await event("[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Served:
    """A server in a thread for the whole session; `app` is the application that answers now."""

    def __init__(self) -> None:
        self.app: Any = None
        config = uvicorn.Config(self._answer, host="127.0.0.1", port=0, interface="asgi3", log_level="critical")
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        eventually(lambda: self._server.started)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()
        if scope["type"] == "http":
            await self.app(scope, receive, send)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on the server's event loop."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[Served]:
    """The server behind the gateway."""
    served = Served()
    yield served
    served.stop()


@pytest.fixture(scope="session")
def gateway_server() -> Iterator[Served]:
    """The server in front."""
    served = Served()
    yield served
    served.stop()


@pytest.fixture
def upstream(upstream_server: Served) -> Upstream:
    """The tiny server."""
    made = Upstream()
    made.url = upstream_server.url
    upstream_server.app = made.app
    return made


def register_model(platform: Platform, name: str, path: Path) -> str:
    """Store a GGUF file as a model and return its reference."""
    stored = platform.files.put(path)
    file = ModelFile(path="model.gguf", sha256=stored.sha256, size=stored.size, role="weights")
    with platform.begin() as tx:
        return register(tx, name, ModelContent(format="gguf", files=[file], license="Apache-2.0")).ref


def last_span(platform: Platform) -> Span:
    """Return the only span that there is."""
    platform.spans.flush()
    [span] = platform.spans.scan("default", SpanFilter(), limit=10)
    return span


@pytest.fixture
def small_model(platform: Platform, tmp_path: Path) -> str:
    """A model version that the tiny server stands in for."""
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF, as far as the store is concerned")
    return register_model(platform, "small", file)


@pytest.fixture
def fixed_engine(platform: Platform, upstream: Upstream) -> FixedEngine:
    """The platform's engine is the tiny server."""
    made = FixedEngine()
    made.url = upstream.url
    platform.engine_port = made
    return made


class Keyed:
    """The gateway as the server mounts it: keys become callers before it."""

    def __init__(self, platform: Platform, gateway: Gateway, callers: dict[str, Caller]) -> None:
        self.gateway = gateway
        self._platform = platform
        self._app = Starlette(routes=gateway.routes())
        self._callers = callers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = Request(scope).headers
            token = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
            if token.startswith("ms_"):
                scope.setdefault("state", {})["caller"] = authenticate(self._platform, token)
            if token in self._callers:
                scope.setdefault("state", {})["caller"] = self._callers[token]
        await self._app(scope, receive, send)


@pytest.fixture
def gateway_url(platform: Platform, fixed_engine: FixedEngine, gateway_server: Served) -> Iterator[str]:
    """Where a gateway over the tiny server listens; keys `ann` (admin), `dev`, and `vic` (viewer) are known."""
    callers = {
        name: make_caller(role, name) for name, role in (("ann", "admin"), ("dev", "developer"), ("vic", "viewer"))
    }
    callers["ann-staging"] = replace(callers["ann"], environment="staging")
    gateway = Gateway(platform)
    gateway_server.app = Keyed(platform, gateway, callers)

    yield gateway_server.url
    gateway_server.run(gateway.close())


@pytest.fixture
def client(gateway_url: str) -> Iterator[OpenAI]:
    """The official client, with ann's key."""
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="ann", max_retries=0) as made:
        yield made
