"""The gateway: `/v1/*` as OpenAI's and Anthropic's clients speak it; the hot path, and so on bare ASGI.

Every call is answered on behalf of a key, guarded as its release says, and its trace is written before the last byte
leaves. The answer's headers name the trace and the release.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mainspring.kernel.access import Caller, acting_as, require
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.registry import Remote
from mainspring.serving import embedding, listing
from mainspring.serving.answering import Answerer
from mainspring.serving.cache import NotCached
from mainspring.serving.cache.cache import Cache
from mainspring.serving.cache.models import HEADER
from mainspring.serving.deployments import Subject
from mainspring.serving.directory import Directory
from mainspring.serving.metering import Billing, Meter
from mainspring.serving.models import Origin, Question, Relay, Target, Told, Usage
from mainspring.serving.origins import headers_of, origin_of
from mainspring.serving.protocols import anthropic, lists, openai, responses
from mainspring.serving.protocols.base import Ask, Dialect, Head, Problem, decode
from mainspring.serving.recording import Recorder
from mainspring.serving.routing import Routed, Router, board_of, with_prompt
from mainspring.serving.shadows import Shadows
from mainspring.serving.sources import Sources
from mainspring.serving.streaming import TRACE_HEADER, Call, ClientGone, Connected
from mainspring.serving.totals import Totals
from mainspring.traces import Intake
from mainspring.workspace import require_asked

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")
_log = logging.getLogger(__name__)
_DIALECTS: dict[str, Dialect] = {
    "/v1/chat/completions": openai.Chat(),
    "/v1/completions": openai.Completions(),
    "/v1/responses": responses.Responses(),
    "/v1/messages": anthropic.Messages(),
}
_COUNTS = anthropic.Messages(counts=True)
Handler = Callable[[Call], Awaitable[None]]
_encode = msgspec.json.Encoder().encode
_CACHE = HEADER.encode()


class Endpoint:
    """One path as an ASGI application, which answers every failure in the protocol's own shape."""

    def __init__(self, handle: Handler, error: Callable[[MainspringError], Problem] = openai.error) -> None:
        self._handle = handle
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call of a server."""
        await self.answer(Call(scope, receive, send))

    async def answer(self, call: Call) -> None:
        """Answer one call."""
        failure: MainspringError | None = None
        try:
            await self._handle(call)
            return
        except MainspringError as error:
            failure = error.with_traceback(None)
        except ClientGone:
            pass
        except Exception:
            _log.exception("a gateway call failed")
            failure = MainspringError("The server failed.", hint="See its log in the home folder.")
        # Compiled, a coroutine must not wait within a handler.
        if failure is not None:
            await self.refuse(call, failure)
        else:
            await call.reply(499, b"{}", {})

    async def refuse(self, call: Call, failure: MainspringError) -> None:
        """Answer with an error, in the protocol's own shape."""
        status, body, headers = self._error(failure)
        traced = {TRACE_HEADER: call.trace_id} if call.trace_id else {}
        await call.reply(status, _encode(body), {**headers, **traced})


