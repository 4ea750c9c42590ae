"""Backup while everything runs, and restore onto a home folder that no server uses.

A backup is a folder: a copy of the records, a copy of the spans, every file by its hash, what rooms add, the keys, and
a manifest that is written last. The files are copied after the records, so that every file that a record names is
there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainspring import __version__
from mainspring.kernel import access, audit, hooks, schema
from mainspring.kernel.errors import Conflict, Invalid, NoSpace
from mainspring.kernel.platform import Platform
from mainspring.kernel.settings import Settings
from mainspring.surfaces.compose import build_platform, scheme
from mainspring.surfaces.processes.home import HomeLock, prepare

FORMAT = 1
KEYS = ("secret.key", "credentials.json")
Tell = Callable[[str, int, int], None]
"""(what, done, total) -> None."""


def backup(config: Settings, target: Path, tell: Tell = lambda what, done, total: None) -> dict[str, Any]:
    """Write a backup of an installation into the new folder `target` and return its manifest.

    Raises Conflict where the folder exists, Invalid where there is nothing to back up, NoSpace.
    """
    if not (config.home / "secret.key").exists():
        raise Invalid(f"{config.home} holds no installation.", hint="Name the home folder with --home.")
    if target.exists():
        raise Conflict(f"{target} exists.", hint="Name a folder that does not exist yet.")
    draft = target.with_name(target.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    platform = build_platform(config)
    try:
        draft.mkdir(parents=True, mode=0o700)
        manifest = _write(platform, draft, tell)
        draft.rename(target)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NoSpace.of("the backup") from error
        raise
    finally:
        close(platform)
    return manifest


def _write(platform: Platform, folder: Path, tell: Tell) -> dict[str, Any]:
    tell("records", 0, 1)
    platform.records.backup(folder / "records")
    tell("spans", 0, 1)
    platform.spans.backup(folder / "spans")
    for room, (write, _) in hooks.backup_hooks.items():
        tell(room, 0, 1)
        room_folder = folder / "rooms" / room
        room_folder.mkdir(parents=True)
        write(platform, room_folder)
    stored = list(platform.files.list())
    for done, file in enumerate(stored):
        tell("files", done, len(stored))
        path = folder / "files" / file.sha256[:2] / file.sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as sink:
            for part in platform.files.stream(file.sha256):
                sink.write(part)
    for name in KEYS:
        if (platform.home / name).exists():
            copy_private(platform.home / name, folder / name)
    with platform.records.read() as conn:
        number = schema.current(conn)
    held = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "schema": number,
        "created_at": datetime.now(UTC).isoformat(),
        "database": _kind(platform.settings),
        "files": {
            str(path.relative_to(folder)): {"sha256": digest(path), "size": path.stat().st_size} for path in held
        },
    }
    with (folder / "manifest.json").open("w") as sink:
        json.dump(manifest, sink, indent=1)
        sink.flush()
        os.fsync(sink.fileno())
    return manifest


def restore(
    config: Settings, source: Path, *, force: bool = False, tell: Tell = lambda what, done, total: None
) -> dict[str, Any]:
    """Bring the backup in `source` back onto the home folder and return its manifest.

    Every byte is checked before anything is touched. Raises Invalid for a damaged or foreign backup, Conflict where a
    server runs or where the home holds an installation and `force` is not given, NoSpace.
    """
    manifest = check(source, _kind(config), tell)
    prepare(config.home)
    if (config.home / "secret.key").exists() and not force:
        raise Conflict(f"{config.home} holds an installation.", hint="--force replaces it by the backup.")
    needed = sum(file["size"] for file in manifest["files"].values())
    if shutil.disk_usage(config.home).free < needed * 1.1:
        raise NoSpace.of("the installation")
    lock = HomeLock.acquire(config.home)
    try:
        for name in KEYS:
            if name in manifest["files"]:
                copy_private(source / name, config.home / name)
        for suffix in ("", "-wal", "-shm"):
            # The runner's own state is of another time: what it knew of runs is made again from the records.
            (config.home / f"jobs.db{suffix}").unlink(missing_ok=True)
        platform = build_platform(config)
        try:
            _read(platform, source, tell)
            with access.acting_as(access.system()):
                audit.restored(platform, datetime.fromisoformat(str(manifest["created_at"])))
        finally:
            close(platform)
    finally:
        lock.release()
    return manifest


def _read(platform: Platform, source: Path, tell: Tell) -> None:
    from sqlalchemy import update

    from mainspring.kernel.tables import runs

    paths = [path for path in (source / "files").rglob("*") if path.is_file()]
    for done, path in enumerate(paths):
        tell("files", done, len(paths))
        platform.files.put(path)
    tell("spans", 0, 1)
    platform.spans.restore(source / "spans")
    tell("records", 0, 1)
    platform.records.restore(source / "records")
    schema.upgrade(platform.records, platform.clock)
    for room, (_, read) in hooks.backup_hooks.items():
        if (source / "rooms" / room).is_dir():
            read(platform, source / "rooms" / room)
    with access.acting_as(access.system()), platform.begin() as tx:
        tx.execute(update(runs).where(runs.c.state == "running").values(state="queued"))
        tx.execute(update(runs).where(runs.c.state == "cancelling").values(state="cancelled", finished_at=tx.now))


def check(source: Path, database: str, tell: Tell = lambda what, done, total: None) -> dict[str, Any]:
    """Return the manifest of a backup after comparing every file with it. Raises Invalid."""
    try:
        manifest: dict[str, Any] = json.loads((source / "manifest.json").read_text())
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Invalid(
            f"{source} is not a whole backup.", hint="Name a folder that `mainspring backup` wrote."
        ) from None
    if manifest.get("format") != FORMAT or int(manifest.get("schema", 0)) > schema.MIGRATIONS[-1].number:
        raise Invalid("The backup was written by a later Mainspring.", hint="Install that version, or a later one.")
    if manifest.get("database") != database:
        raise Invalid(
            f"The backup's records are of {manifest.get('database')}, this installation's of {database}.",
            hint="Set MAINSPRING_RECORDS_URL to a database of that kind.",
        )
    for done, (name, held) in enumerate(files.items()):
        tell("checking", done, len(files))
        path = source / name
        if ".." in Path(name).parts or not path.is_file() or digest(path) != held["sha256"]:
            raise Invalid(f"{name} in the backup is missing or damaged.", hint="Use another backup.")
    return manifest


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_private(source: Path, target: Path) -> None:
    """Copy a key file so that it is never readable by others, and never there by half."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        sink.write(source.read_bytes())
        os.fsync(sink.fileno())
    draft.replace(target)


def close(platform: Platform) -> None:
    """Release what a platform holds open."""
    getattr(platform.chat_port, "close", lambda: None)()
    if platform.spans_port is not None:
        platform.spans.close()
    platform.records.close()


def _kind(config: Settings) -> str:
    return scheme(str(config["records.url"]), "sqlite")
