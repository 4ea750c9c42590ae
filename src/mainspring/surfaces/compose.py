"""Composition: the one place where back ends meet rooms."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any, Literal

from mainspring.kernel import schema, settings
from mainspring.kernel.clock import SystemClock, SystemIds
from mainspring.kernel.errors import Invalid
from mainspring.kernel.keyring import Keyring
from mainspring.kernel.platform import Platform
from mainspring.kernel.settings import Settings
from mainspring.surfaces import fit
from mainspring.surfaces.nouns import load_rooms

ProcessRole = Literal["api", "worker", "tool"]


def open_port(port: str, name: str, url: str, home: Path, config: Settings) -> Any:
    """Open the back end `name` of a port through its entry point. Raises Invalid for an unknown one."""
    return _point(port, name).load()(url, home, config)


def import_rooms() -> None:
    """Import every room, and what is made of them in each process."""
    from mainspring.serving import chat  # noqa: F401
    from mainspring.tuning import loglikelihood  # noqa: F401

    load_rooms()


def import_ports(config: Settings) -> None:
    """Import the back ends that the settings name, with what they import once opened. Raises Invalid."""
    for port, (name, _) in _chosen(config).items():
        point = _point(port, name)
        point.load()
        for later in getattr(import_module(point.module), "IMPORTS", ()):
            import_module(later)


def _chosen(config: Settings) -> dict[str, tuple[str, str]]:
    """Return the back end of each port and its URL."""
    records, files, spans = (str(config[f"{port}.url"]) for port in ("records", "files", "spans"))
    return {
        "records": (scheme(records, "sqlite"), records),
        "files": ("object", files),
        "spans": (scheme(spans, "sqlite"), spans),
        "runner": ("dbos", ""),
        "engine": ("llamacpp", ""),
        "embed": ("minilm", ""),
    }


@cache
def _own_points() -> EntryPoints:
    try:
        return distribution("mainspring").entry_points
    except PackageNotFoundError:
        return EntryPoints()


def _point(port: str, name: str) -> EntryPoint:
    """Return a back end's entry point: our own are found without a look at every package that is installed."""
    group = f"mainspring.{port}"
    for point in _own_points().select(group=group, name=name):
        return point
    others = entry_points(group=group)
    for point in others.select(name=name):
        return point
    known = ", ".join(sorted(others.names))
    raise Invalid(f"No back end '{name}' for {port} is installed.", hint=f"Known here: {known or 'none'}.")


def scheme(url: str, default: str) -> str:
    """Return the back end's name that a URL asks for."""
    return url.partition("://")[0].partition("+")[0] if "://" in url else default


def build_platform(config: Settings | None = None, role: ProcessRole = "tool") -> Platform:
    """Open every port of an installation, and bring its schema up to date unless `up` has done so before.

    The worker's ports differ from the API's in nothing but that it starts the runner.
    """
    config = config or settings.load()
    home = config.home
    for folder in (home, home / "run", home / "tmp"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    load_rooms()
    ports = {port: open_port(port, name, url, home, config) for port, (name, url) in _chosen(config).items()}
    platform = Platform(
        home=home,
        settings=config,
        clock=SystemClock(),
        ids=SystemIds(),
        keyring=Keyring.open(home / "secret.key"),
        records=ports["records"],
        files=ports["files"],
        spans_port=ports["spans"],
        runner_port=ports["runner"],
        engine_port=ports["engine"],
        embed_port=ports["embed"],
    )
    if role == "tool":  # what API and worker find was made, or looked through, before they begin
        schema.upgrade(platform.records, platform.clock)
        fit.require(platform.records)
    _late_ports(platform)
    return platform


def _late_ports(platform: Platform) -> None:
    """Fill the ports that rooms themselves implement."""
    from mainspring.serving.chat import EngineChat
    from mainspring.tuning.loglikelihood import TrainerLogLikelihood

    platform.chat_port = EngineChat(platform)
    platform.loglikelihood_port = TrainerLogLikelihood(platform)
