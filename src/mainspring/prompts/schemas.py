"""Response schemas: the JSON schema that an answer should fit."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON


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
    _check_references(schema, what)


def _check_references(schema: JSON, what: str) -> None:
    """Raise Invalid for a $ref to anywhere but the schema itself."""
    if isinstance(schema, Mapping):
        target = schema.get("$ref", "#")
        if isinstance(target, str) and not target.startswith("#"):
            raise Invalid(f"The {what} refers outside itself: {target[:200]}", hint="Put it under $defs.")
        for part in schema.values():
            _check_references(part, what)
    elif isinstance(schema, list):
        for part in schema:
            _check_references(part, what)
