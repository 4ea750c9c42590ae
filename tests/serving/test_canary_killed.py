"""Canaries whose judge is killed, or cut off at a look: what is decided is decided once."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from tests.serving.test_canaries import Traffic, audited, known, start, traffic

from mainspring.kernel.platform import Platform
from mainspring.serving import judging
from mainspring.serving.judging import judge_due
from mainspring.serving.rollouts import Canaries
from mainspring.serving.service import Deployments

assert known
assert traffic


KILLED = """
import os, signal, sys
from pathlib import Path
from mainspring.kernel import settings
from mainspring.surfaces.compose import build_platform
from mainspring.serving import canaries, judging

end = canaries.end

def killed(*given):
    end(*given)
    os.kill(os.getpid(), signal.SIGKILL)

canaries.end = killed
home = sys.argv[1]
judging.judge_due(build_platform(settings.load({"home": home}, environ={}, folder=Path(home))))
"""


@pytest.mark.slow
def test_a_judge_that_is_killed_decides_at_its_next_start_and_once(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]]
) -> None:
    """SIGKILL after the deployment was moved and the canary ended, before any of it was committed."""
    release = known["approved"][1]
    start(platform, release)
    traffic.judged(200, release, 0.1, 0.9)
    done = subprocess.run([sys.executable, "-c", KILLED, str(platform.home)], check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    assert Canaries(platform).get("docs").state == "running"
    assert Deployments(platform).get("docs").canary == release
    judge_due(platform)
    assert (Canaries(platform).get("docs").state, Canaries(platform).get("docs").now.units) == ("rolled_back", 200)
    assert [move.action for move in Deployments(platform).history("docs").items] == ["rollback", "roll", "create"]
    assert len(audited(platform)) == 1


def test_a_look_that_is_cut_off_has_not_happened(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its transaction commits, a look leaves nothing; the next one counts the same units once."""
    release = known["approved"][1]
    began = start(platform, release)
    traffic.judged(300, release, 0.1, 0.9)

    def killed(*_: Any) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(judging.events, "emit", killed)
        with pytest.raises(SystemExit):
            judge_due(platform)
    assert Canaries(platform).get("docs").now == began.now
    assert Deployments(platform).get("docs").canary == release and audited(platform) == []
    judge_due(platform)
    ended = Canaries(platform).get("docs")
    assert ended.state == "rolled_back" and ended.now.units == 300
    assert len(audited(platform)) == 1
    assert [move.action for move in Deployments(platform).history("docs").items] == ["rollback", "roll", "create"]
