"""What an export holds, in our own words."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from mainspring.kernel.errors import Invalid
from mainspring.prompts.models import Parameters

_NAME = re.compile(r"[^a-z0-9._-]+")
_HEX = re.compile(r"[0-9a-f]+")
MOST_ROWS = 1_000_000
_PARAMETERS = {name: name for name in Parameters.model_fields} | {"stop_sequences": "stop"}
"""What products say of sampling, and what it is called here."""


@dataclass(frozen=True, slots=True)
class MovedScore:
    """A judgement of a trace, a span or a session."""

    name: str
    trace_id: str = ""
    span_id: str = ""
    session_id: str = ""
    number: float | None = None
    label: str | None = None
    comment: str = ""
    correction: str = ""
    source: str = "human"
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MovedPrompt:
    """A version of a prompt."""

    name: str
    version: int
    text: str = ""
    messages: tuple[dict[str, str], ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    note: str = ""


@dataclass(slots=True)
class Moved:
    """Everything that was read."""

    spans: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """OpenTelemetry's JSON, by trace."""
    scores: list[MovedScore] = field(default_factory=list)
    prompts: list[MovedPrompt] = field(default_factory=list)
    datasets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    """How many were left out, by why."""

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Leave out what is not of the shape that its product writes: one such is no reason to read no other."""
        try:
            yield
        except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError):
            self.leave(f"{what} of an unknown shape")

    def leave(self, why: str, number: int = 1) -> None:
        """Note what is not taken."""
        if number:
            self.left[why] += number


def named(text: str) -> str:
    """Return a name as ours are: small letters, digits, '.', '_' and '-'."""
    found = _NAME.sub("-", text.strip().lower()).strip("-._")[:128]
    return found or f"unnamed-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def hex_id(text: str, length: int) -> str:
    """Return an id of so many hex digits: the one that is there where it is such, else one made from it."""
    bare = text.replace("-", "").lower()
    if len(bare) == length and _HEX.fullmatch(bare) and bare.strip("0"):
        return bare
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def moment(value: Any) -> datetime | None:
    """Read a moment: RFC 3339, with a space in place of the T, or milliseconds since 1970. None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e14:
        return datetime.fromtimestamp(value / 1000, UTC)
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def nanos(value: datetime) -> int:
    """Return nanoseconds since 1970."""
    whole = int(value.timestamp())
    return whole * 10**9 + value.microsecond * 1000


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Write attributes as OpenTelemetry's JSON does; what is empty is left out, what is nested is JSON."""
    found = []
    for key, value in values.items():
        if value is None or value in ("", [], {}):
            continue
        if isinstance(value, bool):
            said: dict[str, Any] = {"boolValue": value}
        elif isinstance(value, int):
            said = {"intValue": str(value)}
        elif isinstance(value, float) and math.isfinite(value):
            said = {"doubleValue": value}
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            said = {"arrayValue": {"values": [{"stringValue": one} for one in value]}}
        else:
            said = {"stringValue": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
        found.append({"key": key, "value": said})
    return found


def sampling(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a prompt's settings say of sampling, and the rest: what is unknown here, or not within our bounds."""
    known: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for key, value in config.items():
        name = _PARAMETERS.get(key)
        if name is None:
            other[key] = value
        elif value is not None:
            meant = [value] if name == "stop" and isinstance(value, str) else value
            try:
                Parameters.model_validate({name: meant})
            except ValidationError:
                other[key] = value
            else:
                known[name] = meant
    return known, other


def finite(value: Any) -> float | None:
    """Return a number; None for anything else, and for one that JSON does not know."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def parsed(value: Any) -> Any:
    """Return what a text of JSON holds; anything else as it is."""
    if isinstance(value, str) and value[:1] in '{["' and value[-1:] in '}]"':
        try:
            return json.loads(value, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return value
    return value


def asked(value: Any) -> list[dict[str, str]]:
    """Return the messages that an input stands for: its own where it holds some, else itself as a question."""
    value = parsed(value)
    held = value.get("messages") if isinstance(value, dict) else value
    if isinstance(held, list) and held and all(isinstance(one, dict) and "role" in one for one in held):
        known = {"system": "system", "developer": "system", "assistant": "assistant"}
        return [{"role": known.get(one["role"], "user"), "content": worded(one.get("content"))} for one in held]
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    return [{"role": "user", "content": worded(value)}]


def worded(value: Any) -> str:
    """Return a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def bounded(rows: Iterator[Any]) -> Iterator[Any]:
    """Yield rows. Raises Invalid where there are too many for one import."""
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            raise Invalid(f"The export has more than {MOST_ROWS:,} rows.", hint="Import it in parts, a folder each.")
        yield row
