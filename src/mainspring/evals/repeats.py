"""Repeats: several answers to one row are pooled, and stay together where intervals are made."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.evals.models import ExperimentRow


def as_units(rows: Sequence[ExperimentRow]) -> list[ExperimentRow]:
    """Return the rows with an id for each answer, and with the row as the group of its answers.

    Answers to one row are alike, so that they count as one draw of it (Miller 2024, section 2.2); a row that has a
    group keeps that. Without repeats the rows come back as they are.
    """
    if not any(row.repeat for row in rows):
        return list(rows)
    return [
        row.model_copy(update={"row": f"{row.row}~{row.repeat}" if row.repeat else row.row, "group": _group(row)})
        for row in rows
    ]


def _group(row: ExperimentRow) -> str:
    return row.group or f"row {row.row}"
