"""The gateway: `/v1/*` as OpenAI's and Anthropic's clients speak it, on Starlette; the hot path.

Every call is answered on behalf of a key, guarded as its release says, and its trace is on disk before the last byte
leaves. The answer's headers name the trace and the release.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from mainspring.kernel.access import Caller, acting_as, require
from mainspring.kernel.errors import MainspringError, Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.registry import Remote
from mainspring.serving import embedding, listing
from mainspring.serving.answering import Answerer
from mainspring.serving.deployments import Subject
from mainspring.serving.metering import Billing, Meter
from mainspring.serving.models import LOADTEST, PLAYGROUND, Origin, Piece, Question, Target, Usage
from mainspring.serving.protocols import anthropic, lists, openai, responses
from mainspring.serving.protocols.base import Ask, Dialect, Head, Problem, Telling, decode
from mainspring.serving.recording import Recorder
from mainspring.serving.shadows import Shadows
from mainspring.serving.sources import Sources
from mainspring.serving.streaming import ClientGone, EventStream, while_connected
from mainspring.serving.targets import resolve, with_prompt
from mainspring.traces import Intake
from mainspring.workspace import require_asked

if TYPE_CHECKING:
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

T = TypeVar("T")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_log = logging.getLogger(__name__)
_DIALECTS: dict[str, Dialect] = {
    "/v1/chat/completions": openai.Chat(),
    "/v1/completions": openai.Completions(),
    "/v1/responses": responses.Responses(),
    "/v1/messages": anthropic.Messages(),
}
_COUNTS = anthropic.Messages(counts=True)
Handler = Callable[["Request"], Coroutine[Any, Any, "Response"]]


class Gateway:
    """What lives as long as the application: mount its `routes()`, and run it within its `lifespan()`.

    Whoever mounts it puts the authenticated caller into `request.state.caller`, and bounds the body.
    """

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self._platform = platform
        patience = float(settings["engine.queue_seconds"])
        self._sources = Sources(platform, queue=int(settings["engine.queue"]), patience=patience)
        self._intake = Intake(platform)
        self._recorder = Recorder(self._intake.append)
        self._billing = Billing(Meter(platform))
        self._answerer = Answerer(self._sources, self._recorder, platform.clock, platform.ids, self._billing)
        self._shadows = Shadows(self._answerer, lambda: sum(self._sources.local_load))
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="gateway")

    def routes(self) -> list[BaseRoute]:
        """Return the routes, to be mounted at the root."""
        from starlette.routing import Route

        return [
            Route("/v1/models", self._guarded(self._models), methods=["GET"]),
            Route("/v1/models/{model:path}", self._guarded(self._model), methods=["GET"]),
            *(Route(path, self._spoken(dialect), methods=["POST"]) for path, dialect in _DIALECTS.items()),
            Route("/v1/messages/count_tokens", self._guarded(self._count, _COUNTS.error), methods=["POST"]),
            Route("/v1/embeddings", self._guarded(self._embeddings), methods=["POST"]),
        ]

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Serve; at the end finish what is being written and release the connections."""
        try:
            yield
        finally:
            await self._shadows.close()
            await self._sources.close()
            await self._recorder.close()
            await self._in_thread(self._billing.close)
            self._threads.shutdown(wait=False)

    def metrics(self) -> str:
        """Return what the gateway has counted, in the text format of Prometheus."""
        running, waiting = self._sources.load
        lines = [
            "# TYPE mainspring_num_requests_running gauge",
            f"mainspring_num_requests_running {running}",
            "# TYPE mainspring_num_requests_waiting gauge",
            f"mainspring_num_requests_waiting {waiting}",
        ]
        return "\n".join(lines) + "\n" + self._answerer.counters.render() + self._shadows.render()

    def _guarded(self, handle: Handler, error: Callable[[MainspringError], Problem] = openai.error) -> Handler:
        """Answer every failure in the protocol's own shape."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handle(request)
            except MainspringError as failure:
                return _refused(request, error(failure))
            except ClientGone:
                return _json({}, 499, {})
            except Exception:
                _log.exception("a gateway call failed")
                hint = "See its log in the home folder."
                return _refused(request, error(MainspringError("The server failed.", hint=hint)))

        return endpoint

    async def _models(self, request: Request) -> Response:
        return _json(
            lists.models(await self._as_caller(request, lambda caller: listing.models(self._platform, caller))),
            200,
            {},
        )

    async def _model(self, request: Request) -> Response:
        name = str(request.path_params["model"])
        made = await self._as_caller(request, lambda caller: listing.model(self._platform, caller, name))
        return _json(lists.models([made])["data"][0], 200, {})

    def _spoken(self, dialect: Dialect) -> Handler:
        """Return the endpoint of a protocol."""

        async def handle(request: Request) -> Response:
            ask = dialect.decode(await request.body())
            origin, target = await self._admit(request, ask)
            question = Question(
                messages=ask.messages,
                options=ask.options,
                variables=ask.variables,
                origin=origin,
                operation=ask.operation,
            )
            return await self._answer(request, dialect, ask, target, question)

        return self._guarded(handle, dialect.error)

    async def _count(self, request: Request) -> Response:
        ask = _COUNTS.decode(await request.body())
        origin, target = await self._admit(request, ask)
        question = Question(messages=ask.messages, options=ask.options, origin=origin)
        counted = await while_connected(request.receive, self._answerer.count(target, question))
        return _json({"input_tokens": counted}, 200, {"x-mainspring-trace-id": origin.trace_id})

    async def _embeddings(self, request: Request) -> Response:
        body = decode(await request.body(), lists.EmbeddingsBody)
        texts = embedding.check(body)
        if self._platform.embed_port is None or body.model != self._platform.embed.name:
            return await self._embedded_elsewhere(request, embedding.asked(body, texts))
        caller = await self._as_caller(request, lambda caller: caller)
        require(caller, "model.use")
        require_asked(caller, f"model/{body.model}")
        embedding.check_size(body)
        origin = self._origin(request, caller, body.user or "", {})
        ticket = await self._billing.hold(*embedding.reservation(origin, caller, body.model, texts))
        try:
            made = await self._in_thread(lambda: embedding.embed(self._platform, caller, origin, texts))
        except BaseException:
            self._billing.count(ticket, Usage())
            raise
        self._billing.count(ticket, Usage(input_tokens=made.tokens))
        await self._recorder.append([made.span])
        answer = lists.embeddings(
            made.vectors, model=self._platform.embed.name, tokens=made.tokens, encoding=body.encoding_format
        )
        return _json(answer, 200, {"x-mainspring-trace-id": origin.trace_id})

    async def _embedded_elsewhere(self, request: Request, ask: Ask) -> Response:
        origin, target = await self._admit(request, ask)
        question = Question(messages=ask.messages, options=ask.options, origin=origin, operation="embeddings")
        reply = await while_connected(request.receive, self._answerer.embed(target, question))
        return _json({**reply, "model": ask.model}, 200, _headers(origin, target))

    async def _answer(
        self, request: Request, dialect: Dialect, ask: Ask, target: Target, question: Question
    ) -> Response:
        origin = question.origin
        self._shadows.make_way(target)
        headers = _headers(origin, target)
        head = Head(trace_id=origin.trace_id, model=ask.model, created=int(self._platform.clock.now().timestamp()))
        if not ask.stream:
            answer = await while_connected(request.receive, self._answerer.complete(target, question))
            response = _json(dialect.whole(ask, head, answer), 200, headers)
            response.background = self._copied(target, question)
            return response
        pieces = self._answerer.stream(target, question)
        # Until the first piece is here, a refusal can still be an HTTP status.
        first = await while_connected(request.receive, anext(pieces))
        stream = EventStream(_events(dialect.telling(ask, head), first, pieces), headers)
        stream.background = self._copied(target, question)
        return stream

    def _copied(self, target: Target, question: Question) -> BackgroundTask | None:
        """Return what makes a copy for the deployment's shadow, to be done after the answer; None without one."""
        from starlette.background import BackgroundTask

        return BackgroundTask(self._shadows.offer, target, question) if target.shadow else None

    async def _admit(self, request: Request, ask: Ask) -> tuple[Origin, Target]:
        """Return who asks and where the call goes. Raises Unauthenticated, Denied, NotFound and others."""

        def admit(caller: Caller) -> tuple[Origin, Target]:
            origin = self._origin(request, caller, ask.user, ask.metadata)
            subject = Subject(origin.trace_id, origin.user_id, origin.session_id)
            with self._platform.read() as tx:
                target = resolve(tx, ask.model, caller.environment, subject=subject)
                if ask.prompt:
                    target = with_prompt(tx, target, ask.prompt, ask.options)
                if target.shadow is not None:
                    target = replace(target, shadow=self._priced(target.shadow, tx.now))
                return origin, self._priced(target, tx.now)

        return await self._as_caller(request, admit)

    def _priced(self, target: Target, at: datetime) -> Target:
        """Return the target with its price: its own, else that of what its provider calls the model."""
        names = [target.model, *([target.spec.model] if isinstance(target.spec, Remote) else [])]
        found = (self._intake.price(target.project, name, at, provider=target.provider) for name in names)
        return replace(target, price=next((price for price in found if price is not None), None))

    def _origin(self, request: Request, caller: Caller, user: str, metadata: Mapping[str, str]) -> Origin:
        parent = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
        given, source = dict(metadata), request.headers.get("x-mainspring-source", "")
        request.state.trace_id = parent[1] if parent else self._platform.ids.new().replace("-", "")
        return Origin(
            member=caller.member,
            key_id=caller.key_id,
            trace_id=request.state.trace_id,
            parent_id=parent[2] if parent else "",
            session_id=given.pop("session_id", "") or request.headers.get("x-mainspring-session", "")[:256],
            user_id=user or given.pop("user_id", "") or request.headers.get("x-mainspring-user", "")[:256],
            service=source if source in (PLAYGROUND, LOADTEST) else "mainspring",
            metadata=given,
        )

    async def _as_caller(self, request: Request, work: Callable[[Caller], T]) -> T:
        """Run `work` in a thread on behalf of the authenticated caller."""
        caller: Caller | None = getattr(request.state, "caller", None)
        if caller is None:
            raise Unauthenticated("No API key was sent.", hint="Send 'Authorization: Bearer ms_…'.")

        def run() -> T:
            with acting_as(caller):
                return work(caller)

        return await self._in_thread(run)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


