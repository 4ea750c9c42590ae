"""Check the web UI: types against the OpenAPI document, then its unit tests, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hatch_build import _tools  # noqa: E402

STEPS = (
    ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
    ("run", "types", "--silent"),
    ("run", "check", "--silent"),
    ("test", "--silent", "--", "--passWithNoTests"),
)


def main() -> int:
    """Run the steps until one fails; return its exit code."""
    node, npm = _tools()
    environment = {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "true"}
    with tempfile.TemporaryDirectory(prefix="mainspring-ui-") as text:
        work = Path(text, "ui")
        shutil.copytree(ROOT / "ui", work, ignore=shutil.ignore_patterns("node_modules", "dist"))
        shutil.copy(ROOT / "openapi.json", text)
        for step in STEPS:
            print(f"npm {' '.join(step[:2])}", flush=True)
            code = subprocess.run([node, npm, *step], cwd=work, env=environment, check=False).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
