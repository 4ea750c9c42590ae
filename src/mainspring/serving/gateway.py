"""The gateway: `/v1/*` as OpenAI's clients speak it, on Starlette; the hot path.

Every call is answered on behalf of a key, guarded as its release says, and its trace is on disk before the last byte
leaves. The answer's headers name the trace and the release.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
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
from mainspring.serving.models import LOADTEST, PLAYGROUND, Operation, Origin, Piece, Question, Target, Usage
from mainspring.serving.protocols import openai
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


class Gateway:
    """What lives as long as the application: mount its `routes()`, and run it within its `lifespan()`.

    Whoever mounts it puts the authenticated caller into `request.state.caller`, and bounds the body.
    """

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self._platform = platform
        self._sources = Sources(platform, queue=int(settings["engine.queue"]))
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
            Route("/v1/chat/completions", self._guarded(self._chat), methods=["POST"]),
            Route("/v1/completions", self._guarded(self._text), methods=["POST"]),
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

    def _guarded(
        self, handle: Callable[[Request], Coroutine[Any, Any, Response]]
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer every failure in the protocol's own shape."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handle(request)
            except MainspringError as failure:
                return _refused(request, failure)
            except ClientGone:
                return _json({}, 499, {})
            except Exception:
                _log.exception("a gateway call failed")
                return _refused(request, MainspringError("The server failed.", hint="See its log in the home folder."))

        return endpoint

    async def _models(self, request: Request) -> Response:
        return _json(
            openai.models(await self._as_caller(request, lambda caller: listing.models(self._platform, caller))),
            200,
            {},
        )

    async def _model(self, request: Request) -> Response:
        name = str(request.path_params["model"])
        made = await self._as_caller(request, lambda caller: listing.model(self._platform, caller, name))
        return _json(openai.models([made])["data"][0], 200, {})

    async def _chat(self, request: Request) -> Response:
        body = openai.decode(await request.body(), openai.ChatBody)
        messages = openai.messages_of(body)
        origin, target = await self._admit(request, body)
        question = Question(
            messages=messages, options=body.options(), variables=body.variables, origin=origin, operation="chat"
        )
        return await self._answer(request, target, question, body)

    async def _text(self, request: Request) -> Response:
        body = openai.decode(await request.body(), openai.TextBody)
        origin, target = await self._admit(request, body)
        messages = [{"role": "user", "content": body.text}]
        question = Question(messages=messages, options=body.common(), origin=origin, operation="text_completion")
        return await self._answer(request, target, question, body)

    async def _embeddings(self, request: Request) -> Response:
        body = openai.decode(await request.body(), openai.EmbeddingsBody)
        texts = embedding.check(body, self._platform.embed.name)
        caller = await self._as_caller(request, lambda caller: caller)
        require(caller, "model.use")
        require_asked(caller, f"model/{body.model}")
        origin = self._origin(request, caller, body.user, None)
        ticket = await self._billing.hold(*embedding.reservation(origin, caller, body.model, texts))
        try:
            made = await self._in_thread(lambda: embedding.embed(self._platform, caller, origin, texts))
        except BaseException:
            self._billing.count(ticket, Usage())
            raise
        self._billing.count(ticket, Usage(input_tokens=made.tokens))
        await self._recorder.append([made.span])
        answer = openai.embeddings(
            made.vectors, model=self._platform.embed.name, tokens=made.tokens, encoding=body.encoding_format
        )
        return _json(answer, 200, {"x-mainspring-trace-id": origin.trace_id})

    async def _answer(
        self, request: Request, target: Target, question: Question, body: openai.ChatBody | openai.TextBody
    ) -> Response:
        origin, created = question.origin, int(self._platform.clock.now().timestamp())
        self._shadows.make_way()
        headers = _headers(origin, target)
        head = {"trace_id": origin.trace_id, "model": body.model, "created": created}
        if not body.stream:
            answer = await while_connected(request.receive, self._answerer.complete(target, question))
            response = _json(openai.whole(question.operation, answer, model=body.model, created=created), 200, headers)
            response.background = self._copied(target, question)
            return response
        pieces = self._answerer.stream(target, question)
        # Until the first piece is here, a refusal can still be an HTTP status.
        first = await while_connected(request.receive, anext(pieces))
        wants_usage = body.stream_options is not None and body.stream_options.include_usage
        stream = EventStream(_events(question.operation, first, pieces, head, wants_usage), headers)
        stream.background = self._copied(target, question)
        return stream

    def _copied(self, target: Target, question: Question) -> BackgroundTask | None:
        """Return what makes a copy for the deployment's shadow, to be done after the answer; None without one."""
        from starlette.background import BackgroundTask

        return BackgroundTask(self._shadows.offer, target, question) if target.shadow else None

    async def _admit(self, request: Request, body: openai.ChatBody | openai.TextBody) -> tuple[Origin, Target]:
        """Return who asks and where the call goes. Raises Unauthenticated, Denied, NotFound and others."""

        def admit(caller: Caller) -> tuple[Origin, Target]:
            origin = self._origin(request, caller, body.user, body.metadata)
            subject = Subject(origin.trace_id, origin.user_id, origin.session_id)
            with self._platform.read() as tx:
                target = resolve(tx, body.model, caller.environment, subject=subject)
                if isinstance(body, openai.ChatBody) and body.prompt:
                    target = with_prompt(tx, target, body.prompt, body.options())
                if target.shadow is not None:
                    target = replace(target, shadow=self._priced(target.shadow, tx.now))
                return origin, self._priced(target, tx.now)

        return await self._as_caller(request, admit)

    def _priced(self, target: Target, at: datetime) -> Target:
        """Return the target with its price: its own, else that of what its provider calls the model."""
        names = [target.model, *([target.spec.model] if isinstance(target.spec, Remote) else [])]
        found = (self._intake.price(target.project, name, at, provider=target.provider) for name in names)
        return replace(target, price=next((price for price in found if price is not None), None))

    def _origin(self, request: Request, caller: Caller, user: str | None, metadata: dict[str, str] | None) -> Origin:
        parent = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
        given, source = dict(metadata or {}), request.headers.get("x-mainspring-source", "")
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


async def _events(
    operation: Operation, first: Piece, rest: AsyncGenerator[Piece, None], head: dict[str, Any], wants_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a stream; a failure in its middle is its last event."""
    try:
        if operation == "chat":
            yield openai.sse(openai.chunk(operation, None, **head))
        piece = first
        while True:
            yield openai.sse(openai.chunk(operation, piece, **head))
            if piece.finish_reason:
                break
            piece = await anext(rest)
        if wants_usage and piece.usage is not None:
            yield openai.sse(openai.usage_chunk(operation, piece, **head))
        yield openai.sse("[DONE]")
    except MainspringError as failure:
        yield openai.sse(openai.error(failure)[1])
    finally:
        await rest.aclose()


def _headers(origin: Origin, target: Target) -> dict[str, str]:
    headers = {"x-mainspring-trace-id": origin.trace_id, "x-mainspring-model": target.model}
    if target.release:
        headers["x-mainspring-release"] = target.release
    return headers


def _refused(request: Request, failure: MainspringError) -> Response:
    status, body, headers = openai.error(failure)
    trace_id = getattr(request.state, "trace_id", "")
    return _json(body, status, {**headers, **({"x-mainspring-trace-id": trace_id} if trace_id else {})})


def _json(body: Any, status: int, headers: dict[str, str]) -> Response:
    import msgspec
    from starlette.responses import Response

    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
