"""Boards that come with the product."""

from __future__ import annotations

from typing import Any

from mainspring.monitoring.boards.models import Board, Panel


def _board(name: str, title: str, *panels: dict[str, Any]) -> Board:
    made = [Panel(**panel) for panel in panels]
    return Board(name=name, title=title, panels=made, built_in=True, changed_at=None, changed_by="")


BOARDS = {
    board.name: board
    for board in (
        _board(
            "overview",
            "Overview",
            {"measure": "requests", "chart": "number"},
            {"measure": "error_rate", "chart": "number"},
            {"measure": "latency_p95", "chart": "number"},
            {"measure": "cost", "chart": "number"},
            {"measure": "requests", "by": "model", "chart": "bars"},
            {"measure": "error_rate", "by": "deployment"},
            {"measure": "latency_p95", "by": "deployment"},
            {"measure": "ttft_p95", "by": "deployment"},
            {"measure": "tokens", "by": "model", "chart": "bars"},
            {"measure": "cost", "by": "model", "chart": "bars"},
            {"measure": "guard_rate", "by": "deployment"},
            {"measure": "cache_rate", "by": "deployment"},
        ),
        _board(
            "releases",
            "Releases and prompts",
            {"measure": "requests", "by": "release", "chart": "bars"},
            {"measure": "error_rate", "by": "release"},
            {"measure": "latency_p95", "by": "release"},
            {"measure": "cost", "by": "release", "chart": "table"},
            {"measure": "requests", "by": "prompt", "chart": "bars"},
            {"measure": "output_tokens", "by": "prompt", "chart": "table"},
        ),
        _board(
            "users",
            "Users",
            {"measure": "requests", "by": "user", "chart": "table"},
            {"measure": "cost", "by": "user", "chart": "table"},
            {"measure": "error_rate", "by": "user", "chart": "table"},
            {"measure": "guard_blocked", "by": "user", "chart": "table"},
        ),
    )
}
