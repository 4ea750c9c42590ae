"""The program of the nursery: it imports once what API and worker share, and forks them when the supervisor says so.

What was imported stays in memory once, however many processes there are, and a child that died is back in milliseconds.
The nursery itself has one thread, no connection and no file of the home folder: nothing that does not bear a fork.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mainspring.kernel import settings
from mainspring.kernel.errors import MainspringError
from mainspring.surfaces.processes import child
from mainspring.surfaces.processes.births import MOST_BYTES

_STREAMS = {"stdin": 0, "stdout": 1, "stderr": 2}


def main() -> int:
    """Fork children until the supervisor is gone or wants no more, and wait for the last of them."""
    gc.disable()
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    child.share()
    greeting = channel.recv(MOST_BYTES)
    if not greeting:
        return 0
    with suppress(MainspringError):  # a setting that is wrong is told by the first child, in the supervisor's words
        child.share_ports(settings.load(json.loads(greeting)["settings"]))
    # A child that looks for garbage would write to all that it shares.
    gc.collect()
    gc.freeze()
    return Forking(channel).run()


class Forking:
    """The loop of the nursery."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: set[int] = set()
        self._woken, self._waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Do what the channel asks for; return the exit code, of the nursery or of the child that this became."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking)
        asked = [self._channel.fileno()]
        while asked or self._children:
            ready, _, _ = select.select([self._woken, *asked], [], [])
            if ready != [self._woken] and asked:
                try:
                    data, fds, _, _ = socket.recv_fds(self._channel, MOST_BYTES, 16)
                except ConnectionError:
                    data, fds = b"", []
                if not data:
                    asked = []
                elif (code := self._fork(json.loads(data), fds)) is not None:
                    return code
            if self._woken in ready:
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
        return 0

    def _fork(self, asked: dict[str, Any], fds: Sequence[int]) -> int | None:
        """Bear a child: return its exit code within it, and None here."""
        pid = -1
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            self._tell({"unfit": "a library that was imported has started a thread"})
        else:
            try:
                pid = os.fork()
            except OSError as error:  # no process or no memory to be had now
                self._tell({"error": str(error)})
        if pid == 0:
            return self._become(asked, dict(zip(asked["fds"], fds, strict=True)))
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._children.add(pid)
            pidfd = os.pidfd_open(pid)
            self._tell({"born": pid}, pidfd)
            os.close(pidfd)
        return None

    def _become(self, asked: dict[str, Any], fds: dict[str, int]) -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()
        os.close(self._woken)
        os.close(self._waking)
        os.setsid()
        fds.setdefault("stderr", os.dup(fds["stdout"]))
        for name, number in _STREAMS.items():
            os.dup2(fds[name], number)
            os.close(fds.pop(name))
        for fd in fds.values():
            os.set_inheritable(fd, False)
        return child.run(asked["role"], {**asked["config"], **fds})

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._children.discard(pid)
            self._tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, news: dict[str, Any], *fds: int) -> None:
        with suppress(OSError):  # the supervisor is gone, and with it who would know
            socket.send_fds(self._channel, [json.dumps(news).encode()], fds)


if __name__ == "__main__":
    sys.exit(main())
