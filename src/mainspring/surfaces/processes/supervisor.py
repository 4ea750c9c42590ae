"""Supervisor: holds the home's lock and the listening socket, starts the children, and keeps them running.

The socket belongs to the supervisor, so that a client that calls while the API is started again waits in its queue
instead of being refused.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainspring import __version__
from mainspring.kernel import settings
from mainspring.kernel.errors import Conflict, Denied, Invalid, MainspringError, Unavailable, from_dict
from mainspring.kernel.settings import Settings
from mainspring.surfaces.processes.births import Begun, Births, open_births
from mainspring.surfaces.processes.fleet import Fleet
from mainspring.surfaces.processes.home import ChildState, HomeLock, ServerState, prepare, state_path
from mainspring.surfaces.processes.keeper import Keeper
from mainspring.surfaces.processes.logs import LogFile, pump
from mainspring.surfaces.processes.probe import ready

BACKLOG = 2048
_API_SECONDS = 10.0
"""How long the worker waits for the API to take connections before it starts all the same."""
WORKER_SECONDS = 10.0
"""How long the worker may take to stop; a run that it cuts off goes on at the next start."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises Conflict where the port is in use, Invalid for a wrong address."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise Invalid(f"'{host}' is not an address of this machine: {error}.", hint="Check --host.") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Conflict(
            f"Mainspring cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}.",
            hint="Stop what uses the port, or choose another with --port (0 takes any that is free).",
        ) from None
    return listener


