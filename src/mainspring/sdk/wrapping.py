"""`wrap`: a client of a model, or of HTTP, whose calls are recorded. The object stays what it is, and is returned."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from mainspring.sdk import anthropic_calls, context, openai_calls
from mainspring.sdk.active import exporter, log
from mainspring.sdk.decorate import begin, finish, troubled
from mainspring.sdk.live import LiveSpan

T = TypeVar("T")
_MARK = "_mainspring_wrapped"


class Call(Protocol):
    """What is known of one method of a vendor's client."""

    kind: str

    def asked(self, span: LiveSpan, given: dict[str, Any]) -> None:
        """Note what was asked."""
        ...

    def answered(self, span: LiveSpan, result: Any) -> None:
        """Note what was answered."""
        ...

    def collector(self, span: LiveSpan) -> Collector:
        """Return what gathers a stream."""
        ...


class Collector(Protocol):
    """Gathers the pieces of a stream."""

    def add(self, piece: Any) -> None:
        """Take one piece."""
        ...

    def done(self) -> None:
        """Note the whole on the span."""
        ...


def wrap(client: T) -> T:
    """Record the calls of an OpenAI or Anthropic client, synchronous or not, or carry the trace in httpx and requests.

    The client itself is changed and returned, so that its type stays; wrapping it again changes nothing.
    """
    try:
        module = type(client).__module__.partition(".")[0]
        if module in ("openai", "anthropic"):
            _wrap_vendor(client, (openai_calls if module == "openai" else anthropic_calls).METHODS)
        elif module in ("httpx", "httpx2", "requests"):
            _wrap_http(client, module)
        else:
            log.warning("mainspring: wrap does not know %s.%s", type(client).__module__, type(client).__qualname__)
    except Exception as problem:  # a client of a later version works on, unrecorded
        log.warning("mainspring: a client cannot be wrapped: %s: %s", type(problem).__name__, problem)
    return client


def _wrap_vendor(client: Any, methods: dict[str, Call]) -> None:
    if getattr(client, _MARK, False):
        return
    server = str(getattr(client, "base_url", "")).partition("://")[2].partition("/")[0].rpartition("@")[2]
    for path, call in methods.items():
        *parts, method = path.split(".")
        owner = functools.reduce(lambda found, name: getattr(found, name, None), parts, client)
        original = getattr(owner, method, None)
        if original is not None and not getattr(original, _MARK, False):
            setattr(owner, method, _recorded(original, call, server))
    for name in ("copy", "with_options"):
        original = getattr(client, name, None)
        if original is not None:
            setattr(client, name, _also(original))
    setattr(client, _MARK, True)


