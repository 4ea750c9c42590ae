"""`mainspring db upgrade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)


@app.callback()
def db() -> None:
    """Bring the database's schema up to date."""


@app.command()
def upgrade(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
) -> None:
    """Apply the migrations that are missing, while no server runs; `up` does it too, at its start."""
    from mainspring.kernel import schema
    from mainspring.kernel.clock import SystemClock
    from mainspring.surfaces.compose import open_port, scheme
    from mainspring.surfaces.nouns import load_rooms
    from mainspring.surfaces.processes.home import HomeLock, prepare

    chosen = str(home) if home else (ctx.obj or {}).get("home")
    config = settings.load({"home": chosen} if chosen else {})
    prepare(config.home)
    lock = HomeLock.acquire(config.home)
    try:
        load_rooms()
        url = str(config["records.url"])
        records = open_port("records", scheme(url, "sqlite"), url, config.home, config)
        try:
            applied = schema.upgrade(records, SystemClock())
        finally:
            records.close()
    finally:
        lock.release()
    for migration in applied:
        typer.echo(f"{migration.number} {migration.name}")
    if not applied:
        typer.echo("The schema is up to date.", err=True)
