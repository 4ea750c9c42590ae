"""Runs through DBOS, which is up only as long as there is something to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.backends import runner_dbos
from mainspring.backends.runner_dbos import DbosRunner
from mainspring.kernel import runs
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform

pytestmark = pytest.mark.timeout(120)


@job("test.greet")
def greet(task: Job) -> dict[str, str]:
    return {"said": f"hello {task.params['name']}"}


@pytest.fixture
def runner(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DbosRunner]:
    monkeypatch.setattr(runner_dbos, "_REST_SECONDS", 0.5)
    monkeypatch.setattr(runner_dbos, "_LOOK_SECONDS", 0.2)
    made = DbosRunner(f"sqlite:///{tmp_path / 'jobs.db'}", 1)
    yield made
    made.stop()


def wait_for(look: Callable[[], bool]) -> None:
    while not look():
        time.sleep(0.05)  # another thread's progress is seen only by looking


def up() -> bool:
    """Whether a thread of DBOS's looks for something to do."""
    return any(thread.name.startswith("queue-worker") for thread in threading.enumerate())


def start(platform: Platform, name: str) -> str:
    with platform.begin() as tx:
        return runs.create(tx, "test.greet", {"name": name}).id


def result(platform: Platform, run_id: str) -> object:
    def ended() -> bool:
        with platform.read() as tx:
            return runs.get(tx, run_id).state in runs.FINISHED

    wait_for(ended)
    with platform.read() as tx:
        return runs.get(tx, run_id).result


def test_it_rests_between_runs_and_wakes_for_the_next(platform: Platform, runner: DbosRunner, tmp_path: Path) -> None:
    runner.start(platform)
    assert not up() and not (tmp_path / "jobs.db").exists()
    for name in ("ann", "bob"):
        run_id = start(platform, name)
        runner.look()
        assert result(platform, run_id) == {"said": f"hello {name}"}
        wait_for(lambda: not up())


def test_a_run_of_which_nobody_told_is_found(platform: Platform, runner: DbosRunner) -> None:
    run_id = start(platform, "eve")
    runner.start(platform)
    assert result(platform, run_id) == {"said": "hello eve"}
