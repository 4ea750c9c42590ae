"""Templates: text with `{{variable}}`, filled in one pass.

There is no logic, no attribute and no call in a template, and what is filled in is never read as a template again: a
value can do no more than appear. Write `\\{{` for two literal braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.kernel.ports import JSON
from mainspring.prompts.models import Message, Variable

MAX_MESSAGES, MAX_VARIABLES = 200, 100
MAX_TEMPLATE, MAX_RENDERED = 400_000, 1_000_000
"""Characters, all messages together."""
_HOLE = re.compile(r"\\\{\{|\{\{\s*(?P<name>[A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}|(?P<bad>\{\{[^\n]{0,30})")


def names_in(messages: Sequence[Message]) -> list[str]:
    """Return the variables that the messages use, in order of appearance. Raises Invalid for a malformed one."""
    found: dict[str, None] = {}
    for place, message in enumerate(messages):
        for match in _HOLE.finditer(message.content):
            if match["bad"]:
                raise Invalid(
                    f"Message {place} has a malformed variable: {match['bad']!r}",
                    hint="Write {{name}}, or \\{{ for two literal braces. Templates hold no expressions.",
                )
            if match["name"]:
                found[match["name"]] = None
    return list(found)


def complete(messages: Sequence[Message], declared: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return every variable used, those not declared as required text.

    Raises Invalid for no messages, a declared variable that nothing uses, or a default of the wrong type; TooLarge.
    """
    if not messages:
        raise Invalid("A prompt needs at least one message.")
    size = sum(len(message.content) for message in messages)
    if len(messages) > MAX_MESSAGES or size > MAX_TEMPLATE:
        raise TooLarge(f"A prompt has at most {MAX_MESSAGES} messages and {MAX_TEMPLATE} characters.")
    used = names_in(messages)
    if len(used) > MAX_VARIABLES:
        raise TooLarge(f"A prompt has at most {MAX_VARIABLES} variables.")
    idle = sorted(set(declared) - set(used))
    if idle:
        raise Invalid(f"No message uses the variable '{idle[0]}'.", hint="Use it or leave its declaration out.")
    for name, variable in declared.items():
        if variable.default is not None:
            _text(name, variable, variable.default)
    return {name: declared.get(name, Variable()) for name in used}


def fill(messages: Sequence[Message], variables: Mapping[str, Variable], values: Mapping[str, JSON]) -> list[Message]:
    """Fill the variables in. Values that no variable asks for are ignored where `variables` does not name them.

    Raises Invalid for a missing variable, naming it, or a value of the wrong type; TooLarge for over 1,000,000
    characters in all.
    """
    texts: dict[str, str] = {}
    missing = []
    for name, variable in variables.items():
        value = values.get(name)
        value = variable.default if value is None else value
        if value is None:
            missing.append(name)
        else:
            texts[name] = _text(name, variable, value)
    if missing:
        plural = "s" if len(missing) > 1 else ""
        named = ", ".join(f"'{name}'" for name in missing)
        raise Invalid(f"The prompt's variable{plural} {named} got no value.", hint="Give one, or a default.")
    filled, size = [], 0
    for message in messages:
        size += _size(message.content, texts)
        if size > MAX_RENDERED:
            raise TooLarge(f"The prompt would be over {MAX_RENDERED} characters long.")
        text = _HOLE.sub(lambda match: texts[match["name"]] if match["name"] else "{{", message.content)
        filled.append(Message(role=message.role, content=text))
    return filled


def _size(content: str, texts: Mapping[str, str]) -> int:
    """Return the length after filling, before any of it is made."""
    holes = [match for match in _HOLE.finditer(content) if match["name"]]
    return len(content) + sum(len(texts[match["name"]]) - len(match[0]) for match in holes)


def _text(name: str, variable: Variable, value: JSON) -> str:
    """Return a value as text. Raises Invalid where it is not of the variable's type."""
    kind = variable.type
    if kind == "json":
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError):
            raise Invalid(f"The variable '{name}' takes a JSON value.") from None
    fits = {
        "text": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not fits[kind]:
        raise Invalid(f"The variable '{name}' takes {kind}, not {type(value).__name__}.")
    return json.dumps(value) if isinstance(value, bool) else str(value)
