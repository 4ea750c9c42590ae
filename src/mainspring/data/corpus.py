"""A corpus made on the user's own machine: docstrings of the standard library and of the product's dependencies.

Each record asks for a one-line summary, the kind and the package of a piece of code, given its signature and the rest
of its docstring. Sources are parsed, never imported. The corpus is as dirty as life: inherited docstrings stand in it
twice, some summaries are fragments, some texts hold addresses. Each row says its package's licence.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import re
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Sequence
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

_SKIP = {
    "test",
    "tests",
    "testing",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "turtledemo",
    "site-packages",
    "_vendor",
    "vendor",
}
_SKIP |= {"__pycache__", "conftest.py", "examples", "benchmarks"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LONGEST_FILE = 2_000_000
_SIGNATURE = 160
"""Characters of a signature that are kept."""


class Source(NamedTuple):
    """A package whose docstrings are read."""

    name: str
    """`python` for the standard library, else the distribution's name in lower case."""
    version: str
    license: str
    files: list[tuple[str, Path]]
    """Dotted module name and path."""


def make_corpus(
    target: Path, *, packages: Sequence[str] = (), per_package: int = 0, per_module: int = 0, details: int = 360
) -> dict[str, int]:
    """Write the corpus as JSON lines in the dataset's own row format and return the number of rows for each package.

    `packages` are names of distributions, and `python` for the standard library; empty for the standard library and all
    installed dependencies. `per_package` bounds the rows of each (0: no bound); modules are drawn in an order that
    looks random and is always the same. `per_module` bounds the rows of each module, so that few rows still come from
    many places. `details` bounds the characters of a docstring's body that a row keeps.
    Raises OSError where the file cannot be written.
    """
    counts: dict[str, int] = {}
    draft = target.with_name(f".{target.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            for source in sources(packages):
                for row in islice(records(source, details, per_module), per_package or None):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    counts[source.name] = counts.get(source.name, 0) + 1
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return counts


def sources(packages: Sequence[str] = ()) -> Iterator[Source]:
    """Yield the standard library and the installed dependencies, or those that are named, in alphabetical order."""
    for name in sorted(packages or ["python", *dependencies()]):
        if name == "python":
            root = Path(sysconfig.get_paths()["stdlib"])
            version = ".".join(map(str, sys.version_info[:3]))
            yield Source("python", version, "PSF-2.0", list(_modules(root, sorted(root.rglob("*.py")))))
            continue
        try:
            dist = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        root = Path(str(dist.locate_file("")))
        paths = sorted(root / str(path) for path in dist.files or [] if path.suffix == ".py")
        yield Source(name, dist.version, license_of(dist.metadata), list(_modules(root, paths)))


def dependencies(root: str = "mainspring") -> list[str]:
    """Return the names of the installed distributions that the product needs, directly or through others.

    Requirements of the product's extras count where they are installed; extras of other packages do not.
    """
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        try:
            required = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            found.discard(name)
            continue
        for text in required:
            match = _NAME.match(text)
            needed = match[0].lower().replace("_", "-") if match else ""
            if needed and needed not in found and (name == root or "extra ==" not in text):
                found.add(needed)
                waiting.append(needed)
    return sorted(found - {root})


def license_of(meta: metadata.PackageMetadata) -> str:
    """Return a package's licence as its metadata states it: the SPDX expression, the field, or the classifiers."""
    stated: dict[str, Any] = meta.json
    expression, field = stated.get("license_expression", ""), str(stated.get("license", "")).strip()
    if expression or (field and "\n" not in field and len(field) <= 60):
        return str(expression or field)
    classifiers = [str(line).rpartition(" :: ")[2] for line in meta.get_all("Classifier") or [] if "License ::" in line]
    return " OR ".join(classifiers) or "unknown"


def records(source: Source, details: int = 360, per_module: int = 0) -> Iterator[dict[str, Any]]:
    """Yield a row for each class, function, method and property of a package with a docstring of two parts or more."""
    for module, path in sorted(source.files, key=lambda item: hashlib.sha256(item[0].encode()).digest()):
        try:
            if path.stat().st_size > _LONGEST_FILE:
                continue
            tree = _parsed(path.read_text("utf-8"))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        found = (_row(source, module, owner, node, details) for owner, node in _documented(tree))
        yield from islice(filter(None, found), per_module or None)


def _parsed(text: str) -> ast.Module:
    # A tree of a large module is a million small objects: looking for cycles among them takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if collecting:
            gc.enable()


def _modules(root: Path, paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
        if parts and not _SKIP.intersection(parts) and not any(part.startswith("test_") for part in parts):
            yield ".".join(parts).removesuffix(".py").removesuffix(".__init__"), path


def _documented(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield "", node
            for child in node.body:
                if isinstance(child, _FUNCTIONS):
                    yield node.name, child
        elif isinstance(node, _FUNCTIONS):
            yield "", node


def _row(
    source: Source, module: str, owner: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, details: int
) -> dict[str, Any] | None:
    text = ast.get_docstring(node)
    if not text or len(text) > 100_000:
        return None
    summary, _, body = text.strip().partition("\n\n")
    summary = " ".join(summary.split())
    body = textwrap.shorten(" ".join(body.split()), details, placeholder=" …")
    if not summary or not body:
        return None
    kind = _kind(owner, node)
    answer = {"summary": summary, "kind": kind, "package": source.name}
    question = f"{_signature(owner, node)}\n{body}"
    qualified = ".".join(filter(None, (module, owner, node.name)))
    return {
        "id": hashlib.sha256(f"{qualified}\n{node.lineno}".encode()).hexdigest()[:16],
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)},
        ],
        "reference": answer,
        "label": source.name,
        "group": module,
        "meta": {"kind": kind, "name": qualified, "license": source.license, "version": source.version},
    }


def _kind(owner: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if isinstance(node, ast.ClassDef):
        return "class"
    decorators = {ast.unparse(item).partition("(")[0].rpartition(".")[2] for item in node.decorator_list}
    if decorators & {"property", "cached_property"}:
        return "property"
    return "method" if owner else "function"


def _signature(owner: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if isinstance(node, ast.ClassDef):
        text = f"class {node.name}({', '.join(map(ast.unparse, node.bases))})".removesuffix("()")
    else:
        start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        text = f"{start} {node.name}({ast.unparse(node.args)}){returns}"
    return textwrap.shorten(text, _SIGNATURE, placeholder=" …")


def main() -> None:
    """Write the corpus to the file named on the command line: `python -m mainspring.data.corpus docstrings.jsonl`."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docstrings.jsonl")
    counts = make_corpus(target, packages=sys.argv[2:])
    for name, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        sys.stderr.write(f"{count:7,}  {name}\n")
    sys.stderr.write(f"{sum(counts.values()):7,}  rows in {target}\n")


if __name__ == "__main__":
    main()
