"""Whether a value fits a JSON schema, told within a bounded time, whoever wrote the two."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from mainspring.kernel.errors import Invalid

MAX_SECONDS = 1.0
"""Of looking at one value."""
_until: ContextVar[float] = ContextVar("until")
_Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


def fits(schema: str, value: Any) -> bool | None:
    """Tell whether a value fits a schema, a JSON text of draft 2020-12.

    None where that cannot be told: a reference that never ends, a value nested too deeply, a pattern that is none, or
    more than a second. Raises Invalid for a reference outside the schema.
    """
    import regex
    from referencing.exceptions import Unresolvable

    held = _until.set(time.monotonic() + MAX_SECONDS)
    try:
        return bool(_validator(schema).is_valid(value))
    except Unresolvable as error:
        raise Invalid(f"A $ref of the response schema cannot be resolved: {error}") from None
    except (RecursionError, TimeoutError, regex.error):
        return None
    finally:
        _until.reset(held)


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """Return a validator that looks nothing up outside the schema, and that looks at the clock."""
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    own: dict[str, _Keyword] = {"pattern": _pattern, "patternProperties": _pattern_properties}
    own |= {"additionalProperties": _additional, "uniqueItems": _unique_items}
    keywords = {name: _timed(keyword) for name, keyword in {**Draft202012Validator.VALIDATORS, **own}.items()}
    if "unevaluatedProperties" in schema and "patternProperties" in schema:
        keywords["unevaluatedProperties"] = _untold
    kind: Any = validators.extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    return kind(json.loads(schema), registry=Registry())


def _timed(keyword: _Keyword) -> _Keyword:
    def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _left()
        yield from keyword(validator, value, instance, schema) or ()

    return timed


def _left() -> float:
    """Return the seconds that are left. Raises TimeoutError."""
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _found(pattern: str, text: str) -> bool:
    import regex

    return regex.search(pattern, text, timeout=_left()) is not None


def _wrong(said: str) -> Iterator[Any]:
    from jsonschema import ValidationError

    yield ValidationError(said)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not _found(pattern, instance):
        yield from _wrong("the text does not match the pattern")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, Mapping):
        for pattern, inner in patterns.items():
            for name, value in instance.items():
                if _found(pattern, name):
                    yield from validator.descend(value, inner)


def _additional(validator: Any, inner: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    if isinstance(instance, Mapping):
        patterns = schema.get("patternProperties", {})
        for name, value in instance.items():
            if name not in schema.get("properties", {}) and not any(_found(pattern, name) for pattern in patterns):
                yield from validator.descend(value, inner)


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Look at each item once: the library compares each with every other, and looks at no clock meanwhile."""
    if not wanted or not isinstance(instance, list):
        return
    seen = set()
    for item in instance:
        _left()
        held = _frozen(item)
        if held in seen:
            yield from _wrong("an item stands there twice")
            return
        seen.add(held)


def _frozen(value: Any) -> Any:
    """Return what is equal, and hashed alike, where JSON Schema calls values equal: 1 and 1.0 are, 1 and true not."""
    if isinstance(value, Mapping):
        return "object", frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_frozen, value))
    return ("boolean", value) if isinstance(value, bool) else value


def _untold(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Refuse to tell which properties patterns leave over, for which the library knows no bound in time."""
    raise TimeoutError
