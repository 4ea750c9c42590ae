"""Files made of dataset versions, and the difference between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from mainspring.data import rows
from mainspring.data.models import DatasetDiff, Exported
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import Files
from mainspring.kernel.tables import canonical
from mainspring.kernel.versions import Version
from mainspring.registry import keep_file

Target = Literal["rows", "chat", "prompt_completion"]
"""rows: the whole of each row; chat: messages only; prompt_completion: the last question and its answer."""


def write(platform: Platform, content: dict[str, Any], split: str, target: Target) -> Exported:
    """Write JSON lines of a version, or of a split, into the project's files, without rows that lack what is asked."""
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for value in rows.read_json(platform.files, content):
            shown = _as(value, target) if not split or value["split"] == split else None
            if shown is not None:
                count += 1
                yield (json.dumps(shown, ensure_ascii=False) + "\n").encode()

    file = keep_file(platform, lines())
    return Exported(file=file.sha256, rows=count, bytes=file.size)


def _as(value: dict[str, Any], target: Target) -> dict[str, Any] | None:
    messages = value.get("messages", [])
    if target == "rows":
        return value
    if target == "chat":
        return {"messages": messages} if messages else None
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        return None
    return {"prompt": messages[-2]["content"], "completion": messages[-1]["content"]}


def diff(files: Files, left: Version, right: Version) -> DatasetDiff:
    """Compare two versions row by row: rows are the same where id and content are."""
    before, after = ({value["id"]: hash(canonical(value)) for value in rows.read_json(files, one.content)}
                     for one in (left, right))  # fmt: skip
    added = [key for key in after if key not in before]
    removed = [key for key in before if key not in after]
    changed = [key for key, mark in after.items() if key in before and before[key] != mark]
    return DatasetDiff(
        left=left.ref,
        right=right.ref,
        added=len(added),
        removed=len(removed),
        changed=len(changed),
        same=len(after) - len(added) - len(changed),
        examples={"added": added[:20], "removed": removed[:20], "changed": changed[:20]},
    )
