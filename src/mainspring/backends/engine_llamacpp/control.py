"""The control channel: a supervisor offers its pool on a unix socket; clients in other processes ask it.

One JSON document a line each way, one exchange a connection. A client names files by content hash only, never by path.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mainspring.backends.engine_llamacpp.pool import EnginePool
from mainspring.kernel import errors
from mainspring.kernel.errors import Invalid, MainspringError, Unavailable
from mainspring.kernel.ports import JSON, Endpoint, EngineSpec, EngineState

_SOCKET = Path("run") / "engine.sock"
_LINE = 65536
_UNASKED_SECONDS = 60.0
_PATH_LIMIT = 100
"""`sun_path` holds 108 bytes on Linux and 104 on macOS."""


class EngineSupervisor:
    """Serves a pool on `home/run/engine.sock`, readable by the owner alone."""

    def __init__(self, pool: EnginePool, home: Path) -> None:
        self._pool = pool
        self._path = home / _SOCKET
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; a socket left behind by a process that died is replaced."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        with _short(self._path) as address:
            self._server = _Server(self._pool, address)
        self._path.chmod(0o600)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_UNASKED_SECONDS,), name="engine-control", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, then drain and stop every engine."""
        if self._server is not None and self._thread is not None:
            stopping = threading.Thread(target=self._server.shutdown, daemon=True)
            stopping.start()
            while stopping.is_alive():
                self._knock()
                stopping.join(0.05)
            self._thread.join()
            self._server.server_close()
            self._path.unlink(missing_ok=True)
        self._pool.close()

    def _knock(self) -> None:
        """Have the server look up from its wait for somebody who asks."""
        # Where nobody listens there is nobody to wake.
        with suppress(OSError), socket.socket(socket.AF_UNIX) as channel, _short(self._path) as address:
            channel.connect(address)


class EngineClient:
    """The Engine port in the API, in the worker and in commands: asks the supervisor of the same home."""

    def __init__(self, home: Path, *, timeout: float = 150.0) -> None:
        self._path = home / _SOCKET
        self._timeout = timeout

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Start the engine where it does not run, wait until it answers, and return its endpoint.

        Raises Invalid for a file that is no model, NotFound for one that is not stored, Unavailable otherwise.
        """
        reply = self._ask({"op": "ensure", "spec": asdict(spec)})
        return Endpoint(str(reply["url"]), str(reply["api_key"]), tuple(reply["adapters"]))

    def keep(self, spec: EngineSpec, seconds: float | None) -> None:
        """Say how long an engine stays loaded without requests: -1 for ever, None as long as others do."""
        self._ask({"op": "keep", "spec": asdict(spec), "seconds": seconds})

    def stop(self, spec: EngineSpec) -> bool:
        """Drain and stop; False where it does not run."""
        return bool(self._ask({"op": "stop", "spec": asdict(spec)})["stopped"])

    def list(self) -> list[EngineState]:
        """Return every engine."""
        rows = self._ask({"op": "list"})["engines"]
        return [EngineState(**{**row, "spec": EngineSpec.of(row["spec"])}) for row in rows]

    def _ask(self, message: dict[str, JSON]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel, _short(self._path) as address:
                channel.settimeout(self._timeout)
                channel.connect(address)
                channel.sendall(json.dumps(message).encode() + b"\n")
                with channel.makefile("rb") as lines:
                    line = lines.readline()
        except OSError as error:
            raise Unavailable(
                f"The engine supervisor does not answer ({type(error).__name__}).",
                hint="Start it with `mainspring up`.",
            ) from None
        if not line:
            raise Unavailable("The engine supervisor ended while it answered.", hint="Try again in a moment.")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise errors.from_dict(reply, 503)
        return reply


def open_engine(url: str, home: Path, settings: Mapping[str, Any]) -> EngineClient:
    """Open the Engine port of a home folder; the `url` names this back end and carries nothing else."""
    return EngineClient(home, timeout=float(settings["engine.start_seconds"]) + 30)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, pool: EnginePool, address: str) -> None:
        self.pool = pool
        super().__init__(address, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10.0
    server: _Server

    def handle(self) -> None:
        try:
            reply = _answer(self.server.pool, json.loads(self.rfile.readline(_LINE)))
        except MainspringError as error:
            reply = error.to_dict()
        except (OSError, ValueError, KeyError, TypeError) as error:
            reply = Invalid(f"This is not a control message: {error}").to_dict()
        try:
            self.wfile.write(json.dumps(reply).encode() + b"\n")
        except OSError:
            return  # the client went away; the engine that it asked for stays for the next


def _answer(pool: EnginePool, message: dict[str, Any]) -> dict[str, JSON]:
    if message["op"] == "list":
        return {"engines": [asdict(state) for state in pool.list()]}
    spec = EngineSpec.of(message["spec"])
    if message["op"] == "ensure":
        endpoint = pool.ensure(spec)
        return {"url": endpoint.url, "api_key": endpoint.api_key, "adapters": list(endpoint.adapters)}
    if message["op"] == "keep":
        pool.keep(spec, message["seconds"])
        return {}
    if message["op"] == "stop":
        return {"stopped": pool.stop(spec)}
    raise Invalid(f"The control message {message['op']!r} is unknown.")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield an address for the socket that fits into `sun_path`: a long path goes through its folder's descriptor."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
