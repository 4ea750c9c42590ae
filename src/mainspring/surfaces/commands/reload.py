"""`mainspring reload`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def reload(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
) -> None:
    """Start the API processes of this home folder anew, one after the other, with no request that fails.

    They read the settings again; the address, the worker and the model engines stay as they are.
    """
    from mainspring.surfaces.processes.stop import reload_server

    chosen = str(home) if home else (ctx.obj or {}).get("home")
    state = reload_server(settings.load({"home": chosen} if chosen else {}))
    running = [child for child in state.children if child.name.startswith("api") and child.state == "running"]
    typer.echo(f"Reloaded: {len(running)} API process{'es' if len(running) > 1 else ''}.", err=True)
