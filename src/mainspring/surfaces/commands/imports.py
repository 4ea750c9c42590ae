"""`mainspring import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
Place = Annotated[Path, typer.Argument(help="A file of the export, or a folder of them.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Read it and say what would be taken; send nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback()
def imports() -> None:
    """Move in from another product: traces, scores, prompts and datasets of its exports."""


@app.command()
def langfuse(ctx: typer.Context, place: Place, dry_run: Dry = False, as_json: AsJson = False) -> None:
    """Bring in exports of Langfuse: of its API, of its tables, of its blob storage. A second time adds nothing."""
    _move(ctx, "langfuse", place, dry_run, as_json)


@app.command()
def mlflow(ctx: typer.Context, place: Place, dry_run: Dry = False, as_json: AsJson = False) -> None:
    """Bring in exports of MLflow: traces, prompts and evaluation datasets. A second time adds nothing."""
    _move(ctx, "mlflow", place, dry_run, as_json)


def _move(ctx: typer.Context, source: str, place: Path, dry_run: bool, as_json: bool) -> None:
    from mainspring.surfaces.commands.operations import connect
    from mainspring.surfaces.commands.output import people, show
    from mainspring.surfaces.moving import move

    with connect(ctx.obj or {}) as client:
        report = move(client, source, place, dry_run=dry_run, told=people.print)
    show(report, as_json=as_json)
    if report.problems:
        raise typer.Exit(1)
