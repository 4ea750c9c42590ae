"""`mainspring down`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def down(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Do not let running requests finish.")] = False,
) -> None:
    """Stop the server of this home folder once its requests are answered; a run under way goes on at the next start."""
    from mainspring.surfaces.processes.stop import stop_server

    chosen = str(home) if home else (ctx.obj or {}).get("home")
    config = settings.load({"home": chosen} if chosen else {})
    if stop_server(config, force=force):
        typer.echo("Stopped.", err=True)
    else:
        typer.echo(f"No server runs on {config.home}.", err=True)
