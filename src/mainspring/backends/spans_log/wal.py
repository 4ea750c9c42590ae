"""The write-ahead file: what `append` writes, so that a return from it means that the spans are on disk.

Each process has files of its own, held by an advisory lock; a file whose lock is free belongs to a process that
died, and whoever opens the store next replays it. A frame is its length and CRC-32 (both little-endian, 32 bits)
followed by the payload; reading stops at the first frame that is not whole, which nobody was told is stored. Payloads
that come together and are long are one frame, compressed: fewer bytes to check and to write cost less than compressing.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import zstandard

from mainspring.kernel.errors import Unavailable

_FRAME = struct.Struct("<II")
_LARGEST_FRAME = 1 << 30
_LONG = 16 << 10
"""Bytes of payloads that are compressed."""
_PACKED = b"\x28\xb5\x2f\xfd"
"""What compressed payloads begin with, and no JSON."""
_SEAL_BYTES = 16 << 20
_SEAL_SECONDS = 2.0


_LEVEL = -1
_local = threading.local()


@dataclass(eq=False, slots=True)
class Segment:
    """One write-ahead file and how far it got."""

    path: Path
    fd: int
    born: float = field(default_factory=time.monotonic)
    size: int = 0
    """Bytes written."""
    synced: int = 0
    """Bytes known to be on disk."""
    inflight: int = 0
    """Appends written here that are not in the database yet."""
    syncing: bool = False
    broken: bool = False
    """An fsync failed: nothing more is written here."""


class WriteAhead:
    """Appends payloads durably; threads that append at the same time share one fsync."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._state = threading.Condition(self._lock)
        self._prefix = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        self._made = 0
        self._sealed: list[Segment] = []
        self._active = self._open()

    def append(self, payloads: Sequence[bytes], *, synced: bool = True) -> Segment:
        """Write the payloads, where they are to be `synced` wait until they are on disk, and return their segment.

        What is not synced survives the end of this process; `sync` brings it to the disk. Raises Unavailable where the
        disk refuses.
        """
        data = _framed(payloads)
        with self._lock:
            if self._active.broken or self._active.size > _SEAL_BYTES:
                self._seal()
            segment = self._active
            self._write(segment, data)
            segment.inflight += 1
            target = segment.size
        if not synced:
            return segment
        try:
            self._sync(segment, target)
        except BaseException:
            self.done([segment])
            raise
        return segment

    def done(self, segments: Sequence[Segment]) -> None:
        """Note for each segment that one of its appends is in the database; remove sealed files that are through."""
        with self._state:
            for segment in segments:
                segment.inflight -= 1
            for segment in [s for s in self._sealed if s.inflight == 0]:
                self._sealed.remove(segment)
                self._drop(segment)

    def sync(self) -> None:
        """Bring to the disk what is written. Raises Unavailable where the disk refuses."""
        with self._state:
            segment, target = self._active, self._active.size
            if segment.synced >= target:
                return
        self._sync(segment, target)

    @property
    def holding(self) -> bool:
        """Whether the file is not empty."""
        return self._active.size > 0

    def tidy(self, *, idle: bool) -> None:
        """Empty the file where all of it is in the database and nothing is going on; seal it where it is old."""
        with self._state:
            segment = self._active
            if segment.size == 0:
                return
            if segment.inflight == 0 and idle and not segment.broken:
                os.ftruncate(segment.fd, 0)
                segment.size = segment.synced = 0
                segment.born = time.monotonic()
            elif time.monotonic() - segment.born > _SEAL_SECONDS:
                self._seal()

    def shed(self) -> Callable[[], bool]:
        """Seal what is written now; return a function that tells whether those files are gone."""
        with self._state:
            if self._active.size:
                self._seal()
            before = list(self._sealed)
        return lambda: not any(segment in self._sealed for segment in before)

    def close(self) -> None:
        """Release the files; those whose content is not all in the database stay for the next start."""
        with self._state:
            for segment in [*self._sealed, self._active]:
                if segment.inflight == 0:
                    self._drop(segment)
                else:
                    os.close(segment.fd)
            self._sealed = []

    def others(self) -> list[Path]:
        """Return the non-empty files in the folder that this process does not write."""
        with self._state:
            own = {segment.path for segment in [*self._sealed, self._active]}
        return [path for path in sorted(self._folder.glob("*.wal")) if path not in own and _size(path) > 0]

    def _open(self) -> Segment:
        # The lock is taken before the name appears, so that nobody takes a new file for an orphan.
        self._made += 1
        path = self._folder / f"{self._prefix}-{self._made:06d}.wal"
        draft = path.with_suffix(".new")
        try:
            fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(path)
            sync_folder(self._folder)
        except OSError as error:
            raise _refused(error) from error
        return Segment(path, fd)

    def _seal(self) -> None:
        fresh = self._open()
        old, self._active = self._active, fresh
        if old.inflight == 0:
            self._drop(old)
        else:
            self._sealed.append(old)

    def _drop(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)
        os.close(segment.fd)

    def _write(self, segment: Segment, data: bytes) -> None:
        at = segment.size
        try:
            while data:
                count = os.pwrite(segment.fd, data, at)
                at, data = at + count, data[count:]
        except OSError as error:
            os.ftruncate(segment.fd, segment.size)
            raise _refused(error) from error
        segment.size = at

    def _sync(self, segment: Segment, target: int) -> None:
        while True:
            with self._state:
                while segment.syncing and segment.synced < target:
                    self._state.wait()
                if segment.synced >= target:
                    return
                if segment.broken:
                    raise Unavailable("The disk did not take the spans.", hint="Look at the disk; send them again.")
                segment.syncing, upto = True, segment.size
            failure: OSError | None = None
            try:
                os.fdatasync(segment.fd)
            except OSError as error:
                failure = error
            with self._state:
                segment.syncing = False
                if failure is None:
                    segment.synced = max(segment.synced, upto)
                else:
                    # After a failed fsync the kernel may have dropped the pages: this file proves nothing any more.
                    segment.broken = True
                self._state.notify_all()


def orphans(folder: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """Yield the files of processes that died, oldest first, with their payloads; each is locked while it is out."""
    for path in sorted(folder.glob("*.wal")):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            with suppress(BlockingIOError):  # its process lives
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists():
                    yield path, read(path)
        finally:
            os.close(fd)
    for draft in folder.glob("*.new"):
        if time.time() - draft.stat().st_mtime > 60:
            draft.unlink(missing_ok=True)


def read(path: Path) -> list[bytes]:
    """Return the payloads of a write-ahead file, up to the first frame that is not whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    payloads, at = [], 0
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        payload = data[at + _FRAME.size : at + _FRAME.size + length]
        if not 0 < length <= _LARGEST_FRAME or len(payload) != length or crc32(payload) != checksum:
            break
        payloads += zstandard.decompress(payload).split(b"\n") if payload.startswith(_PACKED) else [payload]
        at += _FRAME.size + length
    return payloads


def _framed(payloads: Sequence[bytes]) -> bytes:
    if sum(map(len, payloads)) > _LONG:
        compressor = getattr(_local, "compressor", None)
        if compressor is None:
            compressor = _local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        payloads = [compressor.compress(b"\n".join(payloads))]
    return b"".join([_FRAME.pack(len(payload), crc32(payload)) + payload for payload in payloads])


def sync_folder(folder: Path) -> None:
    """Make names that appeared in or vanished from a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _refused(error: OSError) -> Unavailable:
    return Unavailable(
        f"The spans could not be stored: {error.strerror}.", hint="Free space on the disk of the home folder."
    )
