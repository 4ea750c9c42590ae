"""Lineage: one table of edges between runs and versions, and one of edges between rows and their sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from sqlalchemy import ColumnElement, insert, select

from mainspring.kernel.records import Record
from mainspring.kernel.tables import edges, row_edges
from mainspring.kernel.tx import Tx

T = TypeVar("T")

SourceKind = Literal["row", "trace", "feedback", "file"]
"""What a row came from: another row (`dataset/name@n#row`), a trace id, a score id, or `sha256#line` of a file."""


class RowSource(Record):
    """One source of a row of a dataset version."""

    dataset: str
    row_id: str
    source_kind: SourceKind
    source_id: str


class Edge(Record):
    """A run that read (`in`) or wrote (`out`) a version."""

    run_id: str
    direction: Literal["in", "out"]
    ref: str


def link(tx: Tx, run_id: str, *, inputs: Iterable[str] = (), outputs: Iterable[str] = ()) -> None:
    """Record what a run read and wrote, as exact references; recording it again changes nothing."""
    known = {(edge.direction, edge.ref) for edge in of_run(tx, run_id)}
    wanted = [("in", ref) for ref in inputs] + [("out", ref) for ref in outputs]
    for direction, ref in dict.fromkeys(wanted):
        if (direction, ref) not in known:
            row = {"id": tx.new_id(), "project": tx.project, "run_id": run_id, "direction": direction, "ref": ref}
            tx.execute(insert(edges).values(**row))


def of_run(tx: Tx, run_id: str) -> list[Edge]:
    """Return what a run read and wrote."""
    return _edges(tx, [edges.c.run_id == run_id])


def inputs_of(tx: Tx, ref: str) -> list[Edge]:
    """Return what the runs that wrote a version had read: its direct ancestors."""
    writers = [edge.run_id for edge in _edges(tx, [edges.c.ref == ref, edges.c.direction == "out"])]
    return _edges(tx, [edges.c.run_id.in_(writers), edges.c.direction == "in"]) if writers else []


def outputs_of(tx: Tx, ref: str) -> list[Edge]:
    """Return what the runs that read a version wrote: its direct descendants."""
    readers = [edge.run_id for edge in _edges(tx, [edges.c.ref == ref, edges.c.direction == "in"])]
    return _edges(tx, [edges.c.run_id.in_(readers), edges.c.direction == "out"]) if readers else []


def writers_of(tx: Tx, ref: str) -> list[str]:
    """Return the ids of the runs that wrote a version."""
    return [edge.run_id for edge in _edges(tx, [edges.c.ref == ref, edges.c.direction == "out"])]


def _edges(tx: Tx, conditions: list[ColumnElement[bool]]) -> list[Edge]:
    query = select(edges).where(edges.c.project == tx.project, *conditions).order_by(edges.c.id).limit(10_000)
    rows = tx.execute(query).mappings()
    return [Edge(run_id=row["run_id"], direction=row["direction"], ref=row["ref"]) for row in rows]


def link_rows(tx: Tx, dataset: str, sources: Iterable[tuple[str, SourceKind, str]]) -> int:
    """Record where rows of a dataset version came from, as (row id, source kind, source id); return how many.

    Recording a version's rows again replaces nothing: edges that exist are left as they are.
    """
    count = 0
    for chunk in _chunks(dict.fromkeys(sources), 500):
        known = {(s.row_id, s.source_kind, s.source_id) for s in row_sources(tx, dataset, [c[0] for c in chunk])}
        rows = [
            {"project": tx.project, "dataset": dataset, "row_id": row, "source_kind": kind, "source_id": source}
            for row, kind, source in chunk
            if (row, kind, source) not in known
        ]
        if rows:
            tx.execute(insert(row_edges), rows)
        count += len(chunk)
    return count


def row_sources(tx: Tx, dataset: str, row_ids: Sequence[str]) -> list[RowSource]:
    """Return the sources of some rows of a dataset version."""
    found: list[RowSource] = []
    for chunk in _chunks(row_ids, 500):
        mine = (row_edges.c.project == tx.project) & (row_edges.c.dataset == dataset)
        found += _sources(tx, mine & row_edges.c.row_id.in_(chunk))
    return found


def rows_from(tx: Tx, source_kind: SourceKind, source_id: str) -> list[RowSource]:
    """Return the rows, of any dataset version, that came from a source."""
    mine = (row_edges.c.project == tx.project) & (row_edges.c.source_kind == source_kind)
    return _sources(tx, mine & (row_edges.c.source_id == source_id))


def _sources(tx: Tx, condition: ColumnElement[bool]) -> list[RowSource]:
    rows = tx.execute(select(row_edges).where(condition).limit(100_000)).mappings()
    return [RowSource(**{name: row[name] for name in RowSource.model_fields}) for row in rows]


def _chunks(items: Iterable[T], size: int) -> Iterable[list[T]]:
    whole = list(items)
    return (whole[start : start + size] for start in range(0, len(whole), size))
