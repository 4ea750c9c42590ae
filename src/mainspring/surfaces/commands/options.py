"""What the command line says of an argument or an option: what it is for, its bounds, and what holds without it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

from mainspring.surfaces.commands.words import ELSEWHERE, WORDS


def told(noun: str, verb: str, name: str, parameter: inspect.Parameter, form: str = "") -> str:
    """Return the help of one parameter; `form` says how it is written."""
    known = (ELSEWHERE.get(f"{noun}.{verb}.{name}"), ELSEWHERE.get(f"{noun}.{name}"), WORDS.get(name))
    words = next((said for said in known if said), "")
    return " ".join(part for part in (words, form, _rest(parameter)) if part)


def _rest(parameter: inspect.Parameter) -> str:
    """Return the bounds of a number and what holds where nothing is given."""
    bounds, default = _bounds(parameter.annotation), _default(parameter)
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in (bounds, default) if part)


def _bounds(annotation: Any) -> str:
    least = most = over = ""
    for mark in _marks(annotation):
        if (value := getattr(mark, "ge", None)) is not None:
            least = _number(value)
        if (value := getattr(mark, "gt", None)) is not None:
            over = _number(value)
        if (value := getattr(mark, "le", None)) is not None:
            most = _number(value)
    if least and most:
        return f"from {least} to {most}"
    begins = f"at least {least}" if least else f"over {over}" if over else ""
    return ", ".join(part for part in (begins, f"at most {most}" if most else "") if part)


def _marks(annotation: Any) -> Iterator[Any]:
    """Yield what is said of a number, also of one that may be left out; what is said of a list's items is not."""
    for mark in getattr(annotation, "__metadata__", ()):
        yield from getattr(mark, "metadata", (mark,))
    for part in get_args(annotation):
        if getattr(annotation, "__origin__", None) not in (list, dict, tuple, set):
            yield from _marks(part)


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if isinstance(value, bool):
        return "default: on" if value else ""
    if isinstance(value, int | float):
        return f"default: {_number(value)}"
    return f"default: {value}" if isinstance(value, str) and value and len(value) <= 40 else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.12g}"
