"""Operations on prompts."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mainspring.kernel import aliases, versions
from mainspring.kernel.aliases import AliasMove
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.ports import JSON
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.prompts import template
from mainspring.prompts.models import (
    Message,
    Parameters,
    PromptDiff,
    PromptSummary,
    PromptVersion,
    RenderedPrompt,
    Variable,
    VariableName,
)
from mainspring.prompts.schemas import check_schema

T = TypeVar("T")
_MESSAGES = TypeAdapter(list[Message])
_VARIABLES = TypeAdapter(dict[VariableName, Variable])


class Prompts(Service):
    """Prompts: templates in versions that never change, and labels that move."""

    noun = "prompt"

    @operation("POST /prompts/{name}/versions", permission="prompt.write", mcp=True, status=201)
    def commit(
        self,
        name: Name,
        messages: list[Message],
        *,
        variables: dict[VariableName, Variable] | None = None,
        schema: dict[str, JSON] | None = None,
        parameters: Parameters | None = None,
        note: Text = "",
    ) -> PromptVersion:
        """Store a new version; identical content returns the version that exists.

        Messages hold `{{variable}}`. A variable that is not declared is required text. `schema` is the JSON schema of
        the answer. Raises Invalid for a malformed template or schema, TooLarge.
        """
        asked = _as(_MESSAGES, messages, "messages")
        declared = _as(_VARIABLES, variables or {}, "variables")
        used = template.complete(asked, declared)
        settings = _as(TypeAdapter(Parameters), parameters or {}, "parameters")
        if schema is not None:
            check_schema(schema)
        content = {
            "messages": [message.model_dump() for message in asked],
            "variables": {key: variable.model_dump() for key, variable in used.items()},
            "schema": schema,
            "parameters": settings.model_dump(),
        }
        with self.begin() as tx:
            return _shown(tx, versions.commit(tx, "prompt", name, content, note=note))

    @operation("GET /prompts", permission="prompt.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[PromptSummary]:
        """List prompts by name, each with its latest version and its labels."""
        with self.read() as tx:
            found, following = versions.names(tx, "prompt", limit, cursor)
            items = [
                PromptSummary(
                    name=version.name,
                    latest=version.number,
                    labels=aliases.current(tx, "prompt", version.name),
                    updated_at=version.created_at,
                    updated_by=version.created_by,
                )
                for version in found
            ]
        return Page(items=items, next_cursor=following)

    @operation("GET /prompts/{name}", permission="prompt.read", mcp=True)
    def get(self, name: Name, *, selector: str = "") -> PromptVersion:
        """Show a prompt: its latest version, or the one that a number, a label or a hash selects."""
        with self.read() as tx:
            return load(tx, _ref(name, selector))

    @operation("GET /prompts/{name}/versions", permission="prompt.read", mcp=True)
    def versions(self, name: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[PromptVersion]:
        """List a prompt's versions, newest first."""
        with self.read() as tx:
            found, following = versions.list_(tx, "prompt", name, limit, cursor)
            labels = aliases.current(tx, "prompt", name)
            return Page(items=[_record(version, labels) for version in found], next_cursor=following)

    @operation("GET /prompts/{name}/diff", permission="prompt.read", mcp=True)
    def diff(self, name: Name, left: str, right: str = "") -> PromptDiff:
        """Show what changed from one version of a prompt to another, by default to the latest."""
        with self.read() as tx:
            old, new = load(tx, _ref(name, left)), load(tx, _ref(name, right))
        lines = list(difflib.unified_diff(_lines(old), _lines(new), old.ref, new.ref, lineterm=""))
        return PromptDiff(left=old.ref, right=new.ref, identical=old.sha256 == new.sha256, lines=lines)

    @operation("POST /prompts/{name}/render", permission="prompt.read", audit=False)
    def render(self, name: Name, variables: dict[str, JSON] | None = None, *, selector: str = "") -> RenderedPrompt:
        """Fill a prompt's variables in and show what a model would be sent."""
        with self.read() as tx:
            version = load(tx, _ref(name, selector))
        return render(version, variables or {})

    @operation("PUT /prompts/{name}/labels/{label}", permission="prompt.write")
    def label(self, name: Name, label: Name, selector: str = "", *, note: Text = "") -> AliasMove:
        """Point a label at a version: the latest, or the one that a number, another label or a hash selects."""
        with self.begin() as tx:
            version = versions.resolve(tx, _ref(name, selector), "prompt")
            return aliases.move(tx, "prompt", name, label, version.number, note=note)

    @operation("GET /prompts/{name}/history", permission="prompt.read", mcp=True)
    def history(self, name: Name, *, label: str = "", limit: Limit = 100, cursor: Cursor = "") -> Page[AliasMove]:
        """List the moves of a prompt's labels, or of one of them, newest first."""
        with self.read() as tx:
            versions.resolve(tx, _ref(name, ""), "prompt")
            found, following = aliases.history(tx, "prompt", name, label or None, limit, cursor)
        return Page(items=found, next_cursor=following)


def load(tx: Tx, ref: str) -> PromptVersion:
    """Return the prompt version that a reference names. Raises Invalid, NotFound."""
    return _shown(tx, versions.resolve(tx, ref, "prompt"))


def render(version: PromptVersion, values: Mapping[str, JSON]) -> RenderedPrompt:
    """Fill a version's variables in. Raises Invalid for a missing or unfit value, naming the variable; TooLarge."""
    return RenderedPrompt(
        ref=version.ref,
        messages=template.fill(version.messages, version.variables, values),
        response_schema=version.response_schema,
        parameters=version.parameters,
    )


def _ref(name: str, selector: str) -> str:
    return f"prompt/{name}@{selector}" if selector else f"prompt/{name}"


def _shown(tx: Tx, version: Version) -> PromptVersion:
    return _record(version, aliases.current(tx, "prompt", version.name))


def _record(version: Version, labels: Mapping[str, int]) -> PromptVersion:
    content: dict[str, Any] = version.content
    return PromptVersion(
        ref=version.ref,
        name=version.name,
        number=version.number,
        sha256=version.sha256,
        messages=[Message(**message) for message in content["messages"]],
        variables={key: Variable(**variable) for key, variable in content["variables"].items()},
        response_schema=content["schema"],
        parameters=Parameters(**content["parameters"]),
        labels=sorted(label for label, number in labels.items() if number == version.number),
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        existed=version.existed,
    )


def _lines(version: PromptVersion) -> list[str]:
    """Return the readable form that diffs compare: each message by line, then the rest as JSON."""
    lines = []
    for message in version.messages:
        lines += [f"[{message.role}]", *message.content.split("\n")]
    for title, part in (
        ("variables", {key: variable.model_dump() for key, variable in version.variables.items()}),
        ("schema", version.response_schema),
        ("parameters", version.parameters.model_dump(exclude_defaults=True)),
    ):
        lines += [f"[{title}]", *json.dumps(part, indent=2, sort_keys=True, ensure_ascii=False).split("\n")]
    return lines


def _as(adapter: TypeAdapter[T], value: object, what: str) -> T:
    """Validate what a local caller passed as plain values. Raises Invalid, naming the place."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (what, *first["loc"]))
        raise Invalid(f"{where}: {first['msg']}") from None
