"""`mainspring prompt sync`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from mainspring.kernel.errors import Conflict, Invalid


def run(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of .yaml and .md files, a prompt each.")],
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail where anything differs.")] = False,
    prefer: Annotated[str, typer.Option(help="Who wins where both changed: local or server.")] = "",
    note: Annotated[str, typer.Option(help="Note of the versions that are made.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Bring a folder of files and the server's prompts together; where both changed, say so and change nothing.

    A file that changed becomes a version, a version that is new becomes a file. What was brought together is kept in
    `.mainspring-sync.json`: keep it under git with the files.
    """
    from mainspring.prompts.sync import Prefer, Server, sync
    from mainspring.surfaces.commands.operations import connect
    from mainspring.surfaces.commands.output import show

    if prefer not in ("", "local", "server"):
        raise Invalid(f"--prefer is {prefer[:40]!r}.", hint="It is local or server.")
    with connect(ctx.obj or {}) as client:
        changes = sync(cast(Server, client.prompt), folder, check=check, prefer=cast(Prefer, prefer), note=note)
    rows = [asdict(change) for change in changes]
    if as_json:
        typer.echo(json.dumps({"changes": rows}, ensure_ascii=False, indent=2))
    else:
        show([row for row in rows if row["action"] != "same"], as_json=False)
    found = {change.action for change in changes}
    if "invalid" in found:
        raise Invalid("Some files hold no valid prompt.", hint="Mend what is named above.")
    if "conflict" in found:
        raise Conflict(
            "Some prompts changed on both sides.", hint="Merge them by hand, or say --prefer local or server."
        )
    if check and found & {"push", "pull"}:
        typer.echo("The folder and the server differ.", err=True)
        raise typer.Exit(1)
    if found <= {"same"}:
        typer.echo(f"The folder and the server are in step: {len(changes)} prompts.", err=True)