class Supervisor:
    """Runs one server on one home folder."""

    def __init__(
        self,
        config: Settings,
        flags: Mapping[str, Any],
        *,
        allow_remote: bool = False,
        on_ready: Callable[[ServerState, str], None],
        begun: Begun | None = None,
    ) -> None:
        """`flags` are the settings given by hand, which the children get too; a nursery may have `begun` already.

        `on_ready` is called once the server answers, with its state and, at the first start only, the owner's key.
        """
        self._config = config
        self._flags = {**flags, "home": str(config.home)}
        self._allow_remote = allow_remote
        self._on_ready = on_ready
        self._begun = begun
        self._home = config.home
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._reload = False
        self._guard = threading.Lock()
        self._hurry = False
        self._api: Fleet | None = None
        self._worker: Keeper | None = None
        self._state: ServerState | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP starts the API processes anew, with the settings as they are then.

        Raises Conflict, Denied or Invalid before anything is started.
        """
        host, port = str(self._config["host"]), int(self._config["port"])
        if not is_loopback(host) and not self._allow_remote:
            raise Denied(
                f"{host} can be reached from other machines.",
                hint="Say --allow-remote if that is what you want, and put TLS in front of it.",
            )
        prepare(self._home)
        with ExitStack() as stack:
            lock = HomeLock.acquire(self._home)
            stack.callback(lock.release)
            listener = listen(host, port)
            stack.callback(listener.close)
            self._signals()
            port = int(listener.getsockname()[1])
            shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
            url = f"http://{shown}:{port}"
            self._flags["port"] = port
            self._state = ServerState(
                pid=os.getpid(), url=url, version=__version__, started_at=datetime.now(UTC).isoformat()
            )
            stack.callback(lambda: state_path(self._home).unlink(missing_ok=True))
            self._write()
            log = LogFile(self._home / "logs" / "setup.log")
            stack.callback(log.close)
            births = open_births(self._config, self._flags, log, self._begun)
            stack.callback(births.close)
            from mainspring.backends import engine_llamacpp  # noqa: F401 - while the nursery imports what it needs

            owner_key = self._set_up(births, url, log)
            self._serve(stack, births, listener, url, owner_key)

    def _signals(self) -> None:
        terminal = sys.stdin is not None and sys.stdin.isatty()

        def stop(number: int, frame: object) -> None:
            self._hurry = self._stop.is_set()
            self._stop.set()
            self._wake.set()

        def hang_up(number: int, frame: object) -> None:
            if terminal and not has_terminal():
                stop(number, frame)  # the window was closed: nobody asked for a reload
                return
            self._reload = True
            self._wake.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGHUP, hang_up)

    def _set_up(self, births: Births, url: str, log: LogFile) -> str:
        """Bring the schema up to date and make the owner, in a child of its own; return the owner's key if new."""
        try:
            process = births.bear("setup", {"settings": self._flags, "url": url}, apart=True)
        except OSError as error:
            raise Unavailable(
                f"The server could not be set up: {error}.", hint=f"See {self._home / 'logs' / 'setup.log'}."
            ) from None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        copying = pump(process.stderr, log, "setup")
        out = process.stdout.read()
        code = process.wait()
        copying.join()
        process.stdin.close()
        process.stdout.close()
        try:
            answer: dict[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Unavailable(
                f"The server could not be set up: its process ended with code {code}.",
                hint=f"See {self._home / 'logs' / 'setup.log'}.",
            ) from None
        if "error" in answer:
            raise from_dict(answer, 500)
        return str(answer["owner_key"])

    def _serve(self, stack: ExitStack, births: Births, listener: socket.socket, url: str, owner_key: str) -> None:
        given = {"settings": self._flags, "url": url}
        logs = {role: LogFile(self._home / "logs" / f"{role}.log") for role in ("api", "worker")}
        for log in logs.values():
            stack.callback(log.close)
        self._api = Fleet(births, given, listener, logs["api"], self._write)
        if self._config["worker.enabled"]:
            self._worker = Keeper(births, "worker", given, logs["worker"], self._write)
        stack.callback(self._start_engines().stop)
        stack.callback(self._stop_children, listener)
        (self._home / "run" / "worker.heartbeat").unlink(missing_ok=True)
        shutil.rmtree(self._home / "run" / "totals", ignore_errors=True)  # counters begin at nothing
        self._api.start(int(self._config["api.processes"]))
        # The worker would take from the API the processors that it needs to be there soon.
        self._api.await_up(_API_SECONDS, self._stop)
        if self._worker is not None:
            self._worker.start()
        self._await_ready(url)
        if not self._stop.is_set() and self._state is not None:
            self._state.state = "ready"
            self._write()
            self._on_ready(self._state, owner_key)
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            if self._reload and not self._stop.is_set():
                self._reload = False
                self._start_anew(logs["api"])

    def _start_anew(self, log: LogFile) -> None:
        """Read the settings again and replace the API processes; what goes wrong is told, and changes nothing."""
        assert self._api is not None
        assert self._state is not None
        problem = ""
        try:
            config = settings.load(self._flags)
            self._api.reload(int(config["api.processes"]), self._stop)
            self._config = config
        except MainspringError as error:
            problem = f"{error.message} {error.hint}".strip()
            log.write(f"the reload did not come to its end: {problem}")
        self._state.reloads, self._state.problem = self._state.reloads + 1, problem
        self._write()

    def _start_engines(self) -> Any:
        from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool, EngineSupervisor

        def resolve(sha256: str) -> Path:
            from mainspring.backends.files_object import open_files

            return open_files(str(self._config["files.url"]), self._home, self._config).path(sha256)

        pool = EnginePool(resolve, limits=EngineLimits.of(self._config), logs=self._home / "logs")
        engines = EngineSupervisor(pool, self._home)
        engines.start()
        return engines

    def _await_ready(self, url: str) -> None:
        """Wait until the server says that it is ready. Raises Unavailable where a child cannot be kept up."""
        assert self._api is not None
        while not self._stop.is_set() and not (self._api.all_up() and ready(url).ready):
            for child in self._children():
                if child.restarts >= 5:
                    raise Unavailable(
                        f"The {child.name} process keeps ending (code {child.last_exit}).",
                        hint=f"See {self._home / 'logs' / (child.name.partition('-')[0] + '.log')}.",
                    )
            self._stop.wait(0.1)

    def _children(self) -> list[ChildState]:
        api = self._api.states() if self._api is not None else []
        return [*api, *([self._worker.state] if self._worker is not None else [])]

    def _stop_children(self, listener: socket.socket) -> None:
        if self._state is not None:
            self._state.state = "stopping"
            self._write()
        # As long as one of us holds the socket open, a call would wait in its queue for nobody.
        listener.close()
        keepers: list[Fleet | Keeper] = [kept for kept in (self._api, self._worker) if kept is not None]
        for keeper in keepers:
            keeper.ask_to_stop()
        deadline = time.monotonic() + max(stop_seconds(self._config), WORKER_SECONDS) + 5
        for keeper in keepers:
            keeper.wait(lambda: self._hurry or time.monotonic() > deadline)

    def _write(self) -> None:
        with self._guard:
            if self._state is not None:
                self._state.children = self._children()
                try:
                    self._state.write(self._home)
                except OSError:
                    return  # the state is for people who look; a full disk must not end a server


def stop_seconds(config: Settings) -> float:
    """Return how long an API process may take to stop."""
    return float(config["drain.notice_seconds"]) + float(config["drain.seconds"])


def has_terminal() -> bool:
    """Tell whether this process has a terminal still."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def start_detached(
    config: Settings, flags: Mapping[str, Any], *, allow_remote: bool = False, seconds: float = 120.0
) -> tuple[ServerState, str]:
    """Start a server in the background; return its state once it answers, and the owner's key at the first start.

    Raises the error that the server ended with, or Unavailable where it does not answer within `seconds`.
    """
    prepare(config.home)
    given = [f"--{name.replace('.', '-')}={flags[name]}" for name in ("host", "port", "api.processes") if name in flags]
    given += ["--no-worker"] if flags.get("worker.enabled") is False else []
    command = [sys.executable, "-P", "-m", "mainspring", "up", f"--home={config.home}", "--json", *given]
    said = config.home / "logs" / "up.log"
    with said.open("ab") as log:
        before = log.tell()
        process = subprocess.Popen(
            command + (["--allow-remote"] if allow_remote else []),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    killer = threading.Timer(seconds, process.terminate)
    killer.start()
    line = process.stdout.readline()
    killer.cancel()
    if not line:
        code = process.wait()
        lines = said.read_bytes()[before:].decode(errors="replace").splitlines()
        problem = _told(lines, "Error: ") or "The server ended."
        hint = _told(lines, "Hint: ") or f"See {config.home / 'logs'}."
        kind = Conflict if code == Conflict.exit_code else Denied if code == Denied.exit_code else Unavailable
        raise kind(problem, hint=hint)
    told: dict[str, Any] = json.loads(line)
    key = str(told.pop("owner_key", ""))
    told.pop("home")
    return ServerState(**told), key


def _told(lines: list[str], label: str) -> str:
    """Return what the last line with this label says; empty where there is none."""
    return next((line.removeprefix(label) for line in reversed(lines) if line.startswith(label)), "")
