"""The SDK: traces of an application, sent in the background as OTLP, with nothing of the server loaded.

`import mainspring` shows these names; nothing is recorded until `init` is called.
"""

from mainspring.sdk.active import counters, flush, init, shutdown
from mainspring.sdk.context import continue_trace, current_trace_id, headers, session, user
from mainspring.sdk.decorate import span, trace
from mainspring.sdk.judging import feedback, score
from mainspring.sdk.live import LiveSpan
from mainspring.sdk.otel import otel_processor
from mainspring.sdk.wrapping import wrap

__all__ = [
    "LiveSpan",
    "continue_trace",
    "counters",
    "current_trace_id",
    "feedback",
    "flush",
    "headers",
    "init",
    "otel_processor",
    "score",
    "session",
    "shutdown",
    "span",
    "trace",
    "user",
    "wrap",
]
