"""Honest technical text, as people ask about it, is hardly ever taken for an attack."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from mainspring.safety import Policy, Rule, apply

POLICY = Policy(rules=[Rule(detector="injection", action="block")])


def docstrings(package: str) -> list[str]:
    found = find_spec(package)
    assert found is not None and found.origin is not None
    texts = []
    for path in sorted(Path(found.origin).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                texts.append(f"{node.name}: {text[:140]}")
    return texts


def test_docstrings_of_packages_are_seldom_refused() -> None:
    texts = [text for package in ("jinja2", "rich", "starlette", "httpx") for text in docstrings(package)]
    refused = [text for text in texts if apply(POLICY, text, "input").action == "block"]
    assert len(texts) > 700
    assert len(refused) <= len(texts) * 0.01, refused[:5]
