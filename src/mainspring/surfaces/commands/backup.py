"""`mainspring backup`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mainspring.kernel import settings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def backup(
    ctx: typer.Context,
    target: Annotated[Path, typer.Argument(help="Folder to write; it must not exist yet.")],
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a backup while everything runs. It holds the installation's keys: keep it as safe as the home folder."""
    from mainspring.surfaces.commands.output import telling
    from mainspring.surfaces.upkeep import backup as write

    chosen = str(home) if home else (ctx.obj or {}).get("home")
    with telling("backup") as tell:
        manifest = write(settings.load({"home": chosen} if chosen else {}), target, tell)
    size = sum(file["size"] for file in manifest["files"].values())
    if as_json:
        shown = {"target": str(target), "files": len(manifest["files"]), "bytes": size}
        typer.echo(json.dumps(shown | {name: manifest[name] for name in ("version", "schema", "created_at")}))
    else:
        typer.echo(f"{target}: {len(manifest['files']):,} files, {size / (1 << 20):,.1f} MiB", err=True)
