"""What is alike of all programs that are measured: a family of processes that is started, counted and ended."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

TICK = os.sysconf("SC_CLK_TCK")


class Peer:
    """One program; everything that it writes lies in `folder`."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.headers: dict[str, str] = {}
        self.process: subprocess.Popen[Any] | None = None

    def missing(self) -> str:
        """Return why it cannot be measured here; empty where it can."""
        return ""

    def run(self, command: Sequence[str], environ: Mapping[str, str], folder: Path, answer: Any = None) -> None:
        """Start a command in a folder. What it prints goes into a file, or its answer into another."""
        log = (self.folder / "output.log").open("ab")
        held = {**os.environ, **environ}
        self.process = subprocess.Popen(command, env=held, stdout=answer or log, stderr=log, cwd=folder)

    def stop(self) -> None:
        """End it and what it started."""
        if self.process is not None and self.process.poll() is None:
            family = self.family()
            self.process.terminate()
            _, left = psutil.wait_procs(family, 60)
            for one in left:
                one.kill()

    def family(self) -> list[psutil.Process]:
        """Return its processes."""
        assert self.process is not None
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def cpu(self) -> float:
        """Return the seconds of CPU that its processes have used, those included that ended and were waited for."""
        total = 0.0
        for one in self.family():
            try:
                fields = Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += sum(map(int, fields[11:15])) / TICK
        return total


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
