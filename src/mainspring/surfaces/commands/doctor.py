"""`mainspring doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)
MARKS = {"ok": "[green]ok     [/green]", "warning": "[yellow]warning[/yellow]", "failed": "[red]failed [/red]"}


@app.command()
def doctor(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port that `up` would take.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look for what could go wrong on this machine; exit with 1 where something must be mended."""
    from mainspring.surfaces.processes.doctor import examine

    given = {"home": str(home) if home else (ctx.obj or {}).get("home"), "port": port}
    findings = examine(settings.load({name: value for name, value in given.items() if value is not None}))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console(highlight=False)
        for finding in findings:
            console.print(f"{MARKS[finding.result]}  {finding.check}: {escape(finding.detail)}", soft_wrap=True)
            if finding.hint:
                console.print(f"         {escape(finding.hint)}", soft_wrap=True)
    if any(finding.result == "failed" for finding in findings):
        raise typer.Exit(1)
