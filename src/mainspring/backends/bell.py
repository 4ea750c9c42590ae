"""The bell: a named pipe through which processes of one machine tell each other that there is something to do."""

from __future__ import annotations

import os
import select
import stat
import time
from contextlib import suppress
from pathlib import Path

_DEAF_SECONDS = 0.3
"""How long to wait where no pipe can be had, as on some network file systems."""


class Bell:
    """Whoever rings wakes who listens; a ring that nobody hears is lost, so that who listens looks now and then too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pipe = -1

    def ring(self) -> None:
        """Wake who listens, without waiting for anything."""
        # Without a reader there is no opening it, and a full pipe has rung already.
        with suppress(OSError):
            pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(pipe, b"!")
            finally:
                os.close(pipe)

    def heard(self, seconds: float) -> bool:
        """Wait for a ring, at most so long, and tell whether there may have been one; all that nobody heard are one."""
        try:
            pipe = self._listening()
            watched = select.poll()
            watched.register(pipe, select.POLLIN)
            return bool(watched.poll(seconds * 1000)) and bool(os.read(pipe, 1 << 16))
        except OSError:
            # No pipe is to be had: whoever waits looks without being called, at a pace that costs nothing.
            time.sleep(min(seconds, _DEAF_SECONDS))
            return True

    def close(self) -> None:
        """Listen no more."""
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)

    def _listening(self) -> int:
        if self._pipe < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileExistsError):  # the one of an earlier start rings as well
                os.mkfifo(self._path, 0o600)
            # Open for writing too, it never comes to its end when the last of those who ring has gone.
            pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
                os.close(pipe)
                raise FileExistsError(f"{self._path} is no pipe")
            self._pipe = pipe
        return self._pipe
