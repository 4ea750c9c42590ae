"""`trace`, a decorator, and `span`, a block: what a function does, as a span."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, overload

from mainspring.sdk import context
from mainspring.sdk.active import Active, log
from mainspring.sdk.live import LiveSpan

P = ParamSpec("P")
R = TypeVar("R")
_ITEMS = 1_000
"""Items of a generator that are kept as its output."""


def begin(name: str, kind: str) -> LiveSpan | None:
    """Begin a span at its place; None where nothing is recorded."""
    sender = Active.exporter
    if sender is None:
        return None
    try:
        made = LiveSpan(name, kind, Active.limit)
        context.adopt(made, Active.sample)
        if made.sampled:
            sender.begun(made)
    except Exception as problem:  # whatever it is, the application's own work goes on
        troubled(problem)
        return None
    return made


def finish(span: LiveSpan, problem: BaseException | None = None) -> None:
    """End a span and hand it to the exporter; the first call counts."""
    if span.end_ns:
        return
    try:
        if problem is not None and not isinstance(problem, GeneratorExit | StopIteration | StopAsyncIteration):
            span.fail(problem)
        span.ended()
        sender = Active.exporter
        if sender is not None:
            sender.open.pop(span.span_id, None)
            if span.sampled or span.status == 2:
                sender.put(span, span.size)
    except Exception as trouble:  # whatever it is, the application's own work goes on
        troubled(trouble)


def troubled(problem: Exception) -> None:
    """Say once that tracing has a defect."""
    if "troubled" not in _said:
        _said.add("troubled")
        log.warning("mainspring: a call was not traced: %s: %s", type(problem).__name__, problem)


_said: set[str] = set()


class Quiet(LiveSpan):
    """A span that nobody records."""

    def kept(self, value: Any) -> Any:
        """Keep nothing."""
        return None


@contextmanager
def span(name: str, kind: str = "", *, input: Any = None, **attributes: Any) -> Iterator[LiveSpan]:
    """Record what a block does: `with mainspring.span("look up", kind="tool") as span: …`."""
    made = begin(name, kind)
    if made is None:
        yield Quiet(name, kind, 0)
        return
    if input is not None and Active.capture:
        made.set_input(input)
    made.set(**attributes)
    entered = context.enter(made)
    try:
        yield made
    except BaseException as problem:
        context.leave(entered)
        finish(made, problem)
        raise
    context.leave(entered)
    finish(made)


@overload
def trace(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def trace(
    function: None = None, /, *, name: str = "", kind: str = "", capture_input: bool = True, capture_output: bool = True
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def trace(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    kind: str = "",
    capture_input: bool = True,
    capture_output: bool = True,
) -> Any:
    """Record each call of a function, method, coroutine, generator or asynchronous generator as a span.

    `kind` is one of agent, tool, llm, embedding, retriever, reranker, chain, guardrail, evaluator, or a word of your
    own. A generator's span lasts until it is exhausted or closed, and its output is what it yielded. A class stays as
    it is.
    """

    def decorate(given: Any) -> Any:
        if isinstance(given, staticmethod | classmethod):
            return type(given)(decorate(given.__func__))
        if isinstance(given, type):
            log.warning("mainspring: trace takes functions, and leaves the class %s as it is", given.__qualname__)
            return given
        said = name or str(getattr(given, "__qualname__", given)).replace("<locals>.", "")
        return _Call(given, said, kind, capture_input, capture_output).traced()

    return decorate if function is None else decorate(function)


class _Call:
    """One decorated function."""

    def __init__(self, function: Callable[..., Any], name: str, kind: str, inputs: bool, outputs: bool) -> None:
        self.function, self.name, self.kind = function, name, kind
        self.inputs, self.outputs = inputs, outputs
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        self.names = [
            each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        ]
        self.skip = 1 if self.names[:1] in (["self"], ["cls"]) else 0

    def traced(self) -> Callable[..., Any]:
        """Return the function that takes its place."""
        if inspect.isasyncgenfunction(self.function):
            return self.async_generator()
        if inspect.isgeneratorfunction(self.function):
            return self.generator()
        return self.coroutine() if inspect.iscoroutinefunction(self.function) else self.plain()

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LiveSpan | None:
        made = begin(self.name, self.kind)
        if made is not None and self.inputs and Active.capture:
            said = dict(zip(self.names[self.skip :], args[self.skip :], strict=False))
            if len(args) > len(self.names):
                said["args"] = args[len(self.names) :]
            made.set_input({**said, **kwargs})
        return made

    def output(self, span: LiveSpan, value: Any) -> None:
        if self.outputs and Active.capture and value is not None and span.output is None:
            span.set_output(value)

    def plain(self) -> Callable[..., Any]:
        @functools.wraps(self.function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            span = self.begin(args, kwargs)
            if span is None:
                return self.function(*args, **kwargs)
            entered = context.enter(span)
            try:
                value = self.function(*args, **kwargs)
            except BaseException as problem:
                context.leave(entered)
                finish(span, problem)
                raise
            context.leave(entered)
            self.output(span, value)
            finish(span)
            return value

        return traced

    def coroutine(self) -> Callable[..., Any]:
        @functools.wraps(self.function)
        async def traced(*args: Any, **kwargs: Any) -> Any:
            span = self.begin(args, kwargs)
            if span is None:
                return await self.function(*args, **kwargs)
            entered = context.enter(span)
            try:
                value = await self.function(*args, **kwargs)
            except BaseException as problem:
                context.leave(entered)
                finish(span, problem)
                raise
            context.leave(entered)
            self.output(span, value)
            finish(span)
            return value

        return traced

    def generator(self) -> Callable[..., Any]:
        @functools.wraps(self.function)
        def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            span = self.begin(args, kwargs)
            inner = self.function(*args, **kwargs)
            if span is None:
                return (yield from inner)
            return (yield from self._steps(span, inner))

        return traced

    def _steps(self, span: LiveSpan, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Go through a generator with its span current only while it runs, not while its consumer does."""
        items: list[Any] = []
        step: Callable[[], Any] = functools.partial(next, inner)
        try:
            while True:
                entered = context.enter(span)
                try:
                    item = step()
                except StopIteration as end:
                    return end.value
                finally:
                    context.leave(entered)
                if len(items) < _ITEMS:
                    items.append(item)
                try:
                    given = yield item
                    step = functools.partial(inner.send, given)
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as problem:
                    step = functools.partial(inner.throw, problem)
        except BaseException as problem:
            self.output(span, items)
            finish(span, problem)
            raise
        finally:
            self.output(span, items)
            finish(span)

    def async_generator(self) -> Callable[..., Any]:
        @functools.wraps(self.function)
        async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            span = self.begin(args, kwargs)
            inner = self.function(*args, **kwargs)
            items: list[Any] = []
            step: Callable[[], Any] = inner.__anext__
            try:
                while True:
                    entered = context.enter(span) if span is not None else None
                    try:
                        item = await step()
                    except StopAsyncIteration:
                        return
                    finally:
                        if entered is not None:
                            context.leave(entered)
                    if span is not None and len(items) < _ITEMS:
                        items.append(item)
                    try:
                        given = yield item
                        step = functools.partial(inner.asend, given)
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as problem:
                        step = functools.partial(inner.athrow, problem)
            except BaseException as problem:
                if span is not None:
                    self.output(span, items)
                    finish(span, problem)
                raise
            finally:
                if span is not None:
                    self.output(span, items)
                    finish(span)

        return traced
