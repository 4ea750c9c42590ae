"""Build the wheel, install it into a clean environment without extras, and check what arrived.

The wheel holds the web UI, needs no extra to start, and brings no torch, transformers or CUDA.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNWANTED = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "ray"}


def run(*command: str | Path) -> str:
    """Run a command and return its standard output; leave with its message where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def check_contents(wheel: Path) -> list[str]:
    """Return what is wrong with the files in the wheel."""
    names = zipfile.ZipFile(wheel).namelist()
    wrong = []
    if (ROOT / "ui").is_dir() and "mainspring/surfaces/static/index.html" not in names:
        wrong.append("the web UI is not in the wheel")
    if "mainspring/py.typed" not in names:
        wrong.append("py.typed is not in the wheel")
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        wrong.append("the licence is not in the wheel")
    wrong += [f"{name} has no place in the wheel" for name in names if name.startswith(("tests/", "ui/"))]
    return wrong


def check_install(wheel: Path, folder: Path) -> list[str]:
    """Return what is wrong after installing the wheel, with the locked core, into a new environment."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", ROOT / "requirements" / "core.txt")
    run(python, "-m", "pip", "install", "--quiet", wheel)
    listed = run(python, "-m", "pip", "list", "--format=freeze").splitlines()
    present = {line.split("==")[0].lower() for line in listed}
    wrong = [f"{name} came without its extra" for name in sorted(present & UNWANTED)]
    wrong += [f"{name} came without a GPU" for name in sorted(present) if name.startswith("nvidia-")]
    help_text = run(folder / "bin" / "mainspring", "--help")
    if "up" not in help_text:
        wrong.append("`mainspring --help` does not list `up`")
    return wrong + check_server(folder)


def check_server(folder: Path) -> list[str]:
    """Return what is wrong with a server that starts from what was installed, without any extra."""
    mainspring = folder / "bin" / "mainspring"
    home = f"--home={folder / 'home'}"
    run(mainspring, "up", home, "--port=0", "--detach")
    try:
        state = json.loads(run(mainspring, "status", home, "--json"))
        page = urllib.request.urlopen(state["url"], timeout=60).read()
    finally:
        run(mainspring, "down", home)
    return [] if b"<html" in page else ["the server shows no web UI"]


def main() -> int:
    """Build, install, check; return 1 where something is wrong."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT)
        wheel = next((folder / "dist").glob("*.whl"))
        wrong = check_contents(wheel) + check_install(wheel, folder / "venv")
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", file=sys.stderr)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
