"""Pin every dependency, with hashes, in requirements/: the core alone, and everything.

Torch stays out of the lock, since which build is right depends on the machine; see install_torch.py. The files name
no registry: whoever installs from them chooses where from.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = [
    "--quiet",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    "--no-header",
    "--no-annotate",
    "--allow-unsafe",
    "--strip-extras",
]
LOCKS = {
    "all.txt": [f"--extra={name}" for name in ("tune", "postgres", "parquet", "grpc", "clickhouse", "dev")],
    "core.txt": ["--constraint=requirements/all.txt"],
}


def main() -> int:
    """Compile each lock file; further arguments (such as `--upgrade`) go to pip-compile."""
    for name, extras in LOCKS.items():
        target = f"requirements/{name}"
        command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *extras, *sys.argv[1:]]
        subprocess.run([*command, f"--output-file={target}", "pyproject.toml"], cwd=ROOT, check=True)
        set_torch_apart(ROOT / target)
    return 0


def set_torch_apart(path: Path) -> None:
    """Move the pin of torch, where there is one, into a file of its own, and drop remarks."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#")).strip() + "\n"
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    torch = [entry for entry in entries if entry.startswith("torch==")]
    if torch and "+cpu" in torch[0]:
        (ROOT / "requirements" / "torch-cpu.txt").write_text(torch[0].strip() + "\n")
    path.write_text("\n".join(entry.rstrip() for entry in entries if entry not in torch) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
