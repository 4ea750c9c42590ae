"""Totals of several processes: each writes its own into a file now and then, and any of them can add up all.

A process that has ended counts on with what it wrote last, so that no counter goes back; a kill loses what it counted
since. The lock beside a file tells whether its process lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.serving.totals import Totals

_EVERY = 1.0
_PAST = "past"
_log = logging.getLogger(__name__)


class SharedTotals:
    """This process's totals, and those of the others of the same home."""

    def __init__(self, home: Path, own: Callable[[], Totals]) -> None:
        """`own` returns what this process has counted."""
        self._folder = home / "run" / "totals"
        self._own = own
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write, and gather what ended processes left into one file."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._guarded(fcntl.LOCK_EX):
            self._fold()
            self._lock = _locked(self._folder / f"{self._name}.lock")
            self._write(self._name, self._own())
        self._thread = threading.Thread(target=self._work, name="totals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write the last word."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
            self._write(self._name, self._own())
            os.close(self._lock)

    def together(self) -> Totals:
        """Return the totals of all processes; only those that live have gauges."""
        found = self._own()
        found.gauge("api_processes", (), 1)
        if not self._folder.is_dir():
            return found
        with self._guarded(fcntl.LOCK_SH):
            for path in self._folder.glob("*.json"):
                if path.stem != self._name:
                    lives = path.stem != _PAST and self._lives(path.stem)
                    found.plus(_read(path), gauges=lives)
                    if lives:
                        found.gauge("api_processes", (), 1)
        return found

    def _work(self) -> None:
        before = ""
        while not self._stop.wait(_EVERY):
            now = self._own()
            text = json.dumps(now.dump())
            if text != before:
                before = text
                self._write(self._name, now)

    def _fold(self) -> None:
        """Add up what ended processes left."""
        past, gone = Totals(), []
        for path in self._folder.glob("*.json"):
            if path.stem == _PAST or not self._lives(path.stem):
                past.plus(_read(path), gauges=False)
                gone.append(path)
        if gone:
            self._write(_PAST, past)
        for path in gone:
            if path.stem != _PAST:
                path.unlink(missing_ok=True)
                path.with_suffix(".lock").unlink(missing_ok=True)

    def _write(self, name: str, totals: Totals) -> None:
        draft = self._folder / f".{name}"
        try:
            draft.write_text(json.dumps(totals.dump()))
            draft.replace(self._folder / f"{name}.json")
        except OSError as error:
            _log.warning("totals could not be written: %s", error.strerror)

    def _lives(self, name: str) -> bool:
        try:
            os.close(_locked(self._folder / f"{name}.lock", create=False))
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    @contextmanager
    def _guarded(self, how: int) -> Iterator[None]:
        lock = os.open(self._folder / ".guard", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)


def _read(path: Path) -> Totals:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return Totals.load(json.loads(path.read_text()))
    return Totals()


def _locked(path: Path, *, create: bool = True) -> int:
    file = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
