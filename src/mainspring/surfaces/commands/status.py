"""`mainspring status`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.kernel import settings
from mainspring.kernel.errors import MainspringError, Unreachable

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def status(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Home folder.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what runs on this home folder; exit with 0 where it is ready, 1 where not yet, 7 where nothing runs."""
    from mainspring.surfaces.processes.home import HomeLock, ServerState
    from mainspring.surfaces.processes.probe import ready

    chosen = str(home) if home else (ctx.obj or {}).get("home")
    folder = settings.load({"home": chosen} if chosen else {}).home
    state = ServerState.read(folder)
    if HomeLock.holder(folder) is None or state is None:
        raise Unreachable(f"No server runs on {folder}.", hint="Start one with `mainspring up`.")
    answer = ready(state.url)
    shown: dict[str, Any] = asdict(state) | {"home": str(folder), "ready": answer.ready, "missing": answer.missing}
    shown["engines"] = _engines(folder)
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        _print(shown)
    if not answer.ready:
        raise typer.Exit(1)


def _engines(folder: Path) -> list[dict[str, Any]]:
    from mainspring.backends.engine_llamacpp import EngineClient

    try:
        return [asdict(engine) for engine in EngineClient(folder, timeout=5.0).list()]
    except MainspringError:
        return []  # the supervisor is only starting, or stopping


def _print(shown: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    word = "ready" if shown["ready"] else "not ready"
    console.print(f"{shown['url']}  {word}, version {shown['version']}, since {shown['started_at'][:19]}Z")
    for part, problem in shown["missing"].items():
        console.print(f"  {part}: {problem}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("process", "state"):
        table.add_column(name)
    for name in ("pid", "restarts"):
        table.add_column(name, justify="right")
    table.add_row("supervisor", "running", str(shown["pid"]), "0")
    for child in shown["children"]:
        table.add_row(child["name"], child["state"], str(child["pid"] or ""), str(child["restarts"]))
    for engine in shown["engines"]:
        name = f"engine {engine['spec']['base'][:8]}" + (
            f"+{engine['spec']['adapter'][:8]}" if engine["spec"]["adapter"] else ""
        )
        table.add_row(name, engine["state"], str(engine["pid"] or ""), str(engine["restarts"]))
    console.print(table)
