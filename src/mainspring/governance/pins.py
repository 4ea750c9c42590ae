"""Pins: who judged evidence, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mainspring.evals import Experiment
from mainspring.evals.scorers import judges
from mainspring.governance.gate import Gate

_VERSIONED = ("judge", "code")
"""Scorers of one's own, of which a metric names the version: `judge:helpful@3`."""


def said(gate: Gate, judge: str) -> dict[str, str]:
    """Return the exact reference of a judge, `helpful@3`, and who judges for it. Raises NotFound."""
    with gate.platform.read() as tx:
        ref, held = judges.load(tx, judge)
    return {"judge": ref, "judge_model": held.model}


def objections(gate: Gate, names: Iterable[str]) -> list[str]:
    """Say of judges, `helpful@3` each, why what they said is no evidence here."""
    wanted = {_bare(one) for one in gate.policy.judges}
    found = []
    for name in sorted(set(names)):
        if wanted and name not in wanted:
            found.append(f"judge/{name} judged, and the policy names {', '.join(sorted(wanted))}")
        elif not wanted and said(gate, name)["judge_model"].startswith("deployment/"):
            found.append(f"nothing pins {said(gate, name)['judge_model']}, which answers for judge/{name}")
    return found


def otherwise(own: Experiment, others: Sequence[Experiment], compared: Iterable[str]) -> list[str]:
    """Name the scorers that judged an experiment in another version than every baseline that they judged."""
    held, found = set(compared), []
    for one in own.figures:
        kind, _, argument = one.metric.partition(":")
        if kind not in _VERSIONED or one.metric in held:
            continue
        before = f"{kind}:{argument.partition('@')[0]}@"
        theirs = sorted(
            {figure.metric for other in others for figure in other.figures if figure.metric.startswith(before)}
        )
        if theirs and one.metric not in theirs:
            found.append(f"{one.metric} judged it, and {', '.join(theirs)} the baseline")
    return found


def facts(gate: Gate, metric: str, own: Experiment, other: Experiment) -> dict[str, Any]:
    """Return what of two experiments must be known to make the comparison again."""
    kind, _, argument = metric.partition(":")
    seeds = {"candidate_seed": own.settings.get("seed"), "baseline_seed": other.settings.get("seed")}
    return seeds | (said(gate, argument) if kind == "judge" else {})


def signatures(own: Experiment, other: Experiment) -> list[str]:
    """Name the metrics that the two sides computed in different ways."""
    ends = "_signature"
    return [
        f"{name.removesuffix(ends)} was computed as {value} and as {other.settings[name]}"
        for name, value in own.settings.items()
        if name.endswith(ends) and other.settings.get(name, value) != value
    ]


def _bare(name: str) -> str:
    return name.removeprefix("judge/").removeprefix("judge:")
