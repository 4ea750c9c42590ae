"""`mainspring metrics grafana`."""

from __future__ import annotations

import json

import typer

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)


@app.callback()
def metrics() -> None:
    """Show the server's metrics elsewhere."""


@app.command()
def grafana() -> None:
    """Print a dashboard over the metrics of this version, to be imported into Grafana."""
    from mainspring.surfaces.grafana import dashboard

    typer.echo(json.dumps(dashboard(), indent=2))
