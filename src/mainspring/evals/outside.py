"""Outside: scores that were made elsewhere, such as in a test, kept and compared as the product's own."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.evals import scorers, store
from mainspring.evals.columns import column, figure
from mainspring.evals.models import Experiment, ExperimentRow, GivenRow
from mainspring.evals.scorers import Answer, scorer
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.tx import Tx

OUTSIDE = "outside"
"""What an experiment's settings say of its source where nothing of the product asked or scored: it is no evidence."""


@scorer("given", unit="score", margin=0.05, argument="required")
def given(answer: Answer, argument: str) -> float | None:
    """A score from outside under a name of one's own; higher is better."""
    return None


@scorer("penalty", unit="score", higher_is_better=False, margin=0.05, argument="required")
def penalty(answer: Answer, argument: str) -> float | None:
    """A score from outside under a name of one's own; lower is better."""
    return None


def record(tx: Tx, name: str, rows: Sequence[GivenRow], *, dataset: str, target: str, note: str) -> Experiment:
    """Store rows that were scored elsewhere as an experiment. Raises Invalid for a row that stands twice, NotFound."""
    if len({row.row for row in rows}) < len(rows):
        raise Invalid("A row stands twice.", hint="Give each row an id of its own.")
    pinned = versions.resolve(tx, dataset, "dataset").ref if dataset else ""
    kept = [
        ExperimentRow(
            row=row.row,
            group=row.group,
            messages=[{"role": "user", "content": row.question}] if row.question else [],
            reference=row.reference,
            answer=row.answer,
            error=row.error,
            trace_id=row.trace_id,
            scores={_metric(metric): value for metric, value in row.scores.items()},
        )
        for row in rows
    ]
    names = dict.fromkeys(metric for row in kept for metric in row.scores)
    if not names:
        raise Invalid("No row has a score.", hint='Give each row scores, such as {"helpful": 0.8}.')
    figures = [figure(metric, list(column(metric, kept).values())) for metric in map(scorers.metric, names)]
    experiment = Experiment(
        id=tx.new_id(),
        name=name,
        dataset=pinned,
        split="",
        target=target,
        prompt="",
        constrained=False,
        settings={"scorers": list(names), "source": OUTSIDE},
        rows=len(kept),
        errors=sum(bool(row.error) for row in kept),
        figures=figures,
        file=store.write_rows(tx.platform.files, kept),
        note=note,
        created_at=tx.now,
        created_by=tx.caller.member,
    )
    store.save(tx, experiment)
    return experiment


def own_metric(name: str) -> str:
    """Return the metric of a name of one's own; higher is better."""
    return f"given:{name}"


def _metric(name: str) -> str:
    """Return the metric of a name: a scorer's that means a mean over rows, else one of its own."""
    try:
        found = scorers.metric(name)
    except Invalid:
        return f"given:{name}"
    return name if found.scorer.corpus is None else f"given:{name}"
