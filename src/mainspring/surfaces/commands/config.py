"""`mainspring config show`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)


@app.callback()
def config() -> None:
    """Show the settings and where each comes from."""


@app.command()
def show(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show every setting that is in force, and where it came from; secrets are left out."""
    found = settings.load(ctx.obj or {})
    rows = [
        {
            "setting": setting.name,
            "value": "(set)" if setting.secret and found[setting.name] else found[setting.name],
            "source": found.source(setting.name),
            "help": setting.help,
        }
        for setting in settings.SETTINGS
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from mainspring.surfaces.commands.output import show as show_rows

    show_rows(rows, as_json=False)
