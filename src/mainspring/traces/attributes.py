"""Tests of attributes as people write them: `tier=gold`, `retry.count>=2`, `error.type`, `!error.type`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import AttributeTest
from mainspring.traces.dialects.names import COST, COUNTS, KIND, TEXTS

Attributes = Annotated[list[Annotated[str, StringConstraints(max_length=600)]], Field(max_length=8)] | None
"""`key=value`, `!=`, `<`, `<=`, `>`, `>=`, `~` for a part of a text; `key` for any value, `!key` for none."""

_TEST = re.compile(r"(!?)\s*([^\s=!<>~]{1,200})\s*(?:(!=|<=|>=|=|<|>|~)\s*(.*))?", re.S)
_OWN = (
    "name kind environment service status_message model provider deployment release prompt session_id user_id "
    "input_tokens output_tokens cached_tokens cost ttft_ms"
).split()
_FIELDS: dict[str, str] = {
    **{name: field for field, names in [*TEXTS.items(), *COUNTS.items()] for name in names},
    **dict.fromkeys(COST, "cost"),
    **dict.fromkeys(KIND, "kind"),
    "service.name": "service",
    **{field: field for field in _OWN},
}
"""The field of a span that an attribute was promoted to."""


def tests(texts: Sequence[str] | None) -> tuple[AttributeTest, ...]:
    """Return the tests that some texts stand for. Raises Invalid for what is none."""
    return tuple(_test(text.strip()) for text in texts or () if text.strip())


def told(texts: Sequence[str] | None, stands_for: Callable[[str], str]) -> str:
    """Return tests as a log may keep them: `stands_for` gives what is written in the place of a user."""
    return ", ".join(_told(one, stands_for) for one in tests(texts))


def _told(one: AttributeTest, stands_for: Callable[[str], str]) -> str:
    if one.op in ("has", "lacks"):
        return one.key if one.op == "has" else f"!{one.key}"
    return f"{one.key}{one.op}{stands_for(one.value) if one.field == 'user_id' else one.value}"


def _test(text: str) -> AttributeTest:
    found = _TEST.fullmatch(text)
    if found is None or (found[1] and found[3]):
        raise Invalid(
            f"'{text[:100]}' is no test of an attribute.",
            hint="Write key=value, key!=value, key>=2, key~part, key, or !key for spans that lack it.",
        )
    lacks, key, op, value = found.groups()
    known: Any = "lacks" if lacks else op or "has"
    return AttributeTest(key, known, (value or "").strip(), _FIELDS.get(key, ""))
