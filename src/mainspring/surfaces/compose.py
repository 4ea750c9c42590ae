"""Composition: the one place where back ends meet rooms."""

from __future__ import annotations

from importlib.metadata import entry_points
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
    for point in entry_points(group=f"mainspring.{port}"):
        if point.name == name:
            return point.load()(url, home, config)
    known = ", ".join(sorted(point.name for point in entry_points(group=f"mainspring.{port}")))
    raise Invalid(f"No back end '{name}' for {port} is installed.", hint=f"Known here: {known or 'none'}.")


def scheme(url: str, default: str) -> str:
    """Return the back end's name that a URL asks for."""
    return url.partition("://")[0].partition("+")[0] if "://" in url else default


def build_platform(config: Settings | None = None, role: ProcessRole = "tool") -> Platform:
    """Open every port of an installation, and bring its schema up to date.

    The worker's ports differ from the API's in nothing but that it starts the runner.
    """
    config = config or settings.load()
    home = config.home
    for folder in (home, home / "run", home / "tmp"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    load_rooms()
    records_url, files_url, spans_url = (str(config[f"{port}.url"]) for port in ("records", "files", "spans"))
    platform = Platform(
        home=home,
        settings=config,
        clock=SystemClock(),
        ids=SystemIds(),
        keyring=Keyring.open(home / "secret.key"),
        records=open_port("records", scheme(records_url, "sqlite"), records_url, home, config),
        files=open_port("files", "object", files_url, home, config),
        spans_port=open_port("spans", scheme(spans_url, "sqlite"), spans_url, home, config),
        runner_port=open_port("runner", "dbos", "", home, config),
        engine_port=open_port("engine", "llamacpp", "", home, config),
        embed_port=open_port("embed", "minilm", "", home, config),
    )
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
