"""Several API processes behind one port: what they share, what a kill leaves, and a reload that nobody notices."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fault_servers import Server, alive, wait_for
from tests.serving.conftest import Served
from tests.serving.vendor import KEY, Vendor

from mainspring.surfaces.client import Client

pytestmark = pytest.mark.slow
Launch = Callable[..., Server]
HI: Any = [{"role": "user", "content": "Say hi"}]
ONE = 100 * 1000 + 40 * 10_000
"""Nanodollars of an answer: the vendor says that it is 100 tokens in and 40 out."""
PRIVATE = {"MAINSPRING_TARGETS_ALLOW_PRIVATE": "true"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    """A vendor of models that the servers ask."""
    served = Served()
    made = Vendor()
    made.url, served.app = served.url, made.app
    yield made
    served.stop()


@pytest.fixture(scope="module")
def fleet(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of three API processes that knows the vendor, with a price for its model."""
    server = Server(tmp_path_factory.mktemp("fleet") / "home", "--api-processes=3", **PRIVATE).start()
    introduce(server, vendor)
    yield server
    server.stop()


def introduce(server: Server, vendor: Vendor) -> None:
    with Client(server.url, server.key) as client:
        client.provider.create("acme", vendor.url, api_key=KEY)
        client.price.set("acme/big", input_per_million=1.0, output_per_million=10.0)


@pytest.fixture
def mine(fleet: Server) -> Iterator[tuple[Client, Any]]:
    """The owner's client, and a key of the test's own, by which its calls are told apart."""
    with Client(fleet.url, fleet.key) as client:
        yield client, client.key.create()


def asker(server: Server, key: str = "") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key or server.key, max_retries=0, timeout=300)


def api_pids(server: Server) -> list[int]:
    state = json.loads((server.home / "run" / "server.json").read_text())
    return [child["pid"] for child in state["children"] if child["name"].startswith("api")]


def lines(server: Server) -> list[dict[str, Any]]:
    """The access log, with what was set aside."""
    files = sorted((server.home / "logs").glob("access.log*"), key=lambda path: path.stat().st_mtime)
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


class Load:
    """Asks all the time from several threads, with one client each, and keeps every failure."""

    def __init__(self, server: Server, key: str, threads: int = 4) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._server = server
        self._key = key
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        with asker(self._server, self._key) as client:
            while not self._stop.is_set():
                try:
                    if number % 2:
                        made = client.chat.completions.create(model="acme/big", messages=HI, stream=True)
                        said = "".join(piece.choices[0].delta.content or "" for piece in made if piece.choices)
                    else:
                        said = client.chat.completions.create(model="acme/big", messages=HI).choices[0].message.content
                    assert said == "Hello there.", said
                except Exception as error:
                    self.failures.append(repr(error))
                with self._lock:
                    self.answered += 1

    def more(self, count: int = 20) -> None:
        """Wait for so many more answers."""
        seen = self.answered
        wait_for("answers", lambda: self.answered >= seen + count)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_reloads_under_load_fail_nobody(fleet: Server, mine: tuple[Client, Any]) -> None:
    client, key = mine
    first = set(api_pids(fleet))
    load = Load(fleet, key.secret)
    try:
        load.more()
        assert fleet.run("reload").returncode == 0
        load.more()
    finally:
        load.stop()
    assert load.failures == [] and load.answered >= 40
    now = state_of(fleet)
    running = [child for child in now["children"] if child["name"].startswith("api") and child["state"] == "running"]
    assert [child["name"] for child in running] == ["api-1", "api-2", "api-3"] and now["problem"] == ""
    assert not first & {child["pid"] for child in running}
    wait_for("the old processes to end", lambda: not any(alive(pid) for pid in first))
    [used] = wait_for("the books", lambda: settled(client, key, load.answered))
    assert (used.requests, used.estimated) == (load.answered, 0)
    assert used.nanodollars == load.answered * ONE
    wait_for("the log", lambda: asked(fleet, key, load.answered))
    assert len({one["pid"] for one in asked(fleet, key, load.answered)}) > 2


