"""`mainspring doctor`: what could go wrong, looked for before it does."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mainspring.kernel.errors import MainspringError
from mainspring.kernel.settings import Settings
from mainspring.surfaces.processes.home import HomeLock, ServerState
from mainspring.surfaces.processes.probe import ready

FREE_BYTES = 2 << 30
"""Space under which a home folder is called short: a tuned model with its checkpoints takes about as much."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. A `warning` leaves the server usable."""

    check: str
    result: Literal["ok", "warning", "failed"]
    detail: str
    hint: str = ""


def examine(config: Settings) -> list[Finding]:
    """Run every check."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python, _home, _modes, _space, _packages, _models, _records, _server,
    )  # fmt: skip
    return [finding for check in checks for finding in check(config)]


def _python(config: Settings) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if good else "failed", version, "" if good else "Install Python 3.11 or newer.")


def _home(config: Settings) -> Iterator[Finding]:
    home = config.home
    nearest = next(path for path in (home, *home.parents) if path.exists())
    if os.access(nearest, os.W_OK | os.X_OK):
        yield Finding("home", "ok", str(home) + ("" if home.exists() else " (made at the first start)"))
    else:
        yield Finding("home", "failed", f"{nearest} cannot be written to", "Choose another folder with --home.")


def _modes(config: Settings) -> Iterator[Finding]:
    for name in ("credentials.json", "secret.key"):
        path = config.home / name
        if path.exists():
            mode = path.stat().st_mode & 0o777
            good = not mode & 0o077
            hint = "" if good else f"chmod 600 {path}"
            yield Finding(name, "ok" if good else "failed", f"mode {mode:04o}", hint)


def _space(config: Settings) -> Iterator[Finding]:
    nearest = next(path for path in (config.home, *config.home.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    good = free >= FREE_BYTES
    hint = "" if good else "Free some space: imports and tuning stop on a full disk."
    yield Finding("disk", "ok" if good else "warning", f"{free / (1 << 30):.1f} GiB free", hint)


def _packages(config: Settings) -> Iterator[Finding]:
    tuning = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "trl", "peft"))
    hint = "" if tuning else "pip install 'mainspring[tune]' to fine-tune; serving needs none of it."
    yield Finding("tuning", "ok" if tuning else "warning", "installed" if tuning else "not installed", hint)
    engine = importlib.util.find_spec("xllamacpp") is not None
    hint = "" if engine else "Install Mainspring again: the engine's package is missing."
    yield Finding("engine", "ok" if engine else "failed", "installed" if engine else "not installed", hint)
    if str(config["records.url"]).startswith("postgresql") and importlib.util.find_spec("psycopg") is None:
        yield Finding("postgres", "failed", "the driver is not installed", "pip install 'mainspring[postgres]'")


def _models(config: Settings) -> Iterator[Finding]:
    for name, file in (("smollm2", "model.gguf"), ("minilm", "model.onnx")):
        path = config.models / name / file
        hint = "" if path.exists() else f"mainspring model pull {name}"
        detail = _size(path) if path.exists() else "not fetched"
        yield Finding(f"model {name}", "ok" if path.exists() else "warning", detail, hint)


def _size(path: Path) -> str:
    return f"{path.stat().st_size / (1 << 20):.0f} MiB"


def _records(config: Settings) -> Iterator[Finding]:
    from mainspring.surfaces.compose import open_port, scheme

    url = str(config["records.url"])
    if scheme(url, "sqlite") == "sqlite" and not (config.home / "records.db").exists():
        return
    try:
        from mainspring.surfaces import fit
        from mainspring.surfaces.nouns import load_rooms

        load_rooms()
        records = open_port("records", scheme(url, "sqlite"), url, config.home, config)
        try:
            fit.require(records)
        finally:
            records.close()
    except MainspringError as error:
        yield Finding("records", "failed", error.message, error.hint)
    else:
        yield Finding("records", "ok", "the schema is this version's")


def _server(config: Settings) -> Iterator[Finding]:
    from mainspring.surfaces.processes.supervisor import listen

    pid = HomeLock.holder(config.home)
    if pid is None:
        try:
            listen(str(config["host"]), int(config["port"])).close()
        except MainspringError as error:
            yield Finding("port", "failed", error.message, error.hint)
        else:
            yield Finding("port", "ok", f"{config['host']}:{config['port']} is free")
        return
    state = ServerState.read(config.home)
    answer = ready(state.url) if state is not None else None
    if state is None or answer is None or not answer.reached:
        yield Finding("server", "failed", f"process {pid} does not answer", f"See {config.home / 'logs' / 'api.log'}.")
        return
    bad = ", ".join(f"{part} {word}" for part, word in answer.missing.items())
    hint = f"See {config.home / 'logs'}." if bad else ""
    yield Finding("server", "failed" if bad else "ok", bad or f"answers at {state.url}", hint)
