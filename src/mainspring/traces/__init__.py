"""Traces: OTLP in, spans, sessions, scores and feedback, and queries over them.

Every call of a model leaves a trace; what is not to be kept is removed before anything is written.
"""

from mainspring.traces.erasure import erase_traces, expire
from mainspring.traces.intake import Intake
from mainspring.traces.models import (
    Price,
    Score,
    SessionLine,
    SpanDetail,
    TraceDetail,
    TraceLine,
    UsageHour,
    moment,
    nanoseconds,
)
from mainspring.traces.prices import in_force, price_of
from mainspring.traces.scores import of_traces as scores_of_traces
from mainspring.traces.service import Prices, Retentions, Scores, Sessions, Traces

__all__ = [
    "Intake",
    "Price",
    "Prices",
    "Retentions",
    "Score",
    "Scores",
    "SessionLine",
    "Sessions",
    "SpanDetail",
    "TraceDetail",
    "TraceLine",
    "Traces",
    "UsageHour",
    "erase_traces",
    "expire",
    "in_force",
    "moment",
    "nanoseconds",
    "price_of",
    "scores_of_traces",
]
