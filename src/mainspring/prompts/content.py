"""Content: from what somebody writes to what a version holds, and back to the record that is shown.

What an older version did not know is stored only where it says something, so that its hash stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid, NotFound, TooLarge
from mainspring.kernel.ports import JSON
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.prompts import grammar, template
from mainspring.prompts.models import (
    Included,
    Message,
    Parameters,
    PromptCheck,
    PromptVersion,
    RenderedPrompt,
    Tool,
    Variable,
    VariableName,
)
from mainspring.safety.schemas import check_schema

T = TypeVar("T")
MAX_TOOLS, MAX_INCLUDES, MAX_INCLUDE_DEPTH = 64, 50, 5
_LATER = ConfigDict(defer_build=True)
_MESSAGES = TypeAdapter(list[Message], config=_LATER)
_VARIABLES = TypeAdapter(dict[VariableName, Variable], config=_LATER)
_TOOLS = TypeAdapter(list[Tool], config=_LATER)
_PARAMETERS = TypeAdapter(Parameters)


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt as somebody writes it; plain values are checked by `build`."""

    messages: Any = None
    text: str = ""
    variables: Any = None
    schema: Mapping[str, JSON] | None = None
    tools: Any = None
    parameters: Any = None


@dataclass(slots=True)
class _Found:
    """What a draft includes: texts by exact reference, exact references by what was written, and variables."""

    texts: dict[str, Included] = field(default_factory=dict)
    exact: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)


def build(tx: Tx, name: str, draft: Draft) -> dict[str, Any]:
    """Return the content of a version, with what it includes pinned. Raises Invalid, NotFound, TooLarge."""
    messages, kind = _messages(draft)
    template.check_size(messages)
    declared = _as(_VARIABLES, draft.variables or {}, "variables")
    tools = _as(_TOOLS, draft.tools or [], "tools")
    parameters = _as(_PARAMETERS, draft.parameters or {}, "parameters")
    _check_tools(tools)
    if draft.schema is not None:
        check_schema(draft.schema)
    blocks = any(grammar.has_blocks(message.content) for message in messages)
    trees = template.parsed(messages, blocks)
    found = _includes(tx, name, [ref for nodes in trees for ref in grammar.includes_in(nodes)])
    if found.exact:
        messages = [
            message.model_copy(update={"content": grammar.pinned(message.content, found.exact)}) for message in messages
        ]
    variables = template.complete(trees, declared, blocks=blocks, inherited=found.variables)
    content: dict[str, Any] = {
        "messages": [message.model_dump() for message in messages],
        "variables": {key: variable.stored() for key, variable in variables.items()},
        "schema": draft.schema,
        "parameters": parameters.stored(),
    }
    if kind == "text":
        content["kind"] = kind
    if blocks:
        content["blocks"] = True
    if found.texts:
        content["includes"] = {ref: held.model_dump() for ref, held in sorted(found.texts.items())}
    if tools:
        content["tools"] = [tool.model_dump() for tool in tools]
    return content


def check(tx: Tx, name: str, draft: Draft) -> PromptCheck:
    """Return what a commit of a draft would come to. Raises as `build` does."""
    content = build(tx, name, draft)
    digest = versions.content_hash(content)
    same = _held(tx, f"prompt/{name}@sha256:{digest}")
    latest = _held(tx, f"prompt/{name}")
    return PromptCheck(
        name=name,
        sha256=digest,
        number=same.number if same else None,
        latest=latest.number if latest else None,
        latest_sha256=latest.sha256 if latest else None,
        variables={key: Variable(**variable) for key, variable in content["variables"].items()},
    )


def _held(tx: Tx, ref: str) -> Version | None:
    try:
        return versions.resolve(tx, ref, "prompt")
    except NotFound:
        return None


def record(version: Version, labels: Mapping[str, int]) -> PromptVersion:
    """Return a stored version as it is shown; `labels` are all of the prompt's."""
    return PromptVersion(
        ref=version.ref,
        name=version.name,
        number=version.number,
        sha256=version.sha256,
        labels=sorted(label for label, number in labels.items() if number == version.number),
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        existed=version.existed,
        **_parts(version.content),
    )


def drafted(tx: Tx, draft: Draft, values: Mapping[str, JSON]) -> RenderedPrompt:
    """Fill in a draft that is not stored. Raises as `build` and `render` do."""
    parts = _parts(build(tx, "", draft))
    return _rendered("", parts, values)


def render(version: PromptVersion, values: Mapping[str, JSON]) -> RenderedPrompt:
    """Fill a version's variables in. Raises Invalid for a missing or unfit value, naming the variable; TooLarge."""
    return _rendered(version.ref, {name: getattr(version, name) for name in _PARTS}, values)


