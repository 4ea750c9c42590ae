"""EngineProcess: one child, from spawning to its end."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from mainspring.backends.engine_llamacpp.figures import Figures
from mainspring.backends.engine_llamacpp.runtimes import Plan
from mainspring.kernel.errors import Invalid, MissingExtra, Unavailable
from mainspring.kernel.ports import Endpoint


class EngineProcess:
    """A child process that serves one model over loopback HTTP."""

    def __init__(self, process: subprocess.Popen[bytes], api_key: str, adapters: tuple[str, ...]) -> None:
        self._process = process
        self.endpoint = Endpoint("", api_key, adapters)

    @classmethod
    def spawn(cls, plan: Plan, adapters: tuple[str, ...], *, log: Path | None) -> EngineProcess:
        """Start the child without waiting for it to load; `log` takes what it prints."""
        api_key = secrets.token_urlsafe(24)
        # Threads that spin long at the library's barriers make it tenfold slower where somebody else uses the cores
        # too; those that sleep at once, a third slower where nobody does.
        environ = {"GOMP_SPINCOUNT": "2000", **os.environ}
        with _open_log(log) as sink:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", plan.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=environ,
            )
        config = {**plan.config, "api_key": api_key, "threads": plan.config["threads"] or _cores()}
        child = cls(process, api_key, adapters)
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(config).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            child.kill()
            raise Unavailable(
                "The engine process ended before it was configured.", hint="See its log in the home folder."
            ) from None
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def await_ready(self, seconds: float) -> Endpoint:
        """Wait until the model is loaded and return where it listens.

        Raises Invalid where the library refuses the file, Unavailable where the process ends or takes longer.
        """
        assert self._process.stdout is not None
        message = _read_announcement(self._process.stdout, seconds)
        if message is None:
            ended = not self.alive
            self.kill()
            raise Unavailable(
                "The engine process ended while loading."
                if ended
                else f"The engine did not load within {seconds:g} s.",
                hint="See its log in the home folder; a model that does not fit into memory ends like this.",
            )
        if "error" in message:
            self.kill()
            if message.get("extra"):
                raise MissingExtra.of(message["extra"], "Serving safetensors")
            raise Invalid(
                f"The engine refused the model: {message['error']}", hint="Check the model and adapter files."
            )
        self.endpoint = replace(self.endpoint, url=message["url"])
        return self.endpoint

    def busy(self) -> int:
        """Return how many requests it is answering; one that is too busy to say counts as busy."""
        try:
            return sum(bool(slot.get("is_processing")) for slot in json.loads(self._get("/slots")))
        except (OSError, ValueError):
            return int(self.alive)

    def figures(self) -> Figures:
        """Return what it says of itself; nothing where it does not answer at once."""
        try:
            return Figures.read(self._get("/slots"), self._get("/metrics"))
        except (OSError, ValueError):
            return Figures()

    def _get(self, path: str) -> str:
        request = urllib.request.Request(  # noqa: S310 - our own child on loopback
            f"{self.endpoint.url}{path}", headers={"authorization": f"Bearer {self.endpoint.api_key}"}
        )
        with urllib.request.urlopen(request, timeout=2) as reply:  # noqa: S310
            text: str = reply.read().decode()
        return text

    def drain(self, seconds: float) -> None:
        """Let running requests finish for at most `seconds`, then end the process, by force where it must be."""
        deadline = time.monotonic() + seconds
        while self.alive and self.endpoint.url and time.monotonic() < deadline and self.busy():
            time.sleep(0.05)  # the engine tells no end of its last request
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # a server ended in mid-request may never exit by itself
            self._process.kill()
        self.wait()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for the end of the process, release its pipes, and return its exit code."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        return code

    def rss_bytes(self) -> int:
        """Return the resident memory in bytes; 0 once it has ended."""
        import psutil

        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0


def _open_log(log: Path | None) -> IO[bytes]:
    if log is None:
        return Path(os.devnull).open("ab")
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def _cores() -> int:
    """Return the number of cores this process may use: more threads than that collapse under contention."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_announcement(pipe: IO[bytes], seconds: float) -> dict[str, Any] | None:
    """Read the child's one line; None at its end or after `seconds`."""
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        chunk = os.read(pipe.fileno(), 65536)
        if not chunk:
            return None
        line += chunk
    message = json.loads(line)
    return message if isinstance(message, dict) else None
