"""What is compiled: only what the compiler gets right, and never older than its sources."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / "scripts" / "compiled.py"))
WAITS = (ast.Await, ast.Yield, ast.YieldFrom)


@pytest.mark.parametrize("name", MADE["MODULES"])
def test_a_compiled_module_has_only_what_the_compiler_gets_right(name: str) -> None:
    tree = ast.parse((ROOT / "src" / "mainspring" / name).read_text())
    for node in ast.walk(tree):
        # Where a compiled coroutine or generator waits within a handler, what it handles is lost, and memory with it.
        if isinstance(node, ast.Try):
            handling = [below for part in (*node.handlers, *node.finalbody) for below in ast.walk(part)]
            assert not [one.lineno for one in handling if isinstance(one, WAITS)], "it waits within a handler"
        assert not isinstance(node, ast.AsyncFor | ast.AsyncWith), f"line {node.lineno}: its end waits within a handler"
        if isinstance(node, ast.AsyncFunctionDef):
            yields = [one.lineno for one in ast.walk(node) if isinstance(one, ast.Yield)]
            assert not yields, f"line {yields}: how an asynchronous generator is closed is not sure"
        if isinstance(node, ast.ClassDef):
            assert not node.keywords, f"{node.name}: what stands behind its bases would be dropped"
            assert not {"BaseModel", "Record"} & {getattr(base, "id", "") for base in node.bases}, node.name
        if isinstance(node, ast.Attribute):
            assert node.attr != "_thread", f"line {node.lineno}: the name is a word of C"


def test_what_is_compiled_is_what_the_sources_say() -> None:
    assert MADE["is_current"](), "make compiled, or make plain"
