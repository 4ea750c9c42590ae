"""A run goes on where its worker was killed, and ends once."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_servers import Server, wait_for

from mainspring.kernel.runs import Run
from mainspring.surfaces.client import Client

pytestmark = pytest.mark.slow
Launch = Callable[..., Server]
ROWS = 20_000


def corpus(path: Path) -> Path:
    """Rows enough to keep a worker busy for some seconds, a tenth of them near duplicates."""
    pick = random.Random(7)
    words = [f"word{number}" for number in range(3000)]
    with path.open("w") as file:
        text = ""
        for number in range(ROWS):
            text = text + " again" if number % 10 == 9 else " ".join(pick.choices(words, k=40))
            row = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "noted"}]}
            file.write(json.dumps(row) + "\n")
    return path


def running(client: Client, run: Run) -> bool:
    return bool(client.run.get(run.id).state == "running")


@pytest.mark.parametrize("victim", ["worker", "supervisor"])
def test_a_run_goes_on_after_its_worker_was_killed(launch: Launch, tmp_path: Path, victim: str) -> None:
    server = launch()
    with Client(server.url, server.key) as client:
        version = client.dataset.import_("long", corpus(tmp_path / "long.jsonl"))
        run = client.profile.create(f"dataset/long@{version.number}")
        wait_for("the run to start", lambda: running(client, run))
        if victim == "worker":
            os.kill(server.child("worker")["pid"], signal.SIGKILL)
        else:
            os.kill(server.state["pid"], signal.SIGKILL)
            server.start()
    with Client(server.url, server.key) as client:
        done = client.wait(run)
        assert done.state == "succeeded"
        assert done.attempt == 2
        made = client.profile.list_(dataset=f"dataset/long@{version.number}").items
        assert [profile.id for profile in made] == [run.id]
        assert made[0].rows == ROWS


def test_a_run_that_waits_is_taken_up_by_the_next_server(launch: Launch, tmp_path: Path) -> None:
    server = launch()
    path = tmp_path / "few.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}\n')
    with Client(server.url, server.key) as client:
        client.dataset.import_("few", path)
        os.kill(server.child("worker")["pid"], signal.SIGKILL)
        run = client.profile.create("dataset/few")
    os.kill(server.state["pid"], signal.SIGKILL)
    server.start()
    with Client(server.url, server.key) as client:
        assert client.wait(run).state == "succeeded"
