"""Diff: what changed between two versions, as lines and side by side."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence

from mainspring.prompts.models import DiffPart, PromptDiff, PromptVersion

_PARTS = ("variables", "tools", "schema", "parameters")


def compare(old: PromptVersion, new: PromptVersion) -> PromptDiff:
    """Return what changed from one version to another."""
    lines = list(difflib.unified_diff(_lines(old), _lines(new), old.ref, new.ref, lineterm=""))
    return PromptDiff(
        left=old.ref, right=new.ref, identical=old.sha256 == new.sha256, lines=lines, parts=list(_parts(old, new))
    )


def _parts(old: PromptVersion, new: PromptVersion) -> Iterator[DiffPart]:
    """Yield the parts that either version has; messages of the same content are put side by side."""
    left = [(message.role, message.content) for message in old.messages]
    right = [(message.role, message.content) for message in new.messages]
    number = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for place in range(max(b - a, d - c)):
            one = left[a + place] if a + place < b else None
            other = right[c + place] if c + place < d else None
            number += 1
            roles = dict.fromkeys(role for role, _ in filter(None, (one, other)))
            yield _part(f"message {number} · {' → '.join(roles)}", one and one[1], other and other[1], tag == "equal")
    before, after = _rest(old), _rest(new)
    for title in _PARTS:
        if before[title] or after[title]:
            yield _part(title, before[title] or None, after[title] or None, before[title] == after[title])


def _part(title: str, left: str | None, right: str | None, same: bool) -> DiffPart:
    one, other = _split(left), _split(right)
    rows: list[tuple[str | None, str | None]] = []
    for _, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        for place in range(max(b - a, d - c)):
            rows.append((one[a + place] if a + place < b else None, other[c + place] if c + place < d else None))
    return DiffPart(title=title, same=same, rows=rows)


def _split(text: str | None) -> Sequence[str]:
    return [] if text is None else text.split("\n")


def _rest(version: PromptVersion) -> dict[str, str]:
    """Return what a version holds beside its messages, each part as readable JSON; empty where it has none."""
    held = {
        "variables": {key: variable.stored() for key, variable in version.variables.items()},
        "tools": version.tools_sent(),
        "schema": version.response_schema,
        "parameters": version.parameters.model_dump(exclude_defaults=True),
    }
    return {title: _readable(part) if part else "" for title, part in held.items()}


def _lines(version: PromptVersion) -> list[str]:
    """Return the readable form that line diffs compare: each message by line, then the rest as JSON."""
    lines = []
    for message in version.messages:
        lines += [f"[{message.role}]", *message.content.split("\n")]
    for title, text in _rest(version).items():
        if text:
            lines += [f"[{title}]", *text.split("\n")]
    return lines


def _readable(part: object) -> str:
    return json.dumps(part, indent=2, sort_keys=True, ensure_ascii=False)
