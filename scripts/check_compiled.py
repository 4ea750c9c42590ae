"""Build the wheel with its hot modules compiled, and run the tests of what goes through them against it.

They are run against the installed wheel and not against the checkout, whose modules stay plain Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    "serving/test_budget_machine.py",
    "serving/test_counters.py",
    "serving/test_gateway.py",
    "serving/test_gateway_budgets.py",
    "serving/test_guard_matrix.py",
    "serving/test_hostile_provider.py",
    "serving/test_leaving_clients.py",
    "serving/test_messages.py",
    "serving/test_relay.py",
    "serving/test_responses.py",
    "serving/test_shadows.py",
    "serving/test_transport.py",
    "surfaces/test_heads.py",
    "surfaces/test_turn.py",
    "traces/test_arrival.py",
    "traces/test_golden.py",
    "traces/test_otlp.py",
    "traces/test_protobuf.py",
    "traces/test_span_store.py",
    "traces/test_span_store_attempts.py",
    "traces/test_span_store_faults.py",
    "traces/test_span_store_groups.py",
    "traces/test_span_store_model.py",
    "traces/test_span_store_sessions.py",
)


def main() -> int:
    """Build, install apart, test; return what the tests end with."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        environ = {**os.environ, "MAINSPRING_COMPILED": "1"}
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={folder / 'dist'}", str(ROOT)]
        subprocess.run(build, env=environ, check=True, stdout=subprocess.DEVNULL)
        wheel = next((folder / "dist").glob("*.whl"))
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", file=sys.stderr)
        site = folder / "site"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
        subprocess.run(install, check=True)
        environ = {**os.environ, "PYTHONPATH": str(site)}
        where = "import mainspring.traces.otlp as one; print(one.__file__)"
        found = subprocess.run([sys.executable, "-c", where], env=environ, check=True, capture_output=True, text=True)
        if not found.stdout.strip().startswith(str(site)) or not found.stdout.strip().endswith(".so"):
            print(f"error: what is imported is not compiled: {found.stdout}", file=sys.stderr)
            return 1
        tests = [str(ROOT / "tests" / name) for name in TESTS]
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *tests]
        return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
