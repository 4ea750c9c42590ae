"""Births: how the supervisor's children come to be, each on its own or out of the nursery.

A child gets its config, and the descriptors that it is to inherit by name. It ends itself when our end of its standard
input closes, however we ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol

from mainspring.kernel.settings import Settings
from mainspring.surfaces.processes.logs import LogFile, pump

CHILD = "mainspring.surfaces.processes.child"
NURSERY = "mainspring.surfaces.processes.nursery"
LOST = 255
"""The exit code of a child that nobody could wait for: the nursery had died before it."""
MOST_BYTES = 1 << 20
"""Of one message to or from the nursery."""


class Born(Protocol):
    """A child process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def stdin(self) -> IO[bytes] | None:
        """Our end of its standard input."""
        ...

    @property
    def stdout(self) -> IO[bytes] | None:
        """Our end of its standard output."""
        ...

    @property
    def stderr(self) -> IO[bytes] | None:
        """Our end of its standard error, where it is apart."""
        ...

    def poll(self) -> int | None:
        """Return its exit code, or None as long as it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code. Raises subprocess.TimeoutExpired."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


class Births(Protocol):
    """Where children come from."""

    def bear(
        self, role: str, config: Mapping[str, Any], *, fds: Mapping[str, int] | None = None, apart: bool = False
    ) -> Born:
        """Start a child in a role; `apart` keeps its standard error out of its standard output. Raises OSError.

        The config tells it the numbers that the `fds` have in it, by their names.
        """
        ...

    def close(self) -> None:
        """Bear no more; what was born goes on."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A nursery process that has begun to import, with our ends of its channel and of its output."""

    pid: int
    channel: int
    output: int

    def end(self) -> None:
        """Let it go: it ends by itself."""
        os.close(self.channel)
        os.close(self.output)
        threading.Thread(target=_reaped, args=(self.pid,), daemon=True).start()


def can_fork() -> bool:
    """Tell whether this system has what the nursery needs."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def begin() -> Begun:
    """Start a nursery process. Whoever replaces this process by another program may hand it on."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    output, said = os.pipe()
    theirs.set_inheritable(True)
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", NURSERY, str(theirs.fileno())],
            _environ(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, said, 1),
                (os.POSIX_SPAWN_DUP2, said, 2),
            ],
            setsid=True,  # Ctrl-C in a terminal is for the supervisor alone
        )
    finally:
        theirs.close()
        os.close(said)
    return Begun(pid, ours.detach(), output)


def open_births(config: Settings, flags: Mapping[str, Any], log: LogFile, begun: Begun | None = None) -> Births:
    """Return the nursery where this system and the settings let processes fork, else births on their own."""
    if config["fork"] and can_fork():
        return Nursery(flags, log, begun)
    if begun is not None:
        begun.end()
    return Alone()


