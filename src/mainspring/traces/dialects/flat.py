"""Flattened attributes (`llm.input_messages.0.message.role`) back into the lists and objects that they were."""

from __future__ import annotations

from typing import Any

_DEEPEST = 12
_LONGEST = 1000


def take(attributes: dict[str, Any], prefix: str) -> list[Any] | None:
    """Remove what stands under `prefix.` and return the list that it spells; None where there is nothing."""
    begins = prefix + "."
    keys = [key for key in attributes if key.startswith(begins)]
    if not keys:
        return None
    tree: dict[str, Any] = {}
    taken = []
    for key in keys:
        parts = key[len(begins) :].split(".")
        if parts[0].isdecimal() and len(parts) <= _DEEPEST:
            _place(tree, parts, attributes[key])
            taken.append(key)
    if not taken:
        return None
    for key in taken:
        del attributes[key]
    found = _listed(tree)
    return found if isinstance(found, list) else [found]


def _place(tree: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = tree[part] = {}
        tree = below
    if not isinstance(tree.get(parts[-1]), dict):
        tree[parts[-1]] = value


def _listed(tree: Any) -> Any:
    """Turn objects whose keys are all numbers into lists, in the order of the numbers."""
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdecimal() and len(key) < 6 for key in tree) and len(tree) <= _LONGEST:
        return [_listed(tree[key]) for key in sorted(tree, key=int)]
    return {key: _listed(value) for key, value in tree.items()}
