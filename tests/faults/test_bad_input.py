"""Bad input: a clear error, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_servers import MAINSPRING, Server
from test_nothing_lost import client

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("bad") / "home").start()
    yield server
    server.stop()


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command told people, on one line."""
    return " ".join(done.stderr.split())


def names(server: Server, noun: str) -> list[str]:
    return [item["name"] for item in json.loads(server.run(noun, "list", "--json").stdout)["items"]]


def test_a_malformed_row_is_named_and_nothing_is_stored(server: Server, tmp_path: Path) -> None:
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{json.dumps(good)}\n{json.dumps(good)}\n{{"messages": [\n')
    done = server.run("dataset", "import", "broken", str(path))
    assert done.returncode == 2
    assert "Row 3 is not valid JSON: " in said(done)
    assert "Hint: Each line is one JSON object." in said(done)
    assert "Traceback" not in done.stderr
    assert "broken" not in names(server, "dataset")
    with client(server) as http:
        file = http.post("/api/v1/files", content=path.read_bytes()).json()["sha256"]
        reply = http.post("/api/v1/datasets/broken/import", json={"file": file})
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (422, "invalid")
    assert error["message"].startswith("Row 3 is not valid JSON: ")


@pytest.mark.parametrize(
    "arguments",
    [("dataset", "get", "unheard-of"), ("prompt", "get", "unheard-of"), ("run", "get", "0" * 32)],
)
def test_an_unknown_reference_is_not_found(server: Server, arguments: tuple[str, ...]) -> None:
    done = server.run(*arguments)
    assert done.returncode == 3, done.stderr
    assert arguments[-1] in done.stderr


def test_a_missing_variable_is_named(server: Server) -> None:
    messages = '[{"role": "user", "content": "Hello {{name}}, {{greeting}}"}]'
    assert server.run("prompt", "commit", "greet", messages).returncode == 0
    done = server.run("prompt", "render", "greet", '{"greeting": "hi"}')
    assert done.returncode == 2
    assert "The prompt's variable 'name' got no value." in said(done)
    with client(server) as http:
        reply = http.post("/api/v1/prompts/greet/render", json={"variables": {"greeting": "hi"}})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid")


@pytest.mark.model
def test_a_model_that_is_cut_short_is_refused(server: Server, tmp_path: Path) -> None:
    whole = Path(os.environ.get("MAINSPRING_MODELS") or "~/.mainspring/models").expanduser() / "smollm2/model.gguf"
    path = tmp_path / "model.gguf"
    with whole.open("rb") as source:
        path.write_bytes(source.read(20_000_000))
    done = server.run("model", "import", "half", str(path))
    assert done.returncode == 2
    assert "cut short" in done.stderr or "truncated" in done.stderr
    assert "half" not in names(server, "model")


def test_a_wrong_key_is_not_let_in(server: Server) -> None:
    key = server.key[:-4] + "0000"
    environ = {**server.environ, "MAINSPRING_API_KEY": key, "MAINSPRING_URL": server.url}
    command = [*MAINSPRING, "dataset", "list"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 4
    assert key not in done.stderr


def test_no_server_is_said_so(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", MAINSPRING_URL="http://127.0.0.1:9", MAINSPRING_API_KEY="ms_a_b")
    done = server.run("dataset", "list")
    assert done.returncode == 7
    assert "mainspring up" in done.stderr


@pytest.fixture(params=["limit", "disk"])
def small_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A home folder where no large file fits, and what the server is started under.

    Everywhere, a process that may write no file over 64 MiB; where one can be mounted, also a disk of 96 MiB.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "limit":
        yield folder / "home", ["/bin/sh", "-c", f'ulimit -f {(64 << 20) // 512}; exec "$@"', "sh"]
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk can be mounted by root alone; the limit is tested all the same")
    yield folder / "home", []
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_an_import_and_leaves_nothing_behind(
    small_home: tuple[Path, list[str]], tmp_path: Path
) -> None:
    home, under = small_home
    server = Server(home, under=under).start()
    try:
        path = tmp_path / "rows.jsonl"
        with path.open("w") as file:
            for _ in range(400):
                row = {"messages": [{"role": "user", "content": "a" * 300_000}, {"role": "assistant", "content": "b"}]}
                file.write(json.dumps(row) + "\n")
        assert path.stat().st_size > 96 << 20
        done = server.run("dataset", "import", "large", str(path))
        assert done.returncode == 1, done.stderr
        assert "The disk is full: the file was not written." in said(done)
        assert not any((server.home / "tmp").glob("put-*"))
        assert names(server, "dataset") == []
        assert server.run("status").returncode == 0
        small = tmp_path / "small.jsonl"
        small.write_text('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n')
        assert server.run("dataset", "import", "small", str(small)).returncode == 0
        assert server.run("audit", "verify").returncode == 0
    finally:
        server.stop()
