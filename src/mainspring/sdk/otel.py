"""Together with OpenTelemetry: our spans and those of its instrumentations form one tree, and go the same way."""

from __future__ import annotations

from typing import Any

from mainspring.sdk.context import Remote
from mainspring.sdk.live import LiveSpan


def innermost() -> LiveSpan | Remote | None:
    """Return the innermost span of OpenTelemetry's context: one of ours that stands in it, or one of its own."""
    from opentelemetry import trace

    found = trace.get_current_span()
    ours = getattr(found, "mainspring_span", None)
    if ours is not None:
        return ours  # type: ignore[no-any-return]
    about = found.get_span_context()
    if not about.is_valid:
        return None
    return Remote(f"{about.trace_id:032x}", f"{about.span_id:016x}", bool(about.trace_flags & 1))


def attach(span: LiveSpan | Remote) -> Any:
    """Put one of our spans into OpenTelemetry's context, so that its spans become children; return a token."""
    from opentelemetry import context, trace

    about = trace.SpanContext(
        trace_id=int(span.trace_id, 16),
        span_id=int(span.span_id, 16),
        is_remote=isinstance(span, Remote),
        trace_flags=trace.TraceFlags(1 if span.sampled else 0),
    )
    stand_in = trace.NonRecordingSpan(about)
    if isinstance(span, LiveSpan):
        stand_in.mainspring_span = span
    return context.attach(trace.set_span_in_context(stand_in))


def detach(token: Any) -> None:
    """Undo `attach`, where it was done in this context."""
    from opentelemetry.context import _RUNTIME_CONTEXT

    try:
        # context.detach would log an error where a generator ends in another context than it began in.
        _RUNTIME_CONTEXT.detach(token)
    except ValueError:
        return


def otel_processor() -> Any:
    """Return a span processor that sends OpenTelemetry's spans the way that ours go.

    `init` adds one to the tracer provider that is set by then; add it yourself to one that is set later.
    """
    from opentelemetry.sdk.trace import SpanProcessor

    class MainspringProcessor(SpanProcessor):  # type: ignore[misc]
        """Hands ended spans to the exporter."""

        def on_end(self, span: Any) -> None:
            """Queue a span."""
            from mainspring.sdk.active import exporter

            sender = exporter()
            if sender is not None and span.context is not None and span.context.trace_flags.sampled:
                sender.put(span, _size(span))

        def force_flush(self, timeout_millis: int = 5000) -> bool:
            """Send what is queued."""
            from mainspring.sdk.active import flush

            return flush(timeout_millis / 1000)

    return MainspringProcessor()


def _size(span: Any) -> int:
    """Return about how many bytes of memory an ended span takes."""
    held = [span.attributes or {}, *(event.attributes or {} for event in span.events)]
    return 2_000 + sum(_length(value) for values in held for value in values.values())


def _length(value: Any) -> int:
    if isinstance(value, str | bytes):
        return 50 + len(value)
    return sum(map(_length, value)) if isinstance(value, list | tuple) else 50


def join_provider() -> bool:
    """Add our processor to the tracer provider that is set; return whether there is one."""
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    if not hasattr(provider, "add_span_processor"):
        return False
    if not getattr(provider, "_mainspring", False):
        provider.add_span_processor(otel_processor())
        provider._mainspring = True
    return True
