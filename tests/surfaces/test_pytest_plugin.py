"""Scores of tests become an experiment; a regression that is shown fails the session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.surfaces import client as clients
from mainspring.surfaces import testing

TESTS = """
import os
import pytest

@pytest.mark.parametrize("number", range(60))
def test_answer(number, mainspring_score):
    mainspring_score("helpful", number < int(os.environ["GOOD"]), question=f"q{number}", answer="a")
    mainspring_score("penalty:slips", number % 3)
"""


class Local:
    """A client that calls the services where they are."""

    def __init__(self, platform: Platform) -> None:
        from mainspring.evals import Experiments

        self.experiment = Experiments(platform)

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def session(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the tests above in this process, with so many good answers; exit code and output."""
    from tests.conftest import make_caller

    monkeypatch.setattr(clients, "Client", lambda: Local(platform))
    (tmp_path / "test_app.py").write_text(TESTS)

    def run(good: int, *options: str) -> tuple[int, str]:
        monkeypatch.setenv("GOOD", str(good))
        with access.acting_as(make_caller()):
            plugins = [] if _installed() else [testing]
            place = [f"--rootdir={tmp_path}", "-c", str(tmp_path / "none.ini"), str(tmp_path / "test_app.py")]
            code = pytest.main(["-q", "-p", "no:cacheprovider", *place, *options], plugins=plugins)
        return int(code), capsys.readouterr().out

    (tmp_path / "none.ini").write_text("[pytest]\n")
    return run


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "mainspring.surfaces.testing" for point in entry_points(group="pytest11"))


def test_scores_are_recorded_and_a_shown_regression_fails(session, platform: Platform) -> None:
    from mainspring.evals import Experiments

    assert session(50)[0] == 0
    assert Experiments(platform).list_().items == []
    code, said = session(50, "--mainspring-experiment", "app", "--mainspring-note", "first")
    assert (code, "Recorded 60 rows as experiment app" in said) == (0, True)
    code, said = session(47, "--mainspring-experiment", "next", "--mainspring-baseline", "app")
    assert code == 0, said
    code, said = session(20, "--mainspring-experiment", "worse", "--mainspring-baseline", "app")
    assert code == 1
    assert "Worse than app: given:helpful." in said
    kept = Experiments(platform).rows("worse", limit=1).items[0]
    assert kept.scores == {"given:helpful": 1.0, "penalty:slips": 0.0}
    assert kept.messages[0]["content"] == "q0"
    code, said = session(50, "--mainspring-experiment", "lost", "--mainspring-baseline", "nothing")
    assert (code, "There is no experiment 'nothing'" in said) == (1, True)


def test_the_plugin_loads_nothing_heavy() -> None:
    heavy = ("numpy", "sqlalchemy", "fastapi", "pydantic")
    code = f"import sys, mainspring.surfaces.testing; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
