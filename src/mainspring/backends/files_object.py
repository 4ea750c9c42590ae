"""Files in an object store, by content hash: a local folder by default, S3 by URL, through obstore."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid, NoSpace, NotFound, Unavailable
from mainspring.kernel.ports import StoredFile
from mainspring.kernel.settings import Settings

CHUNK = 1 << 20
IMPORTS = ("obstore.store",)
"""What is imported once a back end is opened: the nursery imports it before it forks."""


def open_files(url: str, home: Path, settings: Settings) -> ObjectFiles:
    """Open `s3://bucket/prefix` (credentials from the AWS_* environment), `file:///folder`, or files in home."""
    from obstore.store import LocalStore, S3Store

    spool = home / "tmp"
    spool.mkdir(parents=True, exist_ok=True)
    if url.startswith("s3://"):
        return ObjectFiles(S3Store.from_url(url), spool, local=None)
    root = Path(url.removeprefix("file://")) if url else home / "files"
    root.mkdir(parents=True, exist_ok=True)
    return ObjectFiles(LocalStore(prefix=root), spool, local=root)


class ObjectFiles:
    """The Files port over obstore. A key is `ab/abcdef…`, the SHA-256 of the bytes under its first two digits."""

    def __init__(self, store: Any, spool: Path, *, local: Path | None) -> None:
        self._store = store
        self._spool = spool
        self._local = local

    def put(self, data: bytes | Path | Iterable[bytes]) -> StoredFile:
        """Spool the bytes while hashing them, then create the object: it is there whole or not at all."""
        with _translated("the file"):
            descriptor, name = tempfile.mkstemp(dir=self._spool, prefix="put-")
            spooled = Path(name)
            try:
                digest, size = hashlib.sha256(), 0
                with os.fdopen(descriptor, "wb") as file:
                    for chunk in _chunks(data):
                        digest.update(chunk)
                        size += len(chunk)
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                stored = StoredFile(digest.hexdigest(), size)
                if not self.exists(stored.sha256):
                    self._create(spooled, stored.sha256)
                return stored
            finally:
                spooled.unlink(missing_ok=True)

    def _create(self, spooled: Path, sha256: str) -> None:
        if self._local is None:
            self._store.put(_key(sha256), spooled)
            return
        target = self._local / _key(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        # The spool may lie on another file system: copy beside the target, then rename, which is atomic.
        try:
            spooled.chmod(0o640)
            spooled.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._store.put(_key(sha256), spooled)
        for folder in (target.parent, target.parent.parent):
            handle = os.open(folder, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)

    def read(self, sha256: str) -> bytes:
        """Return the bytes. Raises NotFound."""
        return b"".join(self.stream(sha256))

    def stream(self, sha256: str, chunk: int = CHUNK) -> Iterator[bytes]:
        """Yield the bytes in chunks. Raises NotFound."""
        if self._local is not None:
            with self.path(sha256).open("rb") as file:
                while part := file.read(chunk):
                    yield part
            return
        try:
            found = self._store.get(_key(sha256))
        except FileNotFoundError:
            raise _missing(sha256) from None
        for part in found.stream(min_chunk_size=chunk):
            yield bytes(part)

    def path(self, sha256: str) -> Path:
        """Return a local path; a remote file is fetched once into the spool. Raises NotFound."""
        if self._local is not None:
            path = self._local / _key(sha256)
            if not path.is_file():
                raise _missing(sha256)
            return path
        cached = self._spool / f"file-{_checked(sha256)}"
        if not cached.exists():
            draft = cached.with_suffix(f".{os.getpid()}")
            with _translated("the file"), draft.open("wb") as file:
                file.writelines(self.stream(sha256))
            draft.replace(cached)
        return cached

    def exists(self, sha256: str) -> bool:
        """Tell whether the bytes are there."""
        try:
            self._store.head(_key(sha256))
        except FileNotFoundError:
            return False
        return True

    def delete(self, sha256: str) -> bool:
        """Remove the bytes; False where they were not there."""
        if not self.exists(sha256):
            return False
        self._store.delete(_key(sha256))
        (self._spool / f"file-{sha256}").unlink(missing_ok=True)
        return True

    def list(self) -> Iterator[StoredFile]:
        """Yield every stored file."""
        for page in self._store.list():
            for item in page:
                yield StoredFile(str(item["path"]).rpartition("/")[2], int(item["size"]))


def _chunks(data: bytes | Path | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, Path):
        with data.open("rb") as file:
            while part := file.read(CHUNK):
                yield part
    else:
        yield from data


def _checked(sha256: str) -> str:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise Invalid("That is not the address of a file.", hint="Give the SHA-256 in 64 lower-case hex digits.")
    return sha256


def _key(sha256: str) -> str:
    return f"{_checked(sha256)[:2]}/{sha256}"


def _missing(sha256: str) -> NotFound:
    return NotFound(f"There is no file {sha256[:12]}….", hint="Upload it first.")


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NoSpace.of(what) from error
        if error.errno in (errno.EROFS, errno.EACCES):
            raise Unavailable(
                f"{what.capitalize()} cannot be written here.", hint="Check the folder's mode."
            ) from error
        raise
