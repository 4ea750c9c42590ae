"""Answers that should be JSON: validity, schema, fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from mainspring.evals.scorers.registry import Answer, scorer
from mainspring.kernel.ports import JSON

_ABSENT = object()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse_json(text: str) -> JSON:
    """Return the object or array that the whole text is; None where it is neither.

    Strict: no prose or code fence around it, no NaN or Infinity (RFC 8259).
    """
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def field_of(value: JSON, path: str) -> Any:
    """Return the field at a dotted path (`a.b.0`) of a JSON value; a marker object where it is absent."""
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _ABSENT
    return value


def text_of(value: JSON, path: str) -> str | None:
    """Return a reference as text: its field at `path` where one is given, itself where it is text, else its JSON."""
    if path:
        found = parse_json(value) if isinstance(value, str) else value
        value = field_of(found, path)
        if value is _ABSENT:
            return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def answer_text(answer: Answer, path: str) -> str:
    """Return the text to be compared: the answer's field at `path`, or the whole answer where it has no such field.

    Taking the whole answer is generous to a model that answers in prose.
    """
    if path:
        value = field_of(parse_json(answer.text), path)
        if value is not _ABSENT:
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return answer.text


@scorer("json")
def json_valid(answer: Answer, argument: str) -> float:
    """The whole answer is one JSON object or array."""
    return float(parse_json(answer.text) is not None)


@scorer("schema", needs=("schema",))
def schema_valid(answer: Answer, argument: str) -> float | None:
    """The answer is JSON that fits the prompt's response schema; none where that takes over a second to tell."""
    if answer.schema is None:
        return None
    value = parse_json(answer.text)
    if value is None:
        return 0.0
    from mainspring.safety.fitting import fits

    found = fits(json.dumps(answer.schema, sort_keys=True), value)
    return None if found is None else float(found)


@scorer("field", argument="required", needs=("reference",))
def field_accuracy(answer: Answer, argument: str) -> float | None:
    """The field named (dotted path) equals the reference's; texts are stripped of outer blanks."""
    reference = parse_json(answer.reference) if isinstance(answer.reference, str) else answer.reference
    wanted = field_of(reference, argument)
    if wanted is _ABSENT:
        return None
    found = field_of(parse_json(answer.text), argument)
    if isinstance(wanted, str) and isinstance(found, str):
        return float(wanted.strip() == found.strip())
    return float(found is not _ABSENT and type(found) is type(wanted) and found == wanted)
