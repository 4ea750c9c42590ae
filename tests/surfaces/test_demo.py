"""The whole loop, by its own command and by the example on a page, on a real server and a real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = ["version", "machine", "stages", "comparison", "release", "serving", "monitoring", "lineage", "audit"]
pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.timeout(1500)]


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done


def test_the_loop_goes_round_and_the_page_goes_round_on_the_same_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    demo = (sys.executable, "-m", "mainspring", "demo", f"--home={home}", "--port=0", "--quick", "--json")
    try:
        report = json.loads(run(*demo).stdout)
        assert json.loads((home / "demo-report.json").read_text()) == report
        assert set(KEYS) <= set(report)
        check(report)
        page = run(
            sys.executable, str(ROOT / "examples/lifecycle.py"), "--steps=2", "--rows=4", MAINSPRING_HOME=str(home)
        )
        assert "audit log verified: True" in page.stdout
    finally:
        run(sys.executable, "-m", "mainspring", "down", f"--home={home}")


def check(report: dict) -> None:  # type: ignore[type-arg]
    assert [stage["name"] for stage in report["stages"]] == [
        "data", "prompt", "baseline", "tuning", "evidence", "review", "serving", "monitoring", "closing",
    ]  # fmt: skip
    figures = {stage["name"]: stage["figures"] for stage in report["stages"]}
    assert figures["data"]["prepared"]["splits"]["train"] > 100
    parity = {one["format"]: one for one in figures["tuning"]["parity"]}
    assert all(one["passed"] and one["token_ids_equal"] for one in parity.values())
    assert parity["merged"]["greedy_equal"] == parity["merged"]["prompts"]
    assert report["comparison"]["json"]["n"] == 12
    assert report["release"]["state"] == "approved"
    assert all(one["passed"] for one in report["release"]["gate_checks"])
    assert report["release"]["author"] not in [one["member"] for one in report["release"]["approvals"]]
    assert report["serving"]["errors"] == 0
    assert figures["monitoring"]["attack"]["blocked"]
    assert report["monitoring"]["drift"]["drifted"] and not report["monitoring"]["drift"]["usual"]["drifted"]
    assert report["monitoring"]["alerts"][0]["webhook"] and report["monitoring"]["guard_hits"] >= 1
    assert report["monitoring"]["traces"] > 40 and report["monitoring"]["feedback"] > 20
    assert figures["monitoring"]["usage"][0]["cost"] > 0
    assert report["lineage"]["nearest_rows"] and report["lineage"]["approvals"]
    assert report["audit"]["verified"]
