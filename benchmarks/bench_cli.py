"""How long `mainspring --help` takes, against importing typer and rich alone. The budget is a factor of 2.5."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

ROUNDS = 15
BUDGET = 2.5


def cpu_seconds(*arguments: str) -> float:
    """Return the least CPU time of several runs, in seconds: the figure that other load disturbs least."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env=os.environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def main() -> int:
    """Measure, print, and return 1 over the budget."""
    bare = cpu_seconds("-c", "import typer, rich")
    ours = cpu_seconds("-m", "mainspring", "--help")
    print(
        f"import typer and rich {bare * 1000:.0f} ms, mainspring --help {ours * 1000:.0f} ms, {ours / bare:.2f} times"
    )
    return 1 if ours > BUDGET * bare else 0


if __name__ == "__main__":
    raise SystemExit(main())
