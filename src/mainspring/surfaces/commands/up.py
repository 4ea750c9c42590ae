"""`mainspring up`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.kernel import settings
from mainspring.surfaces.processes.home import ServerState

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
    from mainspring.surfaces.processes.supervisor import Supervisor, start_detached

    flags: dict[str, Any] = dict(ctx.obj or {})
    flags |= {"home": str(home) if home else flags.get("home"), "port": port, "host": host}
    flags |= {"api.processes": api_processes, "worker.enabled": worker}
    flags = {name: value for name, value in flags.items() if value is not None}
    config = settings.load(flags)

    def announce(state: ServerState, owner_key: str) -> None:
        if as_json:
            shown = asdict(state) | {"home": str(config.home)} | ({"owner_key": owner_key} if owner_key else {})
            typer.echo(json.dumps(shown))
            return
        typer.echo(f"Mainspring {state.version} is up at {state.url}", err=True)
        if owner_key:
            typer.echo(f"\n  The owner's key, shown this once:\n  {owner_key}\n", err=True)
            typer.echo(f"  It also stands in {config.home / 'credentials.json'} (mode 0600).", err=True)
        stop = "`mainspring down` stops it." if detach else "Ctrl-C or `mainspring down` stops it."
        typer.echo(f"Models answer at {state.url}/v1. {stop}", err=True)

    if detach:
        announce(*start_detached(config, flags, allow_remote=allow_remote))
    else:
        Supervisor(config, flags, allow_remote=allow_remote, on_ready=announce).run()
