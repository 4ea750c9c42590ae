"""`mainspring up`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def up(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any that is free.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)] = None,
    api_processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that answer requests.", show_default=False)
    ] = None,
    worker: Annotated[
        bool | None, typer.Option("--worker/--no-worker", help="Run the worker here.", show_default=False)
    ] = None,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let other machines reach it.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background once it answers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document once it answers.")] = False,
) -> None:
    """Start everything on this machine: API, gateway, web UI, worker and model engines."""
    from mainspring.surfaces.processes.alone import announce, become

    flags: dict[str, Any] = dict(ctx.obj or {})
    flags |= {"home": str(home) if home else flags.get("home"), "port": port, "host": host}
    flags |= {"api.processes": api_processes, "worker.enabled": worker}
    flags = {name: value for name, value in flags.items() if value is not None}
    config = settings.load(flags)
    if not detach:
        become(flags, allow_remote=allow_remote, as_json=as_json)
    from mainspring.surfaces.processes.supervisor import start_detached

    state, owner_key = start_detached(config, flags, allow_remote=allow_remote)
    announce(state, owner_key, config.home, as_json=as_json, detached=True)
