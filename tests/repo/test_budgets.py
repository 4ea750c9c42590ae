"""Size budgets and the marks of unfinished work."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "mainspring"
FILE_LINES = 400
FUNCTION_LINES = 60
KERNEL_LINES = 2_500
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|not implemented", re.IGNORECASE)


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_longer_than_its_budget() -> None:
    typescript = [path for kind in ("*.ts", "*.tsx") for path in (ROOT / "ui" / "src").rglob(kind)]
    written = [path for path in typescript if ".gen." not in path.name and "generated" not in path.parts]
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in [*python_files("src", "tests", "scripts", "benchmarks", "examples"), *written]
    }
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_its_budget() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{name}": lines
        for path in python_files("src", "scripts")
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    }
    assert long == {}


def test_the_kernel_stays_small() -> None:
    # Blank lines separate ideas: they cost nothing to read, so they do not count.
    kernel = (SOURCE / "kernel").rglob("*.py")
    lines = sum(1 for path in kernel for line in path.read_text().splitlines() if line.strip())
    assert lines <= KERNEL_LINES


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in python_files("src", "scripts", "examples")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_the_product_uses_no_mocks_and_no_pickle() -> None:
    banned = {"unittest.mock", "mock", "pickle", "cPickle", "dill", "cloudpickle", "joblib"}
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in python_files("src")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        if name in banned
    ]
    assert found == []


@pytest.mark.parametrize("suffix", ["*.py", "*.md", "*.toml", "*.sh", "*.ts", "*.tsx", "*.yaml", "*.json", "Makefile"])
def test_no_file_names_a_package_registry(suffix: str) -> None:
    hosts = re.compile(
        "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)", "deb" + r"\.debian"])
    )
    skip = {".venv", "node_modules", ".git", "static", "dist", ".hypothesis"}
    found = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob(suffix)
        if not skip.intersection(path.relative_to(ROOT).parts)
        and path.is_file()
        and hosts.search(path.read_text(errors="ignore"))
    ]
    assert found == []


def test_test_files_have_names_of_their_own() -> None:
    seen: dict[str, Path] = {}
    twice = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path.name in seen:
            twice.append(f"{path.relative_to(ROOT)} and {seen[path.name].relative_to(ROOT)}")
        seen[path.name] = path
    assert twice == []
