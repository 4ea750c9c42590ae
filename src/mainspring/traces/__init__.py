"""Traces: OTLP in, spans, sessions, scores and feedback, and queries over them.

Every call of a model leaves a trace; what is not to be kept is removed before anything is written.
"""

from mainspring.traces.capture_service import Captures, Retentions
from mainspring.traces.counting import anthropic_tokens, openai_tokens, span_attributes, span_tokens
from mainspring.traces.erasure import erase_traces, expire
from mainspring.traces.intake import Intake
from mainspring.traces.models import (
    ROUTE,
    Score,
    SessionLine,
    SpanDetail,
    TraceDetail,
    TraceLine,
    UsageHour,
    aware,
    moment,
    nanoseconds,
)
from mainspring.traces.price_service import Prices
from mainspring.traces.prices import book
from mainspring.traces.pricing import Price, PriceBook
from mainspring.traces.scores import of_traces as scores_of_traces
from mainspring.traces.service import Scores, Traces
from mainspring.traces.session_service import Sessions, Users
from mainspring.traces.tokens import Tokens

__all__ = [
    "ROUTE",
    "Captures",
    "Intake",
    "Price",
    "PriceBook",
    "Prices",
    "Retentions",
    "Score",
    "Scores",
    "SessionLine",
    "Sessions",
    "SpanDetail",
    "Tokens",
    "TraceDetail",
    "TraceLine",
    "Traces",
    "UsageHour",
    "Users",
    "anthropic_tokens",
    "aware",
    "book",
    "erase_traces",
    "expire",
    "moment",
    "nanoseconds",
    "openai_tokens",
    "scores_of_traces",
    "span_attributes",
    "span_tokens",
]
