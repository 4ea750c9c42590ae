"""The access log: a line for each request, never its content, query or key; many lines in one write, off the hot path.

Every process appends whole lines to the one file. Whoever finds it too long sets it aside under a lock; the others see
that the name means another file by now, and open that.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Invalid
from mainspring.kernel.settings import Settings

_PAUSE = 0.25
"""Seconds between two writes; a kill loses the lines of that time at most."""
_WAITING = 50_000
"""Lines that wait for a slow disk at most; further ones are dropped and counted."""
_LONGEST = 300
_PERSONAL = re.compile(r"^(/api/v1/(?:users|sessions|conversations)/).+", re.S)
"""Paths that end in the name of an end user, or of what one did: nobody erases a log."""
_TOLD = {b"x-mainspring-trace-id": 0, b"x-mainspring-model": 1, b"x-mainspring-deployment": 2}
"""The headers that name the trace, the model and the deployment, in the order of the fields."""
_log = logging.getLogger(__name__)


class Request:
    """What a line is made of."""

    __slots__ = ("began", "caller", "headers", "method", "ms", "path", "size", "status")

    def __init__(
        self,
        began: float,
        method: str,
        path: str,
        status: int,
        ms: float,
        size: int,
        caller: Caller | None,
        headers: Iterable[tuple[bytes, bytes]],
    ) -> None:
        """`began` is in seconds since 1970, `size` in bytes of the answer's body.

        The answer's headers name the trace, the model and the deployment.
        """
        self.began, self.method, self.path, self.status, self.ms = began, method, path, status, ms
        self.size, self.caller, self.headers = size, caller, headers


class AccessLog:
    """Writes one process's lines."""

    def __init__(self, path: Path, *, text: bool = False, max_bytes: int = 64 << 20, kept: int = 5) -> None:
        self._path = path
        self._line = _text if text else _json
        self._max, self._kept = max_bytes, kept
        self._waiting: deque[Request] = deque()
        self._file, self._inode = _opened(path)
        self._stop, self._some = threading.Event(), threading.Event()
        self.dropped = 0
        self._worker = threading.Thread(target=self._work, name="access-log", daemon=True)
        self._worker.start()

    @classmethod
    def of(cls, config: Settings) -> AccessLog | None:
        """Return the log that the settings ask for. Raises Invalid for a format that is none."""
        if not config["access_log.enabled"]:
            return None
        form = str(config["access_log.format"])
        if form not in ("json", "text"):
            raise Invalid(f"access_log.format is '{form}'.", hint="Say json or text.")
        folder = config.home / "logs"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sizes = {"max_bytes": int(config["access_log.max_bytes"]), "kept": int(config["access_log.kept"])}
        return cls(folder / "access.log", text=form == "text", **sizes)

    def add(self, request: Request) -> None:
        """Take a line, without waiting for the disk."""
        if len(self._waiting) >= _WAITING:
            self.dropped += 1
            return
        self._waiting.append(request)
        if len(self._waiting) == 1:
            self._some.set()

    def close(self) -> None:
        """Write what waits, and release the file."""
        self._stop.set()
        self._some.set()
        self._worker.join(10)
        os.close(self._file)

    def _work(self) -> None:
        while not self._stop.is_set():
            self._some.wait()
            self._some.clear()
            self._stop.wait(_PAUSE)
            self._write()
        self._write()

    def _write(self) -> None:
        lines = []
        while self._waiting:
            lines.append(self._line(self._waiting.popleft()))
        if not lines:
            return
        try:
            self._follow()
            os.write(self._file, b"".join(lines))
            if os.fstat(self._file).st_size > self._max:
                self._set_aside()
        except OSError as error:  # a full disk loses lines, never requests
            self.dropped += len(lines)
            _log.warning("%d lines of the access log were lost: %s", len(lines), error.strerror)

    def _follow(self) -> None:
        """Open the file anew where the name means another by now."""
        try:
            same = self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            os.close(self._file)
            self._file, self._inode = _opened(self._path)

    def _set_aside(self) -> None:
        lock = os.open(self._path.with_name(".access.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._follow()
            if os.fstat(self._file).st_size <= self._max:
                return  # another process was first
            for number in range(self._kept, 0, -1):
                newer = self._aside(number - 1) if number > 1 else self._path
                if newer.exists():
                    newer.replace(self._aside(number))
            if not self._kept:
                self._path.unlink(missing_ok=True)
            self._follow()
        finally:
            os.close(lock)

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _opened(path: Path) -> tuple[int, int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return file, os.fstat(file).st_ino


class _Line(msgspec.Struct):
    """The fields of a line, in their order."""

    time: str
    method: str
    path: str
    status: int
    ms: float
    bytes: int
    key: str
    member: str
    trace_id: str
    model: str
    deployment: str
    pid: int


_encode = msgspec.json.Encoder().encode


def _line(request: Request) -> _Line:
    caller, told = request.caller, ["", "", ""]
    for name, value in request.headers:
        field = _TOLD.get(name)
        if field is not None:
            told[field] = value.decode("latin-1")[:_LONGEST]
    trace_id, model, deployment = told
    seconds = int(request.began)
    return _Line(
        f"{_second(seconds)}.{int((request.began - seconds) * 1000):03d}Z",
        request.method[:16],
        _named(request.path)[:_LONGEST],
        request.status,
        round(request.ms, 2),
        request.size,
        caller.key_id if caller else "",
        caller.member if caller else "",
        trace_id,
        model,
        deployment,
        os.getpid(),
    )


def _named(path: str) -> str:
    return _PERSONAL.sub(r"\1*", path) if path.startswith("/api/") else path


@lru_cache(8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _json(request: Request) -> bytes:
    return _encode(_line(request)) + b"\n"


def _text(request: Request) -> bytes:
    """Return a line of the common log format; instead of an address it begins with the key."""
    told = {name: str(value).encode("unicode_escape").decode() for name, value in asdict(_line(request)).items()}
    when = datetime.fromtimestamp(request.began, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    asked = f"{told['method']} {told['path']} HTTP/1.1".replace('"', "%22")
    names = f"{told['key'] or '-'} - {told['member'] or '-'}"
    return f'{names} [{when}] "{asked}" {told["status"]} {told["bytes"]} {told["ms"]}ms\n'.encode()
