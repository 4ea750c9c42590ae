"""A server as a tree of processes: started, watched, killed, recovered, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from fault_servers import Server, alive, wait_for

pytestmark = pytest.mark.slow
Launch = Callable[..., Server]


def get(url: str) -> tuple[int, dict[str, object]]:
    with urllib.request.urlopen(url, timeout=300) as reply:
        return reply.status, json.load(reply)


def test_a_server_starts_answers_and_stops(launch: Launch) -> None:
    server = launch()
    assert server.state["owner_key"] == server.key
    assert (server.home / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert (server.home / "secret.key").stat().st_mode & 0o777 == 0o600
    assert server.home.stat().st_mode & 0o777 == 0o700
    assert get(f"{server.url}/healthz")[0] == 200
    assert get(f"{server.url}/readyz")[0] == 200
    shown = server.run("status", "--json")
    assert shown.returncode == 0, shown.stderr
    status = json.loads(shown.stdout)
    assert status["ready"]
    pids = [status["pid"], *(child["pid"] for child in status["children"])]
    assert len(pids) == 3
    assert all(alive(pid) for pid in pids)
    assert server.run("doctor").returncode == 0
    down = server.run("down")
    assert down.returncode == 0, down.stderr
    wait_for("every process to end", lambda: not any(alive(pid) for pid in pids if pid != server.process.pid))
    assert server.run("status").returncode == 7
    assert server.run("down").returncode == 0
    logged = "".join(path.read_text() for path in (server.home / "logs").glob("*.log"))
    assert server.key not in logged


def test_the_owners_key_is_shown_once(launch: Launch) -> None:
    server = launch()
    key = server.key
    assert server.stop() == 0
    again = server.start()
    assert "owner_key" not in again.state
    assert again.key == key


def test_a_second_server_on_the_same_home_is_refused(launch: Launch) -> None:
    server = launch()
    second = server.run("up", "--port=0")
    assert second.returncode == 5
    assert str(server.state["pid"]) in second.stderr
    assert server.url in second.stderr
    assert get(f"{server.url}/readyz")[0] == 200


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Server(tmp_path / "home")
        done = server.run("up", f"--port={port}")
    assert done.returncode == 5
    assert str(port) in done.stderr
    assert "--port" in done.stderr
    assert not (server.home / "records.db").exists()


def test_an_address_that_others_can_reach_needs_a_word(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    done = server.run("up", "--host=0.0.0.0", "--port=0")
    assert done.returncode == 4
    assert "--allow-remote" in done.stderr
    assert not server.home.exists()


def test_a_wrong_setting_is_refused_by_name(tmp_path: Path) -> None:
    done = Server(tmp_path / "home", MAINSPRING_ENGINE_SLOTS="many").run("up", "--port=0")
    assert done.returncode == 2
    assert "engine.slots" in done.stderr


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_killed_child_is_started_again(launch: Launch, name: str) -> None:
    server = launch()
    for round_ in (1, 2):
        old = server.child(name)["pid"]
        os.kill(old, signal.SIGKILL)
        wait_for(f"a new {name}", lambda old=old: server.child(name)["pid"] not in (0, old))
        assert server.child(name)["restarts"] == round_
        assert get(f"{server.url}/readyz")[0] == 200
    assert server.stop() == 0


def test_a_server_goes_on_where_the_process_that_forks_dies(launch: Launch) -> None:
    server = launch()
    children = {name: server.child(name)["pid"] for name in ("api", "worker")}
    parents = {psutil.Process(pid).ppid() for pid in children.values()}
    if parents == {server.state["pid"]}:
        pytest.skip("processes are not forked on this system")
    [nursery] = parents
    os.kill(nursery, signal.SIGKILL)
    wait_for("the nursery to end", lambda: not alive(nursery))
    assert all(alive(pid) for pid in children.values())
    assert get(f"{server.url}/readyz")[0] == 200
    for name, old in children.items():
        os.kill(old, signal.SIGKILL)
        wait_for(f"a new {name}", lambda name=name, old=old: server.child(name)["pid"] not in (0, old))
    assert get(f"{server.url}/readyz")[0] == 200
    assert {psutil.Process(server.child(name)["pid"]).ppid() for name in children} != {server.state["pid"]}
    assert server.stop() == 0


def test_processes_that_share_nothing_start_are_killed_and_stop(launch: Launch) -> None:
    server = launch(MAINSPRING_FORK="false")
    old = server.child("api")["pid"]
    assert psutil.Process(old).ppid() == server.state["pid"]
    os.kill(old, signal.SIGKILL)
    wait_for("a new api", lambda: server.child("api")["pid"] not in (0, old))
    assert get(f"{server.url}/readyz")[0] == 200
    assert server.run("reload").returncode == 0
    assert server.stop() == 0


def test_a_call_made_while_the_api_is_down_is_answered(launch: Launch) -> None:
    server = launch()
    os.kill(server.child("api")["pid"], signal.SIGKILL)
    assert get(f"{server.url}/healthz")[0] == 200


def test_no_child_outlives_a_killed_supervisor_and_the_next_start_recovers(launch: Launch) -> None:
    server = launch()
    port = int(server.url.rsplit(":", 1)[1])
    children = [server.child(name)["pid"] for name in ("api", "worker")]
    os.kill(server.state["pid"], signal.SIGKILL)
    wait_for("the children to end", lambda: not any(alive(pid) for pid in children))
    assert server.run("status").returncode == 7
    again = server.start(port)
    assert get(f"{again.url}/readyz")[0] == 200
    assert again.run("key", "list", "--json").returncode == 0
    assert again.stop() == 0


def test_a_server_in_the_background_is_stopped_by_down(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    started = server.run("up", "--port=0", "--detach", "--json")
    assert started.returncode == 0, started.stderr
    state = json.loads(started.stdout)
    try:
        assert state["owner_key"] == server.key
        assert get(f"{state['url']}/readyz")[0] == 200
        again = server.run("up", "--port=0", "--detach")
        assert again.returncode == 5
        assert "already runs" in again.stderr
    finally:
        assert server.run("down").returncode == 0
    wait_for("the supervisor to end", lambda: not alive(state["pid"]))


def test_a_server_in_the_background_that_cannot_start_says_what_to_do(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    (tmp_path / "home").mkdir(mode=0o700)
    with closing(sqlite3.connect(tmp_path / "home" / "records.db")) as conn:
        conn.execute("CREATE TABLE runs (id TEXT)")
    started = server.run("up", "--port=0", "--detach")
    assert started.returncode == 5
    assert "another state of Mainspring" in started.stderr and "Start on a new home folder" in started.stderr


def test_down_by_force_leaves_nothing_behind(launch: Launch) -> None:
    server = launch()
    children = [server.child(name)["pid"] for name in ("api", "worker")]
    assert server.run("down", "--force").returncode == 0
    wait_for("the children to end", lambda: not any(alive(pid) for pid in children))
