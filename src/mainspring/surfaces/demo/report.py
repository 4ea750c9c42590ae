"""The report of a demonstration: what each stage found and how long it took, for people and as one JSON document."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from mainspring import __version__
from mainspring.evals.models import Figure

people = Console(stderr=True)


class Report:
    """Gathers figures while the loop goes round."""

    def __init__(self, home: Path) -> None:
        self.path = home / "demo-report.json"
        self.stages: list[dict[str, Any]] = []
        self.parts: dict[str, Any] = {"version": __version__, "machine": machine()}

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what is put into the dict that it gives are the stage's figures."""
        people.rule(f"[bold]{len(self.stages) + 1}. {title}", align="left")
        figures: dict[str, Any] = {}
        entry = {"name": name, "seconds": 0.0, "figures": figures}
        self.stages.append(entry)
        began = time.monotonic()
        try:
            yield figures
        finally:
            entry["seconds"] = seconds = round(time.monotonic() - began, 1)
        people.print(f"[dim]{seconds:.1f} s[/dim]\n")

    def document(self) -> dict[str, Any]:
        """Return the whole report."""
        return {**self.parts, "stages": self.stages}

    def write(self) -> None:
        """Write demo-report.json into the home folder, whole or not at all."""
        draft = self.path.with_suffix(".part")
        draft.write_text(json.dumps(self.document(), indent=2, ensure_ascii=False) + "\n")
        draft.replace(self.path)


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table for people; numbers stand on the right."""
    shown = Table(header_style="bold", box=None, pad_edge=False)
    for at, name in enumerate(columns):
        numeric = all(isinstance(row[at], int | float | None) or "±" in str(row[at]) for row in rows)
        shown.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(number(cell) for cell in row))
    people.print(f"[bold]{title}[/bold]")
    people.print(shown)


def number(value: Any) -> str:
    """Show a cell: floats with three figures after the point, thousands apart."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value).replace("[", r"\[")


def interval(figure: Figure) -> str:
    """Show a figure with its confidence interval."""
    if figure.value is None:
        return "–"
    digits = 3 if figure.unit in ("share", "score") and abs(figure.value) <= 1 else 1
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f}  [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def as_dict(figures: Sequence[Figure]) -> dict[str, Any]:
    """Return figures for the report, by metric."""
    kept = ("value", "low", "high", "n", "unit", "method")
    return {shown(figure.metric): {name: getattr(figure, name) for name in kept} for figure in figures}


def shown(metric: str) -> str:
    """Name a metric; perplexity is the trainer's, because the server tells no log-probabilities of a prompt."""
    return "perplexity (trainer's runtime)" if metric == "perplexity" else metric
