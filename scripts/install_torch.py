"""Install the build of torch that fits this machine, and never gigabytes of CUDA that nobody asked for.

TORCH=auto   (the default) CUDA where a GPU answers; else the CPU build
TORCH=cpu    the CPU build, even beside a GPU
TORCH=cuda   the build for GPUs
TORCH_INDEX  package index that holds PyTorch's CPU builds, where the one that pip is configured for does not
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def wanted_version() -> str:
    """Return the version that pyproject.toml pins."""
    found = re.search(r'"torch==([0-9.]+)"', (ROOT / "pyproject.toml").read_text())
    if found is None:
        raise SystemExit("pyproject.toml pins no torch")
    return found.group(1)


def has_gpu() -> bool:
    """Tell whether an NVIDIA GPU answers on this machine."""
    tool = shutil.which("nvidia-smi")
    return tool is not None and subprocess.run([tool, "-L"], capture_output=True, check=False).returncode == 0


def installed() -> str:
    """Return the installed version of torch with its build, such as 2.13.0+cpu, or an empty string."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def pip(*arguments: str) -> int:
    """Run pip in this environment and return its exit code."""
    return subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *arguments], check=False).returncode


def install_cpu(version: str) -> int:
    """Install the CPU build, checked by hash where the lock knows this platform's file."""
    if sys.platform == "darwin":
        return pip("--no-deps", f"torch=={version}")
    index = os.environ.get("TORCH_INDEX", "")
    where = ["--index-url", index] if index else []
    lock = ROOT / "requirements" / "torch-cpu.txt"
    known = platform.machine() == "x86_64" and sys.version_info[:2] == (3, 11)
    if known:
        code = pip(*where, "--no-deps", "--require-hashes", "-r", str(lock))
    else:
        code = pip(*where, "--no-deps", f"torch=={version}+cpu")
    if code:
        print(
            f"\nerror: no CPU build of torch {version} could be installed from the configured package index\n"
            "hint: set TORCH_INDEX to PyTorch's package index for CPU builds, which its site names,\n"
            "      or set TORCH=cuda to take the build for GPUs, which is several gigabytes",
            file=sys.stderr,
        )
    return code


def main() -> int:
    """Install torch as TORCH asks; return pip's exit code."""
    choice = os.environ.get("TORCH", "auto")
    if choice not in {"auto", "cpu", "cuda"}:
        print(f"error: TORCH is {choice!r}\nhint: use auto, cpu or cuda", file=sys.stderr)
        return 2
    version = wanted_version()
    cuda = choice == "cuda" or (choice == "auto" and has_gpu())
    present = installed()
    if present.split("+")[0] == version and (choice == "auto" or present.endswith("+cpu") != cuda):
        return 0
    return pip(f"torch=={version}") if cuda else install_cpu(version)


if __name__ == "__main__":
    raise SystemExit(main())
