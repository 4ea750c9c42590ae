"""What commands print: a table for people, or one JSON document; a progress bar for a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer
from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mainspring.kernel.records import Page
from mainspring.kernel.runs import Run
from mainspring.surfaces.client import Client

people = Console(stderr=True)
WIDE, _SHORT = 60, 28
_LEAST = 24
"""Characters below which a column of a list is left out rather than cut."""
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_COMPARED = ("metric", "baseline", "candidate", "difference", "low", "high", "p_adjusted", "verdict", "needed")
_ATTACKED = ("family", "attacks", "succeeded", "resisted", "blocked", "unclear", "unanswered", "value", "low", "high")
_FIRST = ("id", "ref", "name")
"""What a record is asked for by: the first of these stands first."""
_LOADED = (
    "load",
    "requests",
    "answered",
    "requests_per_second",
    "tokens_per_second",
    "ttft_p50",
    "ttft_p95",
    "e2e_p50",
    "e2e_p95",
    "met",
    "goodput",
)
_WHOLES = (("in all", "total"), ("before", "before"))
_NESTED: dict[str, tuple[tuple[str, ...], ...]] = {
    "figures": (("metric", "value", "low", "high", "n", "unit", "method", "note"),),
    "metrics": (_COMPARED,),
    "families": (_ATTACKED, _COMPARED),
    "levels": (_LOADED,),
    "differences": (("load", "time", "quantile", "baseline", "candidate", "ratio", "low", "high", "verdict"),),
    "steps": (("rank", "candidate", "model", "state", "running", "why"),),
    "hits": (("detector", "kind", "start", "end", "score"),),
    "timings": (("detector", "ms"),),
    "findings": (("kind", "met", "summary"),),
    "features": (("feature", "drifted", "reference", "now", "effect", "min_effect", "adjusted", "n", "n_reference"),),
    "topics": (("moved", "reference", "now", "adjusted", "words"),),
    "events": (("at", "kind", "state", "member", "note"),),
    "spans": (("name", "kind", "duration_ms", "status", "model", "input_tokens", "output_tokens", "cost", "span_id"),),
    "bins": (("start", "traces", "errors"),),
    "looks": (("at", "state", "value", "n", "summary"), ("at", "units", "difference", "low", "high")),
    "results": (("threshold", "hits", "wrong", "wrong_low", "wrong_high"),),
    "upstream": (("ref", "kind", "depth", "run"),),
    "downstream": (("ref", "kind", "depth", "run"),),
}
"""By field, what a person is shown of a list of records, as a table below the other fields; `--json` has the rest."""


def show(result: Any, *, as_json: bool, empty: str = "Nothing here yet") -> None:
    """Print a result on stdout; what comes as a stream a line of JSON each, whether or not it is asked for.

    `empty` is what is said of a list that is empty.
    """
    if isinstance(result, Iterator):
        for item in result:
            typer.echo(item.model_dump_json())
        return
    if as_json:
        document = TypeAdapter(Any).dump_python(result, mode="json")
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    if isinstance(result, Page):
        _rows([item.model_dump() if isinstance(item, BaseModel) else item for item in result.items], empty)
        if result.next_cursor:
            people.print(f"[dim]More: --cursor {result.next_cursor}[/dim]", soft_wrap=True)
    elif isinstance(result, list):
        _rows([item.model_dump() if isinstance(item, BaseModel) else item for item in result], empty)
    elif isinstance(result, BaseModel):
        _fields(result.model_dump())
    elif isinstance(result, dict):
        _fields(result)
    elif result is not None:
        typer.echo(str(result))


def _rows(items: list[Any], empty: str) -> None:
    if not items:
        people.print(f"[dim]{empty}.[/dim]", soft_wrap=True)
        return
    if not all(isinstance(item, dict) for item in items):
        for item in items:
            typer.echo(_cell(item))
        return
    _print(_ordered(items[0]), items)


def _ordered(record: dict[str, Any]) -> list[str]:
    """Return the fields of a record, what it is asked for by first."""
    names = list(record)
    if not names or names[0].endswith("_id"):
        return names
    # A price has no name but its model's; what begins with a number begins with what it has in common with others.
    wanted = (*_FIRST, "model") if isinstance(record[names[0]], int | float) else _FIRST
    first = next((name for name in wanted if name in names), names[0])
    return [first, *(name for name in names if name != first)]


def _print(columns: Sequence[str], items: list[dict[str, Any]]) -> None:
    """Print records as a table, without the columns that are empty in all of them."""
    columns = [name for name in columns if any(item.get(name) not in _EMPTY for item in items)]
    cells = {name: [_cell(item.get(name)) for item in items] for name in columns}
    widths = {name: max(len(name), *map(len, cells[name])) for name in columns}
    console = _console(least=sum(widths.values()) + 2 * len(columns))
    fitting = _fitting(widths, console.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in fitting:
        number = all(isinstance(item.get(name), int | float | None) for item in items)
        # The first is what a record is asked for by: it is never cut.
        least = widths[name] if name == columns[0] else min(widths[name], _LEAST)
        table.add_column(
            name, justify="right" if number else "left", no_wrap=True, overflow="ellipsis", min_width=least
        )
    for row in zip(*(cells[name] for name in fitting), strict=True):
        table.add_row(*row)
    console.print(table)
    if left := len(columns) - len(fitting):
        people.print(f"[dim]{left} more {'column' if left == 1 else 'columns'}: --json has all.[/dim]")


def _fitting(widths: dict[str, int], room: int) -> list[str]:
    """Return the columns, from the left, that have room beside each other where long ones are cut."""
    fitting: list[str] = []
    for name, width in widths.items():
        room -= width if not fitting else min(width, _LEAST) + 2
        if fitting and room < 0:
            break
        fitting.append(name)
    return fitting


def _over_time(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return figures over time as records with a field for each group: all the time, that before, then each point."""
    named = {"others" if one["group"] is None else one["group"] or "all": one for one in item["series"]}
    whole = [{"time": told} | {name: one.get(part) for name, one in named.items()} for told, part in _WHOLES]
    points = [
        {"time": at} | {name: one["values"][index] for name, one in named.items()}
        for index, at in enumerate(item["times"])
    ]
    return [row for row in [*whole, *points] if any(row[name] for name in named)]


