"""Compile the modules through which every span and every call goes to machine code, with mypyc.

    python scripts/compiled.py build [FOLDER]   beside their sources, or into a folder as a wheel holds them
    python scripts/compiled.py clean            back to plain Python
    python scripts/compiled.py check            fail where what is compiled is not what the sources say

The sources stay what they are, and stay what runs where nothing is compiled. What this compiler gets wrong stays out: a
test looks for it: coroutines and generators that wait within an `except` or a `finally`, asynchronous generators, and
classes that a library builds from their annotations. A whole number in a place that is typed `float` becomes a float:
such places are typed otherwise.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
STAMP = SOURCES / "mainspring.compiled"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
GROUP = "mainspring"
MODULES = (
    "backends/spans_log/codec.py",
    "backends/spans_log/intake.py",
    "backends/spans_log/lines.py",
    "backends/spans_log/wal.py",
    "backends/spans_sqlite/bodies.py",
    "backends/spans_sqlite/calls.py",
    "backends/spans_sqlite/rows.py",
    "backends/spans_sqlite/sessions.py",
    "backends/spans_sqlite/totals.py",
    "backends/spans_sqlite/writer.py",
    "kernel/clock.py",
    "serving/answering.py",
    "serving/cork.py",
    "serving/counters.py",
    "serving/decoding.py",
    "serving/directory.py",
    "serving/exchange.py",
    "serving/gateway.py",
    "serving/metering/billing.py",
    "serving/metering/journal.py",
    "serving/metering/leases.py",
    "serving/metering/meter.py",
    "serving/metering/reckoning.py",
    "serving/metering/windows.py",
    "serving/origins.py",
    "serving/preparing.py",
    "serving/protocols/openai.py",
    "serving/recording.py",
    "serving/remote/wire.py",
    "serving/routing/board.py",
    "serving/routing/breaker.py",
    "serving/streaming.py",
    "serving/transport.py",
    "surfaces/access_log.py",
    "surfaces/admission.py",
    "surfaces/door.py",
    "surfaces/processes/head.py",
    "surfaces/processes/turn.py",
    "traces/counting.py",
    "traces/dialects/__init__.py",
    "traces/dialects/flat.py",
    "traces/dialects/messages.py",
    "traces/dialects/names.py",
    "traces/dialects/shapes.py",
    "traces/dialects/translate.py",
    "traces/dialects/usage.py",
    "traces/intake.py",
    "traces/limits.py",
    "traces/otlp.py",
    "traces/protobuf.py",
    "traces/raw.py",
    "traces/skew.py",
    "traces/usage.py",
    "workspace/keys.py",
)
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify({given!r}, opt_level="2", multi_file=True, group_name={group!r})
setup(name="compiled", packages=[], ext_modules=modules)
"""


def build(into: Path) -> None:
    """Compile into a folder that stands for the one above the package. Raises SystemExit where that fails."""
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise SystemExit("There is no C compiler: install one, or stay with plain Python, which does the same.")
    with tempfile.TemporaryDirectory(prefix="mainspring-compiled-") as text:
        work = Path(text)
        shutil.copytree(SOURCES, work / "src", ignore=shutil.ignore_patterns("*.so", "static", "__pycache__"))
        given = [f"--config-file={ROOT / 'pyproject.toml'}", *(f"mainspring/{name}" for name in MODULES)]
        (work / "src" / "setup.py").write_text(_SETUP.format(given=given, group=GROUP))
        command = [sys.executable, "setup.py", "build_ext", "--build-lib", str(work / "made")]
        done = subprocess.run(command, cwd=work / "src", capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\nThe modules could not be compiled.")
        for made in (work / "made").rglob("*.so"):
            target = into / made.relative_to(work / "made")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, target)


def clean() -> None:
    """Remove what was compiled beside the sources."""
    for made in compiled():
        made.unlink()
    STAMP.unlink(missing_ok=True)


def compiled() -> list[Path]:
    """Return what is compiled beside the sources."""
    places = [SOURCES / "mainspring" / name for name in MODULES]
    made = [place.parent / f"{'__init__' if place.stem == '__init__' else place.stem}{SUFFIX}" for place in places]
    return [one for one in [*made, SOURCES / f"{GROUP}__mypyc{SUFFIX}"] if one.exists()]


def source_hash() -> str:
    """Return the SHA-256 over the sources of all that is compiled."""
    digest = hashlib.sha256(SUFFIX.encode())
    for name in MODULES:
        digest.update(f"{name}\0{hashlib.sha256((SOURCES / 'mainspring' / name).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def is_current() -> bool:
    """Tell whether nothing is compiled, or what the sources say."""
    return not compiled() or (STAMP.is_file() and STAMP.read_text() == source_hash())


def main() -> int:
    """Do what the command line says."""
    what, *rest = sys.argv[1:] or ["build"]
    if what == "build" and rest:
        build(Path(rest[0]))
    elif what == "build":
        if compiled() and is_current():
            sys.stderr.write("What is compiled is current.\n")
            return 0
        clean()
        build(SOURCES)
        STAMP.write_text(source_hash())
    elif what == "clean":
        clean()
    elif what == "check" and not is_current():
        sys.stderr.write("What is compiled is older than its sources: `make compiled`, or `make plain`.\n")
        return 1
    elif what != "check":
        sys.stderr.write(__doc__ or "")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
