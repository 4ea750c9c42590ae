"""Mainspring: the whole LLM lifecycle in one self-hosted product.

`import mainspring` loads nothing more; the names below, with which an application is traced, load the SDK when they
are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.sdk import (
        LiveSpan,
        continue_trace,
        counters,
        current_trace_id,
        feedback,
        flush,
        headers,
        init,
        otel_processor,
        score,
        session,
        shutdown,
        span,
        trace,
        user,
        wrap,
    )

__version__ = "0.1.0"

__all__ = [
    "LiveSpan",
    "__version__",
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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mainspring' has no attribute '{name}'")
    from mainspring import sdk

    return getattr(sdk, name)
