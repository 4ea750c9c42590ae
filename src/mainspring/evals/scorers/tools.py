"""Calls of tools that an answer makes, against those that it should make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mainspring.evals.scorers.registry import Answer, scorer
from mainspring.evals.scorers.structured import parse_json
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON

_MODES = ("names", "f1")


def tool_calls(value: JSON) -> list[tuple[str, str]] | None:
    """Return the calls that a JSON value makes, each a name and its arguments in canonical JSON; None where it is none.

    Read are one call or a list of them, bare or under `tool_calls`, each `{"name", "arguments"}` or
    `{"function": {"name", "arguments"}}`; arguments are an object, or its JSON as text.
    """
    if isinstance(value, str):
        value = parse_json(value)
    if isinstance(value, Mapping) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    found = [_call(one) for one in (value if isinstance(value, list) else [value])]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def _call(value: Any) -> tuple[str, str] | None:
    if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
        value = value["function"]
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return None
    given = value.get("arguments", value.get("parameters", {}))
    if isinstance(given, str):
        given = parse_json(given) if given.strip() else {}
    if not isinstance(given, Mapping):
        return None
    return value["name"], json.dumps(given, sort_keys=True, ensure_ascii=False)


def _check_mode(argument: str) -> None:
    if argument not in _MODES:
        raise Invalid(
            f"'{argument[:50]}' is no way to compare calls.",
            hint="Write tool_call (all alike), tool_call:names (without arguments) or tool_call:f1 (how many).",
        )


@scorer("tool_call", argument="optional", needs=("reference",), check=_check_mode, example="tool_call:f1")
def tool_call(answer: Answer, argument: str) -> float | None:
    """The answer calls the tools that the reference calls, in any order: `:names` by name alone, `:f1` in part."""
    wanted = tool_calls(answer.reference)
    if wanted is None:
        return None
    found = tool_calls(answer.text) if answer.text.strip() else []
    if found is None:
        return float(not wanted) if argument != "f1" or not wanted else 0.0
    left = [name for name, _ in wanted] if argument == "names" else list(wanted)
    hits = 0
    for name, given in found:
        one = name if argument == "names" else (name, given)
        if one in left:
            left.remove(one)  # type: ignore[arg-type]
            hits += 1
    if argument == "f1":
        return 2 * hits / (len(found) + len(wanted)) if found or wanted else 1.0
    return float(hits == len(found) == len(wanted))