def state_of(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((server.home / "run" / "server.json").read_text())
    return found


def settled(client: Client, key: Any, requests: int) -> list[Any]:
    """What a key used once so many requests stand there: each process writes its part now and then."""
    rows = client.usage.report(by="", key=key.id)
    return rows if rows and rows[0].requests >= requests else []


def test_a_hundred_calls_at_once_over_three_processes_never_exceed(fleet: Server, mine: tuple[Client, Any]) -> None:
    client, key = mine
    # A call reserves some 500 bytes in and 20 tokens out, and costs 100 in and 40 out: 0.0005 dollars.
    budget = known_budget(fleet, client, key, 0.02)
    start = threading.Barrier(100)

    def ask(_: int) -> int:
        with asker(fleet, key.secret) as own:
            start.wait()
            try:
                own.chat.completions.create(model="acme/big", messages=HI, max_tokens=40)
            except openai.RateLimitError:
                return 0
            return 1

    with ThreadPoolExecutor(100) as pool:
        passed = sum(pool.map(ask, range(100)))
    [used] = wait_for("the books", lambda: settled(client, key, passed))
    assert (used.requests, used.nanodollars) == (passed, passed * ONE) and 0 < passed <= 40
    assert wait_for("the budget", lambda: budget_of(client, budget.id, passed * ONE)).spent <= 0.02
    pids = {one["pid"] for one in wait_for("the log", lambda: asked(fleet, key, 100))}
    assert len(pids) > 1, "the calls were to be spread"


def known_budget(server: Server, client: Client, key: Any, amount: float) -> Any:
    """Set a budget for a key, and wait until every process has read it: what is allowed is remembered for a while."""
    budget, probe = client.budget.set(amount, per="month", key=key.id), client.key.create()
    client.budget.set(0.0, per="month", key=probe.id)
    # Rules are read all at once: who refuses the probe knows the budget that was set before.
    wait_for("the budget everywhere", lambda: statuses(server, probe.secret) == {429})
    return budget


def statuses(server: Server, secret: str, model: str = "acme/big") -> set[int]:
    """Ask over connections of their own, so that several processes answer."""
    body = {"model": model, "messages": HI}
    head = {"Authorization": f"Bearer {secret}"}
    url = f"{server.url}/v1/chat/completions"
    with ThreadPoolExecutor(12) as pool:
        replies = pool.map(lambda _: httpx.post(url, json=body, headers=head, timeout=60), range(24))
        return {reply.status_code for reply in replies}


def asked(server: Server, key: Any, count: int) -> list[dict[str, Any]]:
    """The lines of a key's calls, once there are so many."""
    found = [one for one in lines(server) if one["key"] == key.id]
    return found if len(found) >= count else []


def budget_of(client: Client, id: str, nano: int) -> Any:
    found = client.budget.get(id)
    return found if round(found.spent * 1e9) == nano else None


def test_a_killed_process_under_load_leaves_the_books_right(fleet: Server, mine: tuple[Client, Any]) -> None:
    client, key = mine
    budget = known_budget(fleet, client, key, 1000.0)
    load = Load(fleet, key.secret, 6)
    try:
        for number in range(5):  # a process may have nothing under way when it is killed
            load.more()
            victim = api_pids(fleet)[number % 3]
            os.kill(victim, signal.SIGKILL)
            wait_for("another process", lambda victim=victim: victim not in api_pids(fleet))
            if load.failures and number:
                break
        load.more()
    finally:
        load.stop()
    cut, answered = len(load.failures), load.answered - len(load.failures)
    assert cut <= 30
    try:
        used = wait_for("the books", lambda: balanced(fleet, client, key, budget.id, answered), 240)
    except AssertionError as late:
        held = sorted(path.name for path in (fleet.home / "meters").iterdir())
        rows = client.usage.report(by="", key=key.id)
        late.add_note(f"{answered} answered, {cut} cut off; {held}; {rows}; {client.budget.get(budget.id)}")
        raise
    # What was answered is settled exactly. What a kill cut off is billed at its reservation, where it had reserved.
    assert answered <= used.requests <= answered + cut and used.estimated <= cut
    exact = (used.requests - used.estimated) * ONE
    assert used.nanodollars >= exact and (used.nanodollars > exact) == (used.estimated > 0)


def balanced(server: Server, client: Client, key: Any, budget: str, answered: int) -> Any:
    """The usage, once the journals of the dead are closed and the budget holds what the usage says."""
    found = settled(client, key, answered) if journals(server) else []
    return found[0] if found and budget_of(client, budget, found[0].nanodollars) else None


def journals(server: Server) -> bool:
    """Whether only processes that live have a journal."""
    return len([path for path in (server.home / "meters").iterdir() if not path.name.startswith(".")]) <= 3


def test_what_changes_in_one_process_is_seen_by_all(fleet: Server, mine: tuple[Client, Any]) -> None:
    client, key = mine
    client.model.connect("big", "acme", "big", license="proprietary")
    client.release.create("docs", model="model/big")
    client.deployment.create("docs", "release/docs", environment="staging")
    staging = client.key.create(environment="staging")

    wait_for("the deployment everywhere", lambda: statuses(fleet, staging.secret, "docs") == {200})
    client.deployment.pause("docs", environment="staging")
    wait_for("the pause everywhere", lambda: statuses(fleet, staging.secret, "docs") == {409})
    assert statuses(fleet, key.secret) == {200}
    limit = client.limit.set(0, measure="requests", per="day", key=key.id)
    wait_for("the limit everywhere", lambda: statuses(fleet, key.secret) == {429})
    client.limit.delete(limit.id)
    wait_for("no limit anywhere", lambda: statuses(fleet, key.secret) == {200})
    client.key.revoke(key.id)
    wait_for("the revocation everywhere", lambda: statuses(fleet, key.secret) == {401})


def test_settings_are_read_again_and_a_stop_lets_a_stream_finish(
    launch: Launch, vendor: Vendor, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    given = {**PRIVATE, "MAINSPRING_DRAIN_NOTICE_SECONDS": "2"}
    server = launch("home", "--no-worker", under=["env", f"--chdir={folder}"], **given)
    assert [child["name"] for child in state_of(server)["children"]] == ["api"]
    introduce(server, vendor)
    before = api_pids(server)
    (folder / "mainspring.toml").write_text("[api]\nprocesses = 1000\n")
    done = server.run("reload")
    assert done.returncode == 1 and "api.processes" in done.stderr
    assert api_pids(server) == before
    (folder / "mainspring.toml").write_text("[api]\nprocesses = 2\n")
    os.kill(server.state["pid"], signal.SIGHUP)
    wait_for("another reload", lambda: state_of(server)["reloads"] == 2)
    assert [child["name"] for child in state_of(server)["children"][:2]] == ["api-1", "api-2"]
    words, gate = vendor.words, threading.Event()
    vendor.words = Slow(words, gate)
    with asker(server) as client, httpx.Client(base_url=server.url) as watcher:
        stream = iter(client.chat.completions.create(model="acme/big", messages=HI, stream=True))
        said = next(stream).choices[0].delta.content or ""
        assert watcher.get("/readyz").status_code == 200
        down = threading.Thread(target=server.run, args=("down",))
        down.start()
        reply = wait_for("the notice", lambda: draining(watcher))
        assert reply.json()["status"] == "draining"
        wait_for("new calls to be refused", lambda: refused(server.url))
        gate.set()
        said += "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices)
        down.join()
    vendor.words = words
    assert said == "".join(words)
    assert server.process is not None and server.process.wait(300) == 0


class Slow(list[str]):
    """Words of which the second one waits for a gate."""

    def __init__(self, words: list[str], gate: threading.Event) -> None:
        super().__init__(words)
        self._gate = gate

    def __iter__(self) -> Iterator[str]:
        for at, word in enumerate(list.__iter__(self)):
            if at == 1:
                self._gate.wait(60)
            yield word


def draining(watcher: httpx.Client) -> httpx.Response | None:
    reply = watcher.get("/readyz")
    return reply if reply.status_code == 503 and reply.json()["status"] == "draining" else None


def refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", timeout=5)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False