def _fields(item: dict[str, Any]) -> None:
    if {"times", "series"} <= set(item):
        _fields({name: value for name, value in item.items() if name not in ("times", "series")})
        _console().print()
        _rows(_over_time(item), "There are none")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    nested = {name: value for name, value in item.items() if _columns(name, value)}
    diff = item["lines"] if {"left", "right", "lines", "parts"} <= set(item) else []
    for name in _ordered(item):
        value = item[name]
        told = _told(value)
        if told not in _EMPTY and name not in nested and not (diff and name in ("lines", "parts")):
            table.add_row(name, _cell(told, wide=2000))
    _console().print(table)
    for line in diff:
        typer.echo(line)
    for name, value in nested.items():
        _console().print()
        _print(_columns(name, value), [_flat(one) for one in value])
    if nested:
        people.print("[dim]--json has the rest.[/dim]")


def _told(value: Any) -> Any:
    """Return a value without what is not set in it."""
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items() if one not in _EMPTY}
    return [_told(one) for one in value] if isinstance(value, list) else value


def _columns(name: str, value: Any) -> tuple[str, ...]:
    """Return what a person is shown of the records that a field holds; nothing where it holds other things."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for columns in _NESTED.get(name, ()):
            # Of what has no interval the figure comes without one.
            if all(set(columns) - {"low", "high"} <= set(_flat(one)) for one in value):
                return columns
    return ()


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the fields of its figure, and the quantiles of its times, beside its own."""
    figure = record.get("figure")
    if isinstance(figure, dict):
        return {**figure, **record}
    if isinstance(wrong := record.get("wrong"), dict):
        hits = (record.get("hits") or {}).get("share")
        return record | {
            "hits": hits,
            "wrong": wrong.get("share"),
            "wrong_low": wrong["low"],
            "wrong_high": wrong["high"],
        }
    if "arrivals" not in record:
        return record
    spreads = {name: record.get(name) or {} for name in ("ttft", "itl", "e2e")}
    return record | {
        f"{name}_{at}": (spread.get(at) or {}).get("value") for name, spread in spreads.items() for at in ("p50", "p95")
    }


def _cell(value: Any, wide: int = WIDE) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, float):
        return f"{value:.4g}"
    said = value if isinstance(value, str) else _said(value) if wide == WIDE else ""
    text = said or json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return (text if len(text) <= wide else text[: wide - 1] + "…").replace("[", r"\[")


def _said(value: Any) -> str:
    """Return what the last of some messages says, or what each of some answers does; empty for anything else."""
    parts = value if isinstance(value, list) and value and all(isinstance(one, dict) for one in value) else []
    if parts and all({"role", "content"} <= set(one) for one in parts):
        return str(parts[-1]["content"])
    if parts and all({"load", "arrivals"} <= set(one) for one in parts):
        return ", ".join(f"{one['load']:g}" for one in parts)
    if parts and all({"answer", "experiment"} <= set(one) for one in parts):
        return " | ".join(str(one["answer"] or one.get("error"))[:_SHORT] for one in parts)
    return ""


def _console(least: int = 200) -> Console:
    """Return the console; what is read by a program is as wide as it has to be, so that a record is a line."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, least), highlight=False)


def follow(client: Client, run: Run) -> Run:
    """Wait for a run, with a progress bar where stderr is a terminal, and return it finished. Raises its error."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task(run.kind, total=None)

        def update(current: Run) -> None:
            state = current.progress
            metrics = "  ".join(f"{name} {value:.4g}" for name, value in state.metrics.items())
            text = f"{run.kind}  {state.message}  [dim]{metrics}[/dim]"
            bar.update(task, description=text, completed=state.done, total=state.total or None)

        return client.wait(run, update)


@contextmanager
def telling(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function `(what, done, total)` that moves a progress bar, where stderr is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{title}  {what}", completed=done, total=total or None)

        yield tell