class Alone:
    """Each child begins with nothing, as a program of its own."""

    def bear(
        self, role: str, config: Mapping[str, Any], *, fds: Mapping[str, int] | None = None, apart: bool = False
    ) -> Born:
        """Start a child; see `Births`."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if apart else subprocess.STDOUT,
            pass_fds=tuple((fds or {}).values()),
            start_new_session=True,  # Ctrl-C in a terminal is for the supervisor alone
            env=_environ(),
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died at once: its exit code and its log tell why
            process.stdin.write(json.dumps({**config, **(fds or {})}).encode() + b"\n")
            process.stdin.flush()
        return process

    def close(self) -> None:
        """Do nothing."""


class Unfit(Exception):
    """The nursery cannot fork."""


class Nursery:
    """Children are forked from one process that has imported what they share; where that dies, the next one begins."""

    def __init__(self, flags: Mapping[str, Any], log: LogFile, begun: Begun | None = None) -> None:
        """`flags` are the settings given by hand; `log` gets what the nursery says; it may have `begun` already."""
        self._flags = dict(flags)
        self._log = log
        self._guard = threading.Lock()
        self._closed, self._fit = False, True
        self._kin = _Kin(self._flags, log, begun or begin())

    def bear(
        self, role: str, config: Mapping[str, Any], *, fds: Mapping[str, int] | None = None, apart: bool = False
    ) -> Born:
        """Start a child; see `Births`."""
        with self._guard:
            if self._kin.gone and self._fit and not self._closed:
                self._log.write("the nursery ended; another one begins")
                self._kin = _Kin(self._flags, self._log, begin())
            try:
                if self._fit:
                    return self._kin.bear(role, config, fds or {}, apart=apart)
            except Unfit as problem:
                self._log.write(f"each process begins on its own: {problem}")
                self._fit = False
                self._kin.close()
        return Alone().bear(role, config, fds=fds, apart=apart)

    def close(self) -> None:
        """Let the nursery end, once the last child has."""
        with self._guard:
            self._closed = True
            self._kin.close()


class _Kin:
    """One nursery process, and what it tells of its children."""

    def __init__(self, flags: Mapping[str, Any], log: LogFile, begun: Begun) -> None:
        self._told = threading.Condition()
        self._news: list[tuple[dict[str, Any], int]] = []
        self._codes: dict[int, int] = {}
        self._pid, self._code = begun.pid, LOST
        self.gone = False
        self._channel = socket.socket(fileno=begun.channel)
        pump(os.fdopen(begun.output, "rb"), log, "nursery")
        threading.Thread(target=self._hear, name="nursery", daemon=True).start()
        with suppress(OSError):  # it died at once, which the first birth tells
            self._channel.send(json.dumps({"settings": dict(flags)}).encode())

    def bear(self, role: str, config: Mapping[str, Any], fds: Mapping[str, int], *, apart: bool) -> Born:
        pipes = {"stdin": os.pipe(), "stdout": os.pipe(), **({"stderr": os.pipe()} if apart else {})}
        ours = {name: pipe[1] if name == "stdin" else pipe[0] for name, pipe in pipes.items()}
        theirs = {name: pipe[0] if name == "stdin" else pipe[1] for name, pipe in pipes.items()}
        given = {**theirs, **fds}
        message = json.dumps({"role": role, "config": dict(config), "fds": list(given)}).encode()
        try:
            with self._told:
                socket.send_fds(self._channel, [message], list(given.values()))
                self._told.wait_for(lambda: self._news or self.gone)
                if not self._news:
                    raise ConnectionResetError(f"the nursery ended with code {self._code}")
                born, pidfd = self._news.pop()
        except OSError:
            for fd in ours.values():
                os.close(fd)
            raise
        finally:
            for fd in theirs.values():
                os.close(fd)
        if "born" not in born:
            for fd in ours.values():
                os.close(fd)
            raise Unfit(str(born["unfit"])) if "unfit" in born else OSError(str(born["error"]))
        return _Forked(self, int(born["born"]), pidfd, ours)

    def close(self) -> None:
        with suppress(OSError):  # the nursery is gone already
            self._channel.shutdown(socket.SHUT_WR)

    def code(self, pid: int) -> int:
        """Return with what code a child that has ended did so."""
        with self._told:
            self._told.wait_for(lambda: pid in self._codes or self.gone)
            if pid in self._codes:
                return self._codes.pop(pid)
        return _reaped(pid)  # it came to us where we are the first process of a container

    def _hear(self) -> None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._channel, MOST_BYTES, 1)
            except OSError:  # broken off is over, as ended is
                data, fds = b"", []
            if not data:
                break
            said = json.loads(data)
            with self._told:
                if "ended" in said:
                    self._codes[int(said["ended"])] = int(said["code"])
                else:
                    self._news.append((said, fds[0] if fds else -1))
                self._told.notify_all()
        self._code = _reaped(self._pid)
        with self._told:
            self.gone = True
            self._told.notify_all()


class _Forked:
    """A child of the nursery."""

    def __init__(self, kin: _Kin, pid: int, pidfd: int, pipes: Mapping[str, int]) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = os.fdopen(pipes["stdin"], "wb")
        self.stdout: IO[bytes] | None = os.fdopen(pipes["stdout"], "rb")
        self.stderr: IO[bytes] | None = os.fdopen(pipes["stderr"], "rb") if "stderr" in pipes else None
        self._kin = kin
        self._pidfd = pidfd
        weakref.finalize(self, os.close, pidfd)
        self._guard = threading.Lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        return self._code if self._code is not None else self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self._ended(None if until is None else max(0.0, until - time.monotonic()))) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        with suppress(ProcessLookupError), self._guard:  # it ended a moment ago
            if self._code is None:
                signal.pidfd_send_signal(self._pidfd, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        """Wait for the end at most so long; return the exit code, or None."""
        if self._code is not None:
            return self._code
        watched = select.poll()
        watched.register(self._pidfd, select.POLLIN)
        if not watched.poll(None if seconds is None else seconds * 1000):
            return None
        with self._guard:
            if self._code is None:
                self._code = self._kin.code(self.pid)
        return self._code


def _reaped(pid: int) -> int:
    """Wait for the end of a child of ours and return its exit code."""
    with suppress(ChildProcessError):  # somebody else waited for it: its code is not to be had
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return LOST


def _environ() -> dict[str, str]:
    # Threads of a numerical library that spin long while they wait for each other starve a machine that is shared.
    return {"GOMP_SPINCOUNT": "2000", **os.environ, "PYTHONUNBUFFERED": "1"}
