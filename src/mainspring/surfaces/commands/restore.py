"""`mainspring restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def restore(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="Folder that `mainspring backup` wrote.")],
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the installation that is there.")] = False,
) -> None:
    """Bring back a backup, onto a home folder whose server is stopped."""
    from mainspring.surfaces.commands.output import telling
    from mainspring.surfaces.upkeep import restore as read

    chosen = str(home) if home else (ctx.obj or {}).get("home")
    config = settings.load({"home": chosen} if chosen else {})
    with telling("restore") as tell:
        manifest = read(config, source, force=force, tell=tell)
    typer.echo(f"{config.home} is as it was at {manifest['created_at'][:19]}Z.", err=True)