def _also(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def copied(*args: Any, **kwargs: Any) -> Any:
        return wrap(original(*args, **kwargs))

    return copied


def _recorded(original: Callable[..., Any], call: Call, server: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        span = begin(f"{call.kind} {kwargs.get('model') or ''}".strip(), call.kind)
        if span is None:
            return original(*args, **kwargs)
        _safely(call.asked, span, kwargs)
        span.set(**{"server.address": server})
        given = kwargs.get("extra_headers")
        said = {"traceparent": span.traceparent, **_whose(span, server)}
        kwargs["extra_headers"] = {**said, **(given if isinstance(given, dict) else {})}
        entered = context.enter(span)
        try:
            result = original(*args, **kwargs)
        except BaseException as problem:
            finish(span, problem)
            raise
        finally:
            context.leave(entered)
        if inspect.iscoroutine(result):
            return _awaited(result, call, span)
        return _taken(result, call, span)

    setattr(recorded, _MARK, True)
    return recorded


def _whose(span: LiveSpan, server: str) -> dict[str, str]:
    """Return the headers that tell the gateway session and user; nobody else is told, nor where a hook redacts them."""
    sender = exporter()
    if sender is None or sender.target.redact is not None or urlsplit(sender.target.url).netloc != server:
        return {}
    said = {"x-mainspring-session": span.session_id, "x-mainspring-user": span.user_id}
    return {
        name: value
        for name, value in said.items()
        if value and value.isascii() and value.isprintable() and value == value.strip()
    }


async def _awaited(waiting: Any, call: Call, span: LiveSpan) -> Any:
    entered = context.enter(span)
    try:
        result = await waiting
    except BaseException as problem:
        finish(span, problem)
        raise
    finally:
        context.leave(entered)
    return _taken(result, call, span)


def _taken(result: Any, call: Call, span: LiveSpan) -> Any:
    """Note an answer, or have a stream noted as it goes by; return it as it is, or what stands for it."""
    try:
        if hasattr(result, "__enter__") or hasattr(result, "__aenter__"):
            if hasattr(result, "_iterator"):
                _observe(result, call, span)
                return result
            if type(result).__name__.endswith("StreamManager"):
                return Manager(result, call, span)
        call.answered(span, result)
    except Exception as problem:  # an answer of a form that is not known stays the application's
        troubled(problem)
    finish(span)
    return result


def _observe(stream: Any, call: Call, span: LiveSpan) -> None:
    """Look at the pieces of a vendor's stream as its consumer takes them; the span ends with it, or as it is closed."""
    collector = call.collector(span)

    def end(problem: BaseException | None = None) -> None:
        if not span.end_ns:
            _safely(collector.done)
            finish(span, problem)

    def closed(original: Callable[[], Any]) -> Callable[[], Any]:
        @functools.wraps(original)
        def close() -> Any:
            end()
            return original()

        return close

    pieces = stream._iterator
    is_async = hasattr(pieces, "__anext__")
    stream._iterator = (
        _async_pieces(pieces, collector, span, end) if is_async else _pieces(pieces, collector, span, end)
    )
    stream.close = closed(stream.close)


def _pieces(pieces: Iterator[Any], collector: Collector, span: LiveSpan, end: Callable[..., None]) -> Iterator[Any]:
    try:
        for piece in pieces:
            _first(span)
            _safely(collector.add, piece)
            yield piece
    except BaseException as problem:
        end(problem)
        raise
    finally:
        end()


async def _async_pieces(
    pieces: AsyncIterator[Any], collector: Collector, span: LiveSpan, end: Callable[..., None]
) -> AsyncIterator[Any]:
    try:
        async for piece in pieces:
            _first(span)
            _safely(collector.add, piece)
            yield piece
    except BaseException as problem:
        end(problem)
        raise
    finally:
        end()


def _first(span: LiveSpan) -> None:
    if "gen_ai.response.time_to_first_chunk" not in span.attributes:
        span.attributes["gen_ai.response.time_to_first_chunk"] = span.elapsed()


class Manager:
    """Stands for a vendor's stream manager: what it enters is observed."""

    def __init__(self, inner: Any, call: Call, span: LiveSpan) -> None:
        self._inner, self._call, self._span = inner, call, span

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __enter__(self) -> Any:
        return self._entered(self._within(self._inner.__enter__))

    def __exit__(self, *about: Any) -> Any:
        try:
            return self._inner.__exit__(*about)
        finally:
            finish(self._span, about[1])

    async def __aenter__(self) -> Any:
        entered = context.enter(self._span)
        try:
            stream = await self._inner.__aenter__()
        except BaseException as problem:
            finish(self._span, problem)
            raise
        finally:
            context.leave(entered)
        return self._entered(stream)

    async def __aexit__(self, *about: Any) -> Any:
        try:
            return await self._inner.__aexit__(*about)
        finally:
            finish(self._span, about[1])

    def _within(self, enter: Callable[[], Any]) -> Any:
        entered = context.enter(self._span)
        try:
            return enter()
        except BaseException as problem:
            finish(self._span, problem)
            raise
        finally:
            context.leave(entered)

    def _entered(self, stream: Any) -> Any:
        raw = getattr(stream, "_raw_stream", None)
        if raw is not None and hasattr(raw, "_iterator"):
            _safely(_observe, raw, self._call, self._span)
        return stream


def _wrap_http(client: Any, module: str) -> None:
    if getattr(client, _MARK, False):
        return
    if module == "requests":
        send = client.send

        @functools.wraps(send)
        def carrying(request: Any, **how: Any) -> Any:
            for name, value in context.headers().items():
                request.headers.setdefault(name, value)
            return send(request, **how)

        client.send = carrying
    elif "Async" in type(client).__name__:

        async def carry(request: Any) -> None:
            for name, value in context.headers().items():
                request.headers.setdefault(name, value)

        client.event_hooks["request"].append(carry)
    else:

        def carry_on(request: Any) -> None:
            for name, value in context.headers().items():
                request.headers.setdefault(name, value)

        client.event_hooks["request"].append(carry_on)
    setattr(client, _MARK, True)


def _safely(work: Callable[..., Any], *args: Any) -> None:
    try:
        work(*args)
    except Exception as problem:  # recording is never worth the application's call
        troubled(problem)
