"""A small Python function run in a process of its own, with little of everything: time, memory, files, no network.

It keeps honest code from doing harm by mistake. It is no prison for hostile code: where the kernel grants a network
namespace the process has no network, elsewhere only the interpreter refuses it. So only admins may store code.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON

_CHILD = Path(__file__).with_name("limited_child.py")
_MOST_BYTES = 4 << 20
"""Most that the function's results and its errors may take."""


def check(source: str) -> None:
    """Raise Invalid for source that does not compile, or that defines no function `score`."""
    import ast

    try:
        tree = ast.parse(source)
        compile(tree, "scorer", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Invalid(f"The code does not compile: {error}") from None
    if not any(isinstance(node, ast.FunctionDef) and node.name == "score" for node in tree.body):
        raise Invalid(
            "The code defines no function `score`.",
            hint="Write def score(answer, reference, question, contexts): return 0.0",
        )


def run(source: str, rows: Sequence[JSON], *, seconds: float, megabytes: int) -> list[float | None]:
    """Call the source's `score(**row)` for each row, in one process, and return its numbers; None stays None.

    `seconds` bounds the whole, `megabytes` the memory. Raises Invalid, saying what went wrong and where.
    """
    body = json.dumps({"source": source, "rows": list(rows), "seconds": seconds, "megabytes": megabytes}).encode()
    with tempfile.TemporaryDirectory(prefix="mainspring-score-") as folder:
        given, taken = Path(folder, "given"), Path(folder, "taken")
        given.write_bytes(body)
        empty = Path(folder, "empty")
        empty.mkdir()
        with given.open("rb") as stdin, taken.open("wb") as stdout:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(_CHILD)],
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                env={"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
                start_new_session=True,
                close_fds=True,
            )
            try:
                code = child.wait(timeout=seconds + 2)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(child)
        said = taken.read_bytes()[: _MOST_BYTES + 1] if taken.stat().st_size <= _MOST_BYTES else b""
    return _read(said, code, len(rows), seconds, megabytes)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and its children, and wait for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read(said: bytes, code: int | None, count: int, seconds: float, megabytes: int) -> list[float | None]:
    """Return the numbers that the child wrote. Raises Invalid."""
    if code is None or code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise Invalid(
            f"The code took more than {seconds:g} s for {count} rows, and was ended.",
            hint="Make it quicker, or give it more --seconds.",
        )
    try:
        result: Any = json.loads(said)
    except ValueError:
        raise Invalid(
            f"The code's process ended without a result (exit {code}).",
            hint=f"It has {megabytes} MB of memory, and may not write, start processes or use the network.",
        ) from None
    if "error" in result:
        where = f" at row {result['row']}" if "row" in result else ""
        raise Invalid(f"The code failed{where}: {str(result['error'])[:500]}")
    values: list[float | None] = result["values"]
    return values
