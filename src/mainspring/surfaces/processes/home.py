"""One home, one server: the lock on the home folder, and what the running server says of itself."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from mainspring.kernel.errors import Conflict, Invalid

ProcessState = Literal["starting", "running", "waiting", "leaving", "stopped"]


@dataclass(slots=True)
class ChildState:
    """One child process. `waiting` is the pause before it is started again; `leaving` it finishes its last requests."""

    name: str
    state: ProcessState = "starting"
    pid: int = 0
    restarts: int = 0
    last_exit: int | None = None


@dataclass(slots=True)
class ServerState:
    """What `run/server.json` holds while a server runs."""

    pid: int
    url: str
    version: str
    started_at: str
    """RFC 3339, UTC."""
    state: Literal["starting", "ready", "stopping"] = "starting"
    children: list[ChildState] = field(default_factory=list)
    reloads: int = 0
    """How often the API processes were told to start anew."""
    problem: str = ""
    """Why the last reload did not come to its end; empty where it did."""

    def write(self, home: Path) -> None:
        """Replace the file whole, so that a reader never sees half of it."""
        path = state_path(home)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    @classmethod
    def read(cls, home: Path) -> ServerState | None:
        """Return what the server of `home` last said of itself; None where there is nothing to read."""
        try:
            held: dict[str, Any] = json.loads(state_path(home).read_text())
            children = [ChildState(**child) for child in held.pop("children")]
            return cls(**held, children=children)
        except (OSError, ValueError, TypeError, KeyError):
            return None


def state_path(home: Path) -> Path:
    """Where the running server writes its state."""
    return home / "run" / "server.json"


def prepare(home: Path) -> None:
    """Make the home folder and what the processes need in it, readable by the owner alone. Raises Invalid."""
    try:
        for folder in (home, home / "run", home / "logs", home / "tmp"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Invalid(
            f"The home folder {home} cannot be made: {error.strerror}.", hint="Choose another with --home."
        ) from None


class HomeLock:
    """An exclusive lock on a home folder, held as long as the process lives; the kernel drops it when that dies."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def acquire(cls, home: Path) -> HomeLock:
        """Take the lock and write our process id into it. Raises Conflict where another server holds it."""
        file = (home / "run" / "server.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid, state = cls._pid(file), ServerState.read(home)
            file.close()
            where = f" at {state.url}" if state is not None and state.pid == pid else ""
            raise Conflict(
                f"A server already runs on the home folder {home}: process {pid}{where}.",
                hint="Use it, stop it with `mainspring down`, or choose another folder with --home.",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        return cls(file)

    @classmethod
    def holder(cls, home: Path) -> int | None:
        """Return the process id of the server that runs on `home`, or None where none does."""
        try:
            with (home / "run" / "server.lock").open("r") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return cls._pid(file)
                return None
        except OSError:
            return None

    @staticmethod
    def _pid(file: IO[str]) -> int:
        file.seek(0)
        text = file.read().strip()
        return int(text) if text.isdigit() else 0

    def release(self) -> None:
        """Give the lock back."""
        self._file.close()
