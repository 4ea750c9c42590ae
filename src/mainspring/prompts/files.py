"""Files: a prompt as YAML, or as Markdown with front matter, that people edit and keep under git."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from mainspring.kernel.errors import Invalid
from mainspring.prompts.models import PromptVersion

SUFFIXES = (".yaml", ".yml", ".md")
PARTS = ("messages", "text", "variables", "schema", "tools", "parameters")
_FRONT = re.compile(r"---\n(?P<front>(?:[^\n]*\n)*?)---\n(?P<body>.*)", re.DOTALL)
_HEADING = re.compile(r"^## (system|user|assistant)$", re.MULTILINE)


def read(name: str, text: str) -> dict[str, Any]:
    """Return what `commit` takes, of a file's text. Raises Invalid, naming the file."""
    try:
        return _markdown(text) if name.endswith(".md") else _parts(_loaded(text))
    except yaml.YAMLError as error:
        raise Invalid(f"{name} is not valid YAML: {error}", hint="Mend the line that it names.") from None
    except RecursionError:
        raise Invalid(f"{name} is nested too deeply.") from None
    except (ValueError, TypeError, OverflowError) as error:
        said = str(error)[:200]
        raise Invalid(f"{name} holds a value that is none of JSON: {said}", hint="Write it in quotes.") from None
    except Invalid as error:
        raise Invalid(f"{name}: {error.message}", hint=error.hint) from None


def write(name: str, version: PromptVersion) -> str:
    """Return a version as the text of a file of that name. Raises Invalid for what its form cannot hold."""
    parts = parts_of(version)
    if not name.endswith(".md"):
        return _dumped(parts)
    text = parts.pop("text", None)
    if text is not None:
        plain = not parts and not text.startswith("---")
        return f"{text}\n" if plain else f"---\n{_dumped(parts)}---\n{text}\n"
    sections = []
    for message in parts.pop("messages"):
        content = message["content"]
        if content != content.strip("\n") or _HEADING.search(content):
            raise Invalid(f"{name} cannot hold this chat.", hint="Keep it in a .yaml file.")
        sections.append(f"## {message['role']}\n\n{content}\n")
    return f"---\n{_dumped({'kind': 'chat', **parts})}---\n" + "\n".join(sections)


def parts_of(version: PromptVersion) -> dict[str, Any]:
    """Return what `commit` takes to make this version again; what says nothing is left out."""
    found: dict[str, Any] = {}
    if version.kind == "text":
        found["text"] = version.messages[0].content
    else:
        found["messages"] = [message.model_dump() for message in version.messages]
    found["variables"] = {
        name: variable.model_dump(exclude_defaults=True) for name, variable in version.variables.items()
    }
    found["tools"] = version.tools_sent()
    found["parameters"] = version.parameters.model_dump(exclude_defaults=True)
    found = {name: part for name, part in found.items() if part}
    return found if version.response_schema is None else {**found, "schema": version.response_schema}


def _markdown(text: str) -> dict[str, Any]:
    match = _FRONT.fullmatch(text)
    front, body = (_loaded(match["front"]) or {}, match["body"]) if match else ({}, text)
    if not isinstance(front, Mapping):
        raise Invalid("the front matter is no mapping.", hint="Write `name: value` between the lines of three dashes.")
    rest = {key: value for key, value in front.items() if key != "kind"}
    if front.get("kind", "text") != "chat":
        return _parts({**rest, "text": body.removesuffix("\n")})
    before, *found = _HEADING.split(body)
    if before.strip() or not found:
        raise Invalid("a chat begins with a line such as `## system`.")
    pairs = zip(found[::2], found[1::2], strict=True)
    return _parts({**rest, "messages": [{"role": role, "content": content.strip("\n")} for role, content in pairs]})


def _parts(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        value = {"messages": value}
    if not isinstance(value, Mapping):
        raise Invalid("it holds no prompt.", hint=f"Write a mapping with {', '.join(PARTS)}.")
    if unknown := [str(key) for key in value if key not in PARTS]:
        raise Invalid(f"it has an unknown part '{unknown[0][:60]}'.", hint=f"There are {', '.join(PARTS)}.")
    return {key: part for key, part in value.items() if part is not None}


class _Loader(yaml.SafeLoader):
    """Reads no aliases: a few lines of them stand for gigabytes, or for what has no end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not read", problem_mark=mark)
        return super().compose_node(parent, index)


def _loaded(text: str) -> Any:
    """Return what a text of YAML says in JSON's values. Raises YAMLError, ValueError, TypeError, RecursionError."""
    found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, made stricter
    json.dumps(found, allow_nan=False)
    return found


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and what stands twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _dumped(parts: Mapping[str, Any]) -> str:
    if not parts:
        return ""
    return yaml.dump(dict(parts), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000)
