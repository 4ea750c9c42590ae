"""Logs: what the children print, with secrets blotted out, in files of bounded size."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import IO

MAX_BYTES = 10 << 20
"""Size at which a log is set aside."""
KEPT = 3
"""Logs set aside that are kept, besides the one being written."""

_SECRETS = re.compile(
    r"(?P<head>\bms_[A-Za-z0-9]+_|\b[Bb]earer\s+|"
    r"\b(?:api[_-]?key|password|secret|token)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"'@,;]{6,}"
)
_IN_ADDRESS = re.compile(r"(?P<head>://[^/\s:@]*:)[^/\s@]+(?=@)")


def redact(text: str) -> str:
    """Return the text with keys, bearer tokens and passwords replaced by `[redacted]`; what names them stays."""
    for pattern in (_SECRETS, _IN_ADDRESS):
        text = pattern.sub(lambda found: f"{found['head']}[redacted]", text)
    return text


class LogFile:
    """A log that is set aside at a size: `api.log`, `api.log.1`, …"""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")
        path.chmod(0o600)

    def write(self, line: str) -> None:
        """Append one line; a full disk loses the line, never the process."""
        with self._lock:
            try:
                self._file.write(redact(line.rstrip("\n")) + "\n")
                self._file.flush()
                if self._file.tell() > MAX_BYTES:
                    self._set_aside()
            except OSError:
                return

    def _set_aside(self) -> None:
        self._file.close()
        for number in range(KEPT, 0, -1):
            older = self._path.with_suffix(f".log.{number}")
            newer = self._path.with_suffix(f".log.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
        self._file = self._path.open("a", encoding="utf-8")
        self._path.chmod(0o600)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._file.close()


def pump(source: IO[bytes], log: LogFile, name: str) -> threading.Thread:
    """Copy a child's output into its log, line by line, until it ends."""

    def copy() -> None:
        with source:
            while line := source.readline(1 << 16):
                log.write(line.decode("utf-8", "replace"))

    thread = threading.Thread(target=copy, name=f"log-{name}", daemon=True)
    thread.start()
    return thread