_PARTS = ("kind", "messages", "blocks", "includes", "variables", "tools", "response_schema", "parameters")


def _parts(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": content.get("kind", "chat"),
        "messages": [Message(**message) for message in content["messages"]],
        "blocks": content.get("blocks", False),
        "includes": {ref: Included(**held) for ref, held in content.get("includes", {}).items()},
        "variables": {key: Variable(**variable) for key, variable in content["variables"].items()},
        "tools": [Tool.model_validate(tool) for tool in content.get("tools", [])],
        "response_schema": content["schema"],
        "parameters": Parameters(**content["parameters"]),
    }


def _rendered(ref: str, parts: Mapping[str, Any], values: Mapping[str, JSON]) -> RenderedPrompt:
    messages = template.fill(
        parts["messages"], parts["variables"], values, blocks=parts["blocks"], includes=parts["includes"]
    )
    return RenderedPrompt(
        ref=ref,
        kind=parts["kind"],
        messages=messages,
        text=messages[0].content if parts["kind"] == "text" else "",
        tools=parts["tools"],
        response_schema=parts["response_schema"],
        parameters=parts["parameters"],
    )


def _messages(draft: Draft) -> tuple[list[Message], str]:
    if draft.text:
        if draft.messages:
            raise Invalid("A prompt has messages or a text, not both.", hint="Leave one of them out.")
        return _as(_MESSAGES, [{"role": "user", "content": draft.text}], "text"), "text"
    return _as(_MESSAGES, draft.messages or [], "messages"), "chat"


def _includes(tx: Tx, name: str, refs: list[str]) -> _Found:
    """Pin what is included, and what that includes. Raises Invalid for a cycle, TooLarge for too deep a chain."""
    found = _Found()
    for ref in dict.fromkeys(refs):
        try:
            version = record(versions.resolve(tx, ref, "prompt"), {})
        except Invalid as error:
            raise Invalid(f"The include '{ref[:100]}' is no prompt: {error.message}", hint=error.hint) from None
        chain = {version.ref, *version.includes}
        if name and any(one.rpartition("@")[0] == f"prompt/{name}" for one in chain):
            raise Invalid(
                f"prompt/{name} would include itself through {version.ref}.",
                hint="Put the shared text into a prompt of its own.",
            )
        if len(version.messages) != 1:
            raise Invalid(
                f"{version.ref} has {len(version.messages)} messages and cannot be included.",
                hint="What is included is a text, or a chat of one message.",
            )
        if _depth(version) >= MAX_INCLUDE_DEPTH:
            raise TooLarge(f"Prompts include each other at most {MAX_INCLUDE_DEPTH} deep; {version.ref} is too deep.")
        found.exact[ref] = version.ref
        found.texts |= version.includes
        found.texts[version.ref] = Included(text=version.messages[0].content, blocks=version.blocks)
        found.variables = {**version.variables, **found.variables}
    size = sum(len(held.text) for held in found.texts.values())
    if len(found.texts) > MAX_INCLUDES or size > template.MAX_TEMPLATE:
        raise TooLarge(f"A prompt includes at most {MAX_INCLUDES} others, of {template.MAX_TEMPLATE} characters.")
    return found


def _depth(version: PromptVersion) -> int:
    """Return how many includes stand behind one another below a version; 1 for one that includes nothing."""
    known: dict[str, int] = {}

    def below(text: str, blocks: bool) -> int:
        refs = dict.fromkeys(grammar.includes_in(grammar.parse(text, blocks)))
        for ref in refs:
            if ref not in known:  # each once, however often it is included
                held = version.includes[ref]
                known[ref] = below(held.text, held.blocks)
        return 1 + max((known[ref] for ref in refs), default=0)

    return below(version.messages[0].content, version.blocks)


def _check_tools(tools: list[Tool]) -> None:
    if len(tools) > MAX_TOOLS:
        raise TooLarge(f"A prompt has at most {MAX_TOOLS} tools.")
    names = [tool.function.name for tool in tools]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(f"Two tools are named '{doubled[0]}'.", hint="Give each a name of its own.")
    for tool in tools:
        schema = tool.function.parameters
        if schema.get("type") != "object":
            raise Invalid(
                f"The parameters of the tool '{tool.function.name}' are no object.",
                hint='Begin with {"type": "object"}.',
            )
        check_schema(schema, f"schema of the tool '{tool.function.name}'")


def _as(adapter: TypeAdapter[T], value: object, what: str) -> T:
    """Validate what a local caller passed as plain values. Raises Invalid, naming the place."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (what, *first["loc"]))
        raise Invalid(f"{where}: {first['msg']}") from None
