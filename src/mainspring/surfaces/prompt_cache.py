"""Prompts as the client fetches them: from the server, from memory while they are fresh, from disk while it is away."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mainspring.kernel.errors import MainspringError
from mainspring.prompts.models import PromptVersion

MAX_ENTRIES = 1000
STALE = 10
"""For how many times its lifetime a prompt is still given out while a newer one is fetched."""
_CHANGES = {"commit", "label", "unlabel"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    version: PromptVersion
    at: float
    """Monotonic seconds of its arrival."""


class CachedPrompts:
    """The prompt operations of a client; `get` keeps what it fetched.

    Within `ttl` seconds a prompt comes from memory; after that the kept one is returned at once while a thread fetches
    the newest. With a `ttl` of 0 the server is asked each time. Where the server does not answer, the last one that was
    fetched is returned, from the folder where another process may have left it; a prompt that the server refuses or
    does not know is forgotten. Files have mode 0600.
    """

    def __init__(
        self,
        remote: Any,
        folder: Path,
        scope: tuple[str, ...],
        ttl: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`scope` sets apart servers, projects, environments and keys."""
        self._remote = remote
        self._folder = folder
        self._scope = scope
        self._ttl = ttl
        self._clock = clock
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()
        self._fetching: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation: Callable[..., Any] = getattr(self._remote, name)
        if name not in _CHANGES:
            return operation

        def change(*args: Any, **kwargs: Any) -> Any:
            try:
                return operation(*args, **kwargs)
            finally:
                self._forget(str(args[0] if args else kwargs.get("name", "")))

        return change

    def get(self, name: str, *, selector: str = "") -> PromptVersion:
        """Show a prompt as `Prompts.get` does, or as it was when the server last answered."""
        key = (name, selector)
        with self._lock:
            held = self._held.get(key)
            age = self._clock() - held.at if held else 0.0
            if held and age < self._ttl * STALE:
                if age >= self._ttl and key not in self._fetching:
                    self._fetching.add(key)
                    threading.Thread(target=self._refresh, args=(key,), name="prompt", daemon=True).start()
                return held.version
        return self._fetch(key)

    def _refresh(self, key: tuple[str, str]) -> None:
        try:
            self._fetch(key)
        except MainspringError as error:
            _log.warning("the prompt %s could not be fetched: %s", key[0], error.message)
        finally:
            with self._lock:
                self._fetching.discard(key)

    def _fetch(self, key: tuple[str, str]) -> PromptVersion:
        name, selector = key
        try:
            version: PromptVersion = self._remote.get(name, selector=selector)
        except MainspringError as error:
            if error.status < 500:
                self._drop(key)
                raise
            kept = self._kept(key)
            if kept is None:
                raise
            _log.warning("%s; using %s as it was last fetched", error.message.rstrip("."), kept.ref)
            return kept
        with self._lock:
            self._held[key] = _Held(version, self._clock())
            self._held.move_to_end(key)
            while len(self._held) > MAX_ENTRIES:
                self._held.popitem(last=False)
        # Where nothing can be written, memory alone has to do.
        with contextlib.suppress(OSError):
            self._write(key, version)
        return version

    def _kept(self, key: tuple[str, str]) -> PromptVersion | None:
        with self._lock:
            held = self._held.get(key)
        if held:
            return held.version
        try:
            return PromptVersion.model_validate_json(self._path(key).read_bytes())
        except (OSError, ValidationError):
            return None

    def _write(self, key: tuple[str, str], version: PromptVersion) -> None:
        path = self._path(key)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(version.model_dump_json().encode())
        draft.replace(path)
        files = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime)
        for old in files[:-MAX_ENTRIES]:
            old.unlink(missing_ok=True)

    def _forget(self, name: str) -> None:
        """Ask the server again for every version of a prompt; what lies on disk stays for its outage."""
        with self._lock:
            for key in [key for key in self._held if key[0] == name]:
                del self._held[key]

    def _drop(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._held.pop(key, None)
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: tuple[str, str]) -> Path:
        digest = hashlib.sha256("\0".join((*self._scope, *key)).encode()).hexdigest()
        return self._folder / f"{digest}.json"
