"""The graph of lineage: walking the edges up to what something came from, and down to what it led to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import select

from mainspring.governance.models import Decision, Node, RunFacts
from mainspring.kernel import lineage
from mainspring.kernel.errors import NotFound
from mainspring.kernel.lineage import Edge, RowSource
from mainspring.kernel.runs import get as get_run
from mainspring.kernel.tx import Tx
from mainspring.registry import load_release
from mainspring.serving.tables import deployment_moves

MOST = 1000
"""Nodes that one walk returns at most."""


def upstream(tx: Tx, start: Iterable[str]) -> list[Node]:
    """Return the versions that some came from, nearest first."""
    return _walk(tx, start, lineage.inputs_of)


def downstream(tx: Tx, start: Iterable[str]) -> list[Node]:
    """Return the versions that some led to, nearest first, and the deployments that served a release of them."""
    roots = list(start)
    nodes = _walk(tx, roots, lineage.outputs_of)
    depths = dict.fromkeys(roots, 0) | {node.ref: node.depth for node in nodes}
    served = [deployed for ref in depths if ref.startswith("release/") for deployed in deployments_of(tx, ref)]
    seen: set[tuple[str, str]] = set()
    for ref, node in served:
        if (node.ref, node.note) not in seen:
            seen.add((node.ref, node.note))
            nodes.append(node.model_copy(update={"depth": depths[ref] + 1}))
    return nodes[:MOST]


def _walk(tx: Tx, start: Iterable[str], step: Callable[[Tx, str], list[Edge]]) -> list[Node]:
    layer, found, depth = list(dict.fromkeys(start)), list[Node](), 0
    seen = set(layer)
    while layer and len(found) < MOST:
        depth += 1
        following: list[str] = []
        for edge in (edge for ref in layer for edge in step(tx, ref)):
            if edge.ref not in seen:
                seen.add(edge.ref)
                following.append(edge.ref)
                found.append(Node(ref=edge.ref, kind=edge.ref.partition("/")[0], depth=depth, run=edge.run_id))
        layer = following
    return found[:MOST]


def deployments_of(tx: Tx, release: str) -> list[tuple[str, Node]]:
    """Return the deployments that serve or have served a release, each once, with what it was there last."""
    m = deployment_moves.c
    mine = (m.project == tx.project) & ((m.baseline == release) | (m.canary == release))
    found: dict[str, Node] = {}
    for row in tx.execute(select(deployment_moves).where(mine).order_by(m.id).limit(10_000)).mappings():
        part = "baseline" if row["baseline"] == release else "canary"
        ref = f"deployment/{row['name']}"
        found[f"{row['environment']}/{row['name']}"] = Node(
            ref=ref, kind="deployment", depth=0, run="", note=f"{row['environment']}, {part}"
        )
    return [(release, node) for node in found.values()]


def made_from_trace(tx: Tx, trace_id: str, score_ids: Iterable[str]) -> list[str]:
    """Return the dataset versions with a row that came from a trace or its feedback, through other rows too."""
    waiting = lineage.rows_from(tx, "trace", trace_id)
    for score_id in score_ids:
        waiting += lineage.rows_from(tx, "feedback", score_id)
    datasets: dict[str, None] = {}
    seen: set[tuple[str, str]] = set()
    while waiting and len(seen) < 10_000:
        row = waiting.pop()
        # A model has row edges too, to the rows that it learned; it is reached through its run.
        if row.dataset.startswith("dataset/") and (row.dataset, row.row_id) not in seen:
            seen.add((row.dataset, row.row_id))
            datasets[row.dataset] = None
            waiting += lineage.rows_from(tx, "row", f"{row.dataset}#{row.row_id}")
    return list(datasets)


def learned(tx: Tx, models: Iterable[str], dataset: str, row_ids: list[str]) -> set[str]:
    """Return which rows of a dataset version some models learned; empty where that was not recorded."""
    found = [source for model in models for source in lineage.row_sources(tx, model, row_ids)]
    return {source.row_id for source in found if source.source_id == f"{dataset}#{source.row_id}"}


def sources(tx: Tx, dataset: str, row_id: str) -> list[RowSource]:
    """Return what a row came from, step by step, back to files, traces and feedback."""
    found: list[RowSource] = []
    waiting, seen = [(dataset, row_id)], {(dataset, row_id)}
    while waiting and len(found) < MOST:
        for source in lineage.row_sources(tx, waiting[0][0], [waiting[0][1]]):
            found.append(source)
            above, _, row = source.source_id.rpartition("#")
            if source.source_kind == "row" and (above, row) not in seen:
                seen.add((above, row))
                waiting.append((above, row))
        waiting = waiting[1:]
    return found


def runs_of(tx: Tx, refs: Iterable[str]) -> list[RunFacts]:
    """Return the runs that wrote some versions, each with those that it wrote; oldest first."""
    wrote: dict[str, list[str]] = {}
    for ref in dict.fromkeys(refs):
        for run_id in lineage.writers_of(tx, ref):
            wrote.setdefault(run_id, []).append(ref)
    found = []
    for run_id, outputs in sorted(wrote.items()):
        try:
            run = get_run(tx, run_id)
        except NotFound:
            continue  # An edge that no run drew: an import, or a release that was pinned.
        facts = {name: getattr(run, name) for name in ("id", "kind", "state", "created_by", "created_at")}
        found.append(RunFacts(**facts, outputs=outputs))
    return found


def decisions_of(tx: Tx, refs: Iterable[str]) -> list[Decision]:
    """Return what was decided about the releases among some references, oldest first."""
    found = [
        Decision(release=ref, kind=event.kind, member=event.member, at=event.at, note=event.note)
        for ref in dict.fromkeys(refs)
        if ref.startswith("release/")
        for event in load_release(tx, ref).events
        if event.kind in ("approved", "rejected", "withdrawn")
    ]
    return sorted(found, key=lambda decision: decision.at)
