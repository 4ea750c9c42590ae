"""Response schemas: the JSON schema that an answer should fit."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON

_VALUES = ("const", "default", "enum", "examples")
"""Keywords that hold values, which are no schemas."""


def check_schema(schema: Mapping[str, JSON], what: str = "response schema") -> None:
    """Raise Invalid where a schema is no valid JSON schema (draft 2020-12), or refers outside itself."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "its root"
        raise Invalid(f"The {what} is not valid at {where}: {error.message[:200]}") from None
    except RecursionError:
        raise Invalid(f"The {what} is nested too deeply.") from None
    _check_parts(schema, what)


def _check_parts(schema: JSON, what: str) -> None:
    """Raise Invalid for a $ref to anywhere but the schema itself, and for a pattern that is none."""
    if isinstance(schema, Mapping):
        target = schema.get("$ref", "#")
        if isinstance(target, str) and not target.startswith("#"):
            raise Invalid(f"The {what} refers outside itself: {target[:200]}", hint="Put it under $defs.")
        named = schema.get("patternProperties")
        for pattern in (schema.get("pattern"), *(named if isinstance(named, Mapping) else ())):
            if isinstance(pattern, str):
                _check_pattern(pattern, what)
        for name, part in schema.items():
            if name not in _VALUES:
                _check_parts(part, what)
    elif isinstance(schema, list):
        for part in schema:
            _check_parts(part, what)


def _check_pattern(pattern: str, what: str) -> None:
    import regex

    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise Invalid(f"The {what} has a pattern that is none, {pattern[:100]}: {str(error)[:200]}") from None