async def _events(telling: Telling, piece: Piece, rest: AsyncGenerator[Piece, None]) -> AsyncGenerator[bytes, None]:
    """Yield a stream from its first piece on; a failure in its middle is its end."""
    try:
        begun = telling.opened()
        while not piece.finish_reason:
            yield begun + telling.told(piece)
            begun, piece = b"", await anext(rest)
        yield begun + telling.ended(piece)
    except MainspringError as failure:
        yield telling.failed(failure)
    finally:
        await rest.aclose()


def problem(path: str, failure: MainspringError) -> Problem:
    """Return the status, body and headers of an error as the protocol of a path tells it."""
    return (anthropic.error if path.startswith("/v1/messages") else openai.error)(failure)


def _headers(origin: Origin, target: Target) -> dict[str, str]:
    headers = {"x-mainspring-trace-id": origin.trace_id, "x-mainspring-model": target.model}
    if target.release:
        headers["x-mainspring-release"] = target.release
    if target.deployment:
        headers["x-mainspring-deployment"] = target.deployment
    return headers


def _refused(request: Request, told: Problem) -> Response:
    status, body, headers = told
    trace_id = getattr(request.state, "trace_id", "")
    return _json(body, status, {**headers, **({"x-mainspring-trace-id": trace_id} if trace_id else {})})


def _json(body: Any, status: int, headers: dict[str, str]) -> Response:
    import msgspec
    from starlette.responses import Response

    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
