"""Sync: a folder of files and a server's prompts, brought together where one side changed, and named where both did.

The folder keeps what was last brought together in a file of its own, which belongs under git beside the prompts.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.kernel.records import Page
from mainspring.kernel.refs import check_name
from mainspring.prompts import files
from mainspring.prompts.models import PromptCheck, PromptSummary, PromptVersion

STATE = ".mainspring-sync.json"
MAX_BYTES = 4_000_000
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
Action = Literal["same", "push", "pull", "conflict", "removed", "invalid"]
Prefer = Literal["", "local", "server"]


class Server(Protocol):
    """What sync asks of the prompts' operations."""

    def list(self, *, limit: int = 100, cursor: str = "") -> Page[PromptSummary]: ...
    def get(self, name: str, *, selector: str = "") -> PromptVersion: ...
    def check(self, name: str, **parts: Any) -> PromptCheck: ...
    def commit(self, name: str, **parts: Any) -> PromptVersion: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What is, or would be, done about one prompt."""

    name: str
    action: Action
    file: str
    detail: str = ""


@dataclass(slots=True)
class Folder:
    """The files of a folder and what was last brought together."""

    path: Path
    state: dict[str, dict[str, str]] = field(default_factory=dict)
    """By prompt: `file` is the hash of the file's content and `latest` that of the server's latest version."""

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Read a folder. Raises Invalid where it is none, or its state cannot be read."""
        if not path.is_dir():
            raise Invalid(f"{path} is no folder.", hint="Make it, or give the folder that holds the prompts.")
        try:
            held = json.loads(_text(path / STATE))["prompts"]
            state = {str(name): {str(key): str(value) for key, value in one.items()} for name, one in held.items()}
        except FileNotFoundError:
            state = {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Invalid(f"{path / STATE} cannot be read.", hint="Restore it from git, or remove it.") from None
        return cls(path, state)

    def files(self) -> dict[str, Path]:
        """Return the prompts' files by name. Raises Invalid for a name that two files have."""
        found: dict[str, Path] = {}
        for path in sorted(self.path.iterdir()):
            if (
                path.suffix in files.SUFFIXES
                and (path.is_file() or path.is_symlink())
                and path.stem.lower() != "readme"
            ):
                check_name(path.stem)
                if path.stem in found:
                    raise Invalid(f"{found[path.stem].name} and {path.name} are the same prompt.", hint="Keep one.")
                found[path.stem] = path
        return found

    def save(self) -> None:
        """Write what was brought together."""
        text = json.dumps({"prompts": dict(sorted(self.state.items()))}, indent=1) + "\n"
        write(self.path / STATE, text)


def sync(server: Server, path: Path, *, check: bool = False, prefer: Prefer = "", note: str = "") -> list[Change]:
    """Bring a folder and a server together; with `check` only say what would be done.

    A prompt that changed on one side is taken over by the other. Where both changed nothing is done, unless `prefer`
    names the side that wins. A file that was removed is not written again. Raises Invalid for a folder that cannot
    be read.
    """
    folder = Folder.open(path)
    local = folder.files()
    names = sorted({*local, *_names(server)})
    changes = []
    for name in names:
        try:
            change = _one(server, folder, name, local.get(name), check=check, prefer=prefer, note=note)
        except (Invalid, UnicodeDecodeError) as error:
            message = error.message if isinstance(error, MainspringError) else "the file is not UTF-8."
            change = Change(name, "invalid", local[name].name if name in local else "", message)
        changes.append(change)
        if not check:
            folder.save()
    return changes


def write(path: Path, text: str) -> None:
    """Replace a file's text in one step; a link that stands in its place is replaced, not followed."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666), "wb") as file:
        file.write(text.encode())
    draft.replace(path)


def _text(path: Path) -> str:
    """Return a file's text, never of one that a link points at. Raises OSError, UnicodeDecodeError."""
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINK), "rb") as file:
        return file.read(MAX_BYTES + 1).decode()


def _names(server: Server) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = server.list(limit=1000, cursor=cursor)
        found += [check_name(item.name) for item in page.items]  # each becomes the name of a file
        cursor = page.next_cursor
    return found


def _one(
    server: Server, folder: Folder, name: str, path: Path | None, *, check: bool, prefer: Prefer, note: str
) -> Change:
    base = folder.state.get(name)
    if path is None:
        latest = server.get(name)
        if base is not None:
            return Change(name, "removed", "", f"the file was removed; {latest.ref} stays on the server")
        target = folder.path / f"{name}.yaml"
        return _pull(folder, target, latest, check=check)
    if path.is_symlink():
        raise Invalid(f"{path.name} is a link.", hint="Put the file itself into the folder.")
    if path.stat().st_size > MAX_BYTES:
        raise Invalid(f"{path.name} is over {MAX_BYTES:,} bytes.")
    parts = files.read(path.name, _text(path))
    mine = server.check(name, **parts)
    theirs = mine.latest_sha256 or ""
    if mine.sha256 == theirs:
        folder.state[name] = {"file": mine.sha256, "latest": theirs}
        return Change(name, "same", path.name, f"prompt/{name}@{mine.latest}")
    here = base is None or base.get("file") != mine.sha256
    there = base is None or base.get("latest") != theirs
    if base is None and mine.number is not None:
        here = False  # an older version: the server went on from it
    if not here and not there:
        return Change(name, "same", path.name, f"prompt/{name}@{mine.number}, not the latest")
    if not theirs or (here and (not there or prefer == "local")):
        return _push(server, folder, path, parts, check=check, note=note)
    if not here or prefer == "server":
        return _pull(folder, path, server.get(name), check=check)
    return Change(name, "conflict", path.name, f"the file and prompt/{name}@{mine.latest} both changed")


def _push(server: Server, folder: Folder, path: Path, parts: Mapping[str, Any], *, check: bool, note: str) -> Change:
    if check:
        return Change(path.stem, "push", path.name, "the file changed")
    made = server.commit(path.stem, **parts, note=note or f"from {path.name}")
    latest = server.get(path.stem)
    folder.state[path.stem] = {"file": made.sha256, "latest": latest.sha256}
    detail = made.ref if made.number == latest.number else f"{made.ref} had the same content; point a label at it"
    return Change(path.stem, "push", path.name, detail)


def _pull(folder: Folder, path: Path, latest: PromptVersion, *, check: bool) -> Change:
    if not check:
        write(path, files.write(path.name, latest))
        folder.state[latest.name] = {"file": latest.sha256, "latest": latest.sha256}
    return Change(latest.name, "pull", path.name, latest.ref)
