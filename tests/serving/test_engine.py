"""The llama.cpp engine: children that answer, die and come back, over the pool and over the socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.serving.conftest import Shelf, eventually

from mainspring.backends.engine_llamacpp import EngineClient, EnginePool, EngineSupervisor
from mainspring.kernel.errors import Invalid, NotFound, Unavailable
from mainspring.kernel.ports import Endpoint, EngineSpec

HI = [{"role": "user", "content": "Say hi"}]


def ask(endpoint: Endpoint, key: str = "", **body: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{endpoint.url}/v1/chat/completions",
        data=json.dumps({"messages": HI, "max_tokens": 4, "temperature": 0, **body}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {key or endpoint.api_key}"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def test_a_file_that_is_no_model_is_refused(pool: EnginePool, shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "notes.gguf"
    file.write_bytes(b"these are not weights" * 10)
    with pytest.raises(Invalid, match="not a GGUF"):
        pool.ensure(EngineSpec(base=shelf.add(file)))


@pytest.mark.model
@pytest.mark.parametrize("keep", [100, 500_000, 50_000_000])
def test_a_truncated_model_is_refused_before_a_process_starts(
    pool: EnginePool, shelf: Shelf, tmp_path: Path, base_model: Path, keep: int
) -> None:
    before = psutil.Process().children()
    file = tmp_path / "cut.gguf"
    with base_model.open("rb") as source:
        file.write_bytes(source.read(keep))
    with pytest.raises(Invalid, match="cut short"):
        pool.ensure(EngineSpec(base=shelf.add(file)))
    assert psutil.Process().children() == before


def test_an_unknown_file_is_not_found(pool: EnginePool) -> None:
    with pytest.raises(NotFound):
        pool.ensure(EngineSpec(base="0" * 64))


@pytest.mark.model
def test_an_adapter_that_is_no_adapter_is_refused(pool: EnginePool, spec: EngineSpec) -> None:
    with pytest.raises(Invalid, match="refused the model"):
        pool.ensure(replace(spec, adapter=spec.base))


@pytest.mark.model
def test_it_answers_with_its_key_only_and_comes_back_after_a_kill(pool: EnginePool, spec: EngineSpec) -> None:
    endpoint = pool.ensure(spec)
    assert endpoint.url.startswith("http://127.0.0.1:")
    assert ask(endpoint)["usage"]["completion_tokens"] == 4
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(endpoint, key="wrong")
    state = pool.list()[0]
    assert (state.state, state.restarts) == ("ready", 0)
    assert state.rss_bytes > 50_000_000
    assert "api_key" not in repr(endpoint)
    assert endpoint.api_key not in " ".join(psutil.Process(state.pid).cmdline())
    os.kill(state.pid, signal.SIGKILL)
    eventually(lambda: pool.list()[0].restarts == 1 and pool.list()[0].state == "ready")
    assert ask(pool.ensure(spec))["usage"]["completion_tokens"] == 4


@pytest.mark.model
def test_the_least_recently_used_leaves_at_the_limit(pool: EnginePool, spec: EngineSpec) -> None:
    first, second, third = spec, replace(spec, context=256), replace(spec, context=320)
    pool.ensure(first)
    pool.ensure(second)
    pool.ensure(first)
    pool.ensure(third)
    eventually(lambda: {state.spec for state in pool.list()} == {first, third})


@pytest.mark.model
def test_stopping_lets_a_request_finish(pool: EnginePool, spec: EngineSpec) -> None:
    endpoint = pool.ensure(spec)
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(endpoint, max_tokens=60, ignore_eos=True)))
    asking.start()
    eventually(lambda: _busy(endpoint))
    assert pool.stop(spec)
    asking.join()
    assert answers[0]["usage"]["completion_tokens"] == 60
    assert pool.list() == []
    assert not pool.stop(spec)


def _busy(endpoint: Endpoint) -> bool:
    request = urllib.request.Request(f"{endpoint.url}/slots", headers={"authorization": f"Bearer {endpoint.api_key}"})
    with urllib.request.urlopen(request) as reply:
        return any(slot["is_processing"] for slot in json.load(reply))


@pytest.mark.model
def test_an_engine_does_not_outlive_its_supervisor(base_model: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from mainspring.backends.engine_llamacpp import EnginePool\n"
        "from mainspring.kernel.ports import EngineSpec\n"
        "pool = EnginePool(lambda key: Path(sys.argv[1]))\n"
        "pool.ensure(EngineSpec(base='0' * 64, context=256, slots=1))\n"
        "print(pool.list()[0].pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(base_model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    eventually(lambda: not psutil.pid_exists(pid))


@pytest.mark.model
def test_a_client_in_another_process_asks_over_the_socket(pool: EnginePool, spec: EngineSpec, tmp_path: Path) -> None:
    home = tmp_path / ("a-home-whose-path-is-longer-than-a-socket-address-may-be-" * 2)
    client = EngineClient(home)
    with pytest.raises(Unavailable) as caught:
        client.list()
    assert "mainspring up" in caught.value.hint
    supervisor = EngineSupervisor(pool, home)
    supervisor.start()
    try:
        assert ask(client.ensure(spec))["usage"]["completion_tokens"] == 4
        assert [state.spec for state in client.list()] == [spec]
        with pytest.raises(NotFound):
            client.ensure(replace(spec, adapter="f" * 64))
        assert client.stop(spec)
        assert oct((home / "run" / "engine.sock").stat().st_mode)[-3:] == "600"
    finally:
        supervisor.stop()
    with pytest.raises(Unavailable):
        client.list()
