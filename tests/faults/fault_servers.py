"""Start real servers in real processes, and wait on conditions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
MAINSPRING = [sys.executable, "-m", "mainspring"]


def wait_for(what: str, look: Callable[[], T], seconds: float = 300.0) -> T:
    """Return the first true value of `look`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)  # a step of waiting on a condition of another process


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Server:
    """`mainspring up` on a home folder of its own, begun by the command `under` where one is given."""

    def __init__(self, home: Path, *options: str, under: Sequence[str] = (), **environ: str) -> None:
        self.home = home
        self.environ = {**os.environ, "MAINSPRING_HOME": str(home), **environ}
        self._options = options
        self._under = under
        self.process: subprocess.Popen[str] | None = None
        self.state: dict[str, Any] = {}

    def start(self, port: int = 0) -> Server:
        """Start and wait until it answers."""
        self.process = subprocess.Popen(
            [*self._under, *MAINSPRING, "up", f"--port={port}", "--json", *self._options],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        self.state = json.loads(line)
        return self

    @property
    def url(self) -> str:
        return str(self.state["url"])

    @property
    def key(self) -> str:
        return str(json.loads((self.home / "credentials.json").read_text())["api_key"])

    def child(self, name: str) -> dict[str, Any]:
        """What the server says of one of its children now."""
        state = json.loads((self.home / "run" / "server.json").read_text())
        return next(child for child in state["children"] if child["name"] == name)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this home."""
        return subprocess.run(
            [*MAINSPRING, *arguments], env=self.environ, capture_output=True, text=True, check=False, timeout=300
        )

    def stop(self) -> int:
        """Ask it to stop, wait for it, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(300)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code