class Gateway:
    """What lives as long as the application: mount its `routes()`, and `close` it at its end.

    Whoever mounts it puts the authenticated caller into `request.state.caller`, and bounds the body.
    """

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self._platform = platform
        patience = float(settings["engine.queue_seconds"])
        self._sources = Sources(platform, queue=int(settings["engine.queue"]), patience=patience)
        self._intake = Intake(platform)
        self._recorder = Recorder(self._intake)
        self._billing = Billing(Meter(platform))
        self._cache = Cache(platform)
        self._answerer = Answerer(
            self._sources, self._recorder, platform.clock, platform.ids, self._billing, self._cache
        )
        self._board = board_of(platform)
        self._router = Router(self._answerer, self._board)
        self._shadows = Shadows(self._answerer, lambda: sum(self._sources.local_load))
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="gateway")
        secret = platform.keyring.key("clients")
        self._hashed = functools.lru_cache(4096)(lambda peer: hmac.digest(secret, peer.encode(), "sha256").hex()[:12])
        self._directory = Directory(platform, self._threads, self._priced)
        self.posts: dict[str, Endpoint] = {
            **{path: Endpoint(self._spoken(dialect), dialect.error) for path, dialect in _DIALECTS.items()},
            "/v1/messages/count_tokens": Endpoint(self._count, _COUNTS.error),
            "/v1/embeddings": Endpoint(self._embeddings),
        }
        """What answers POST, by path: to be asked without any framework in between."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes, to be mounted at the root."""
        from starlette.routing import Route

        return [
            Route("/v1/models", Endpoint(self._models), methods=["GET"]),
            Route("/v1/models/{model:path}", Endpoint(self._model), methods=["GET"]),
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in self.posts.items()),
        ]

    async def close(self) -> None:
        """Finish what is being written and release the connections."""
        await self._shadows.close()
        await self._sources.close()
        await self._recorder.close()
        await self._cache.close()
        await self._in_thread(self._billing.close)
        self._threads.shutdown(wait=False)

    def totals(self) -> Totals:
        """Return what the gateway has counted in this process, and what it does now."""
        made = self._answerer.counters.snapshot()
        running, waiting = self._sources.load
        made.gauge("num_requests_running", (), running)
        made.gauge("num_requests_waiting", (), waiting)
        for outcome, number in self._shadows.counts.items():
            made.count("shadow_requests_total", (("outcome", outcome),), number)
        self._board.add_to(made)
        self._cache.add_to(made)
        return made

    async def _models(self, call: Call) -> None:
        found = await self._acting(call.caller, lambda: listing.models(self._platform, call.caller))
        await call.reply(200, _encode(lists.models(found)), {})

    async def _model(self, call: Call) -> None:
        name = str(call.scope["path_params"]["model"])
        made = await self._acting(call.caller, lambda: listing.model(self._platform, call.caller, name))
        await call.reply(200, _encode(lists.models([made])["data"][0]), {})

    def _spoken(self, dialect: Dialect) -> Handler:
        """Return what answers at the endpoint of a protocol."""

        async def handle(call: Call) -> None:
            ask = dialect.decode(await call.body())
            origin, target = await self._admit(call, ask)
            question = Question(
                messages=ask.messages,
                options=ask.options,
                variables=ask.variables,
                origin=origin,
                operation=ask.operation,
                passes=dialect.passes,
                relay=Relay() if dialect.passes and ask.stream else None,
            )
            if target.cache is None and call.header(_CACHE).strip().lower() == "only":
                raise NotCached(f"Nothing of {ask.model} is kept.", hint="Ask without the header.")
            if target.cache is not None or isinstance(target, Routed):
                question = msgspec.structs.replace(question, headers=call.headers, told=Told())
            await self._answer(call, dialect, ask, target, question)

        return handle

    async def _count(self, call: Call) -> None:
        ask = _COUNTS.decode(await call.body())
        origin, target = await self._admit(call, ask)
        question = Question(messages=ask.messages, options=ask.options, origin=origin)
        with Connected(call):
            counted = await self._by(target).count(target, question)
        await call.reply(200, _encode({"input_tokens": counted}), {TRACE_HEADER: origin.trace_id})

    async def _embeddings(self, call: Call) -> None:
        body = decode(await call.body(), lists.EmbeddingsBody)
        texts = embedding.check(body)
        if not embedding.is_embedded(self._platform, body.model):
            await self._embedded_elsewhere(call, embedding.asked(body, texts))
            return
        caller = call.caller
        require(caller, "model.use")
        require_asked(caller, f"model/{body.model}")
        origin = self._origin(call, caller, body.user or "", {})
        ticket = await self._billing.hold(*embedding.reservation(origin, caller, body.model, texts))
        try:
            work = functools.partial(embedding.embed, self._platform, caller, origin, texts, body.dimensions)
            made = await self._in_thread(work)
        except BaseException:
            self._billing.count(ticket, Usage())
            raise
        self._billing.count(ticket, Usage(input_tokens=made.tokens))
        await self._recorder.append([made.span])
        answer = lists.embeddings(made.vectors, model=body.model, tokens=made.tokens, encoding=body.encoding_format)
        await call.reply(200, _encode(answer), {TRACE_HEADER: origin.trace_id})

    async def _embedded_elsewhere(self, call: Call, ask: Ask) -> None:
        origin, target = await self._admit(call, ask)
        question = Question(messages=ask.messages, options=ask.options, origin=origin, operation="embeddings")
        if isinstance(target, Routed):
            question = msgspec.structs.replace(question, headers=call.headers, told=Told())
        with Connected(call):
            reply = await self._by(target).embed(target, question)
        await call.reply(200, _encode({**reply, "model": ask.model}), headers_of(question, target))

    async def _answer(self, call: Call, dialect: Dialect, ask: Ask, target: Target, question: Question) -> None:
        origin = question.origin
        self._shadows.make_way(target)
        head = Head(trace_id=origin.trace_id, model=ask.model, created=int(self._platform.clock.now().timestamp()))
        if ask.stream:
            pieces = self._by(target).stream(target, question)
            # Until the first piece is here, a refusal can still be an HTTP status.
            with Connected(call):
                first = await anext(pieces)
            await call.stream(dialect.telling(ask, head), first, pieces, headers_of(question, target), question.relay)
        else:
            with Connected(call):
                answer = await self._by(target).complete(target, question)
            await call.reply(200, _encode(dialect.whole(ask, head, answer)), headers_of(question, target))
        answered = target if question.told is None else question.told.target or target
        if answered.shadow is not None:
            await self._shadows.offer(answered, question)

    def _by(self, target: Target) -> Answerer | Router:
        """Return who answers a call."""
        return self._router if isinstance(target, Routed) else self._answerer

    async def _admit(self, call: Call, ask: Ask) -> tuple[Origin, Target]:
        """Return who asks and where the call goes. Raises Unauthenticated, Denied, NotFound and others."""
        caller = call.caller
        origin = self._origin(call, caller, ask.user, ask.metadata)
        choice = self._directory.known(caller, ask.model) or await self._directory.find(caller, ask.model)
        target = choice.pick(Subject(origin.trace_id, origin.user_id, origin.session_id))
        if ask.prompt:
            target = await self._acting(caller, lambda: self._prompted(target, ask))
        return origin, target

    def _prompted(self, target: Target, ask: Ask) -> Target:
        with self._platform.read() as tx:
            return with_prompt(tx, target, ask.prompt, ask.options)

    def _priced(self, target: Target, at: datetime) -> Target:
        """Return the target with its price: its own, else that of what its provider calls the model."""
        names = [target.model, *([target.spec.model] if isinstance(target.spec, Remote) else [])]
        found = (self._intake.price(target.project, name, at, provider=target.provider) for name in names)
        return replace(target, price=next((price for price in found if price is not None), None))

    def _origin(self, call: Call, caller: Caller, user: str, metadata: Mapping[str, str]) -> Origin:
        return origin_of(call, caller, self._client(call), self._platform.ids, user, metadata)

    def _client(self, call: Call) -> str:
        """Return what stands for the caller's address: the same for the same one, and for nobody to turn back."""
        return self._hashed(call.peer) if call.peer else ""

    async def _acting(self, caller: Caller, work: Callable[[], T]) -> T:
        """Do something in a thread on behalf of a caller."""

        def run() -> T:
            with acting_as(caller):
                return work()

        return await self._in_thread(run)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def problem(path: str, failure: MainspringError) -> Problem:
    """Return the status, body and headers of an error as the protocol of a path tells it."""
    return (anthropic.error if path.startswith("/v1/messages") else openai.error)(failure)
