"""What a notebook shows of a prompt and of what changed in one."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.prompts.models import PromptDiff, PromptVersion

_PLAIN = "white-space:pre-wrap;text-align:left"
_COLOURS = {"+": "#1a7f37", "-": "#cf222e"}


def version_html(version: PromptVersion) -> str:
    """Return a version's messages by role, and what else it holds."""
    facts = [*(f"label {label}" for label in version.labels), f"{len(version.tools)} tools" if version.tools else ""]
    facts += ["response schema" if version.response_schema is not None else "", version.note]
    rows: list[tuple[str, str]] = [(message.role, message.content) for message in version.messages]
    if version.variables:
        rows.append(("variables", ", ".join(f"{name}: {each.type}" for name, each in version.variables.items())))
    held = version.parameters.model_dump(exclude_defaults=True)
    if held:
        rows.append(("parameters", ", ".join(f"{name} {value}" for name, value in held.items())))
    body = "".join(
        f'<tr><th style="{_PLAIN};vertical-align:top">{html.escape(title)}</th>'
        f'<td style="{_PLAIN}">{html.escape(text)}</td></tr>'
        for title, text in rows
    )
    return f"{_head(version.ref, facts)}<table><tbody>{body}</tbody></table>"


def diff_html(diff: PromptDiff) -> str:
    """Return the lines that changed, with those around them."""
    if diff.identical:
        return _head(f"{diff.left} and {diff.right}", ["the same content"])
    lines = "\n".join(_line(line) for line in diff.lines[2:])
    return f"{_head(f'{diff.left} → {diff.right}', [])}<pre>{lines}</pre>"


def _head(title: str, facts: Iterable[str]) -> str:
    said = " · ".join(fact for fact in facts if fact)
    return f"<p><b>{html.escape(title)}</b> {html.escape(said)}</p>"


def _line(line: str) -> str:
    colour = _COLOURS.get(line[:1])
    shown = html.escape(line)
    return f'<span style="color:{colour}">{shown}</span>' if colour else shown
