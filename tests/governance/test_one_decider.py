"""Only governance changes the state of a release."""

from __future__ import annotations

import ast
from pathlib import Path

import mainspring

SOURCE = Path(mainspring.__file__).parent
STORES = ("mainspring.registry.releases", "mainspring.registry.tables")


def uses(path: Path) -> set[str]:
    """What a module takes from `registry.releases`, by name or through the module, and which tables it names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in (
            "mainspring.registry.releases",
            "mainspring.registry.tables",
        ):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "releases":
            found.add(node.attr)
    return found


def test_no_other_room_moves_a_release() -> None:
    deciders = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if uses(path) & {"move", "release_states", "release_events"} and path.name != "releases.py"
    }
    assert deciders == {"governance"}
