"""`mainspring demo`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def demo(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any that is free.", show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The same stages with smaller counts.")] = False,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Leave the server up at the end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Turn the whole loop once around on real data and a real model, and leave the server up."""
    from mainspring.surfaces.demo.run import demonstrate

    flags: dict[str, Any] = dict(ctx.obj or {})
    flags |= {"home": str(home) if home else flags.get("home"), "port": port}
    flags = {name: value for name, value in flags.items() if value is not None}
    document = demonstrate(settings.load(flags), flags, quick=quick, serve=serve)
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
