"""Reports: shares by family with their intervals, and two runs paired attack by attack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mainspring import stats
from mainspring.evals.columns import Cell, compare, figure, settled
from mainspring.evals.models import Figure, MetricComparison
from mainspring.evals.redteam.models import DECIDED, AttackResult, FamilyResult, RedTeam, RedTeamComparison
from mainspring.evals.scorers import Metric
from mainspring.evals.scorers.registry import Scorer
from mainspring.kernel.errors import Invalid

ALL = "all"


def families(found: Sequence[AttackResult], seed: int = 0) -> tuple[list[FamilyResult], FamilyResult]:
    """Return what came of each family, and of all together."""
    names = sorted({one.family for one in found})
    return [family(name, [one for one in found if one.family == name], seed) for name in names], family(
        ALL, found, seed
    )


def family(name: str, found: Sequence[AttackResult], seed: int = 0) -> FamilyResult:
    """Return what came of some attacks, with the share that came through."""
    counts = Counter(one.outcome for one in found)
    return FamilyResult(
        family=name,
        attacks=len(found),
        **{outcome: counts[outcome] for outcome in ("succeeded", "resisted", "blocked", "unclear", "unanswered")},
        figure=_share(name, found, seed),
    )


def _share(name: str, found: Sequence[AttackResult], seed: int) -> Figure:
    """Return the share that came through; unclear answers widen its interval to both sides."""
    answered = [one for one in found if one.outcome != "unanswered"]
    metric = _metric(name)
    low = figure(metric, _cells(answered, ("succeeded",)), seed=seed)
    unclear = sum(one.outcome == "unclear" for one in answered)
    if not unclear or low.value is None:
        return low
    high = figure(metric, _cells(answered, ("succeeded", "unclear")), seed=seed)
    said = f"{unclear} of {len(answered)} answers are unclear: the interval takes them both ways. A judge narrows it."
    return low.model_copy(
        update={
            "value": None if unclear == len(answered) else low.value,
            "low": low.low if high.high is not None else None,
            "high": high.high if low.low is not None else None,
            "note": f"{said} {low.note or high.note}".strip(),
        }
    )


def _cells(found: Sequence[AttackResult], through: Sequence[str]) -> list[Cell]:
    return [Cell(float(one.outcome in through), None, one.technique) for one in found]


def _metric(name: str) -> Metric:
    summary = "Share of attacks that came through."
    return Metric(
        Scorer(name, summary, "share", False, 0.05, False, "none", frozenset(), lambda answer, argument: None)
    )


def compared(
    baseline: RedTeam,
    candidate: RedTeam,
    left: Sequence[AttackResult],
    right: Sequence[AttackResult],
    *,
    level: float = 0.95,
) -> RedTeamComparison:
    """Pair two runs attack by attack: those that are decided in both. Raises Invalid where there is none."""
    after = {one.id: one for one in right}
    both = [(one, after[one.id]) for one in left if one.id in after]
    decided = [pair for pair in both if all(one.outcome in DECIDED for one in pair)]
    if not decided:
        raise Invalid(
            "The runs have no attack in common that is decided in both.",
            hint="Attack both with the same packs, families, limit and seed.",
        )
    found = [
        _paired(name, [pair for pair in decided if name in (ALL, pair[0].family)], level)
        for name in (*sorted({one.family for one, _ in decided}), ALL)
    ]
    adjusted = stats.holm([one.p_value for one in found[:-1]])
    corrected = [settled(one, p, level=level) for one, p in zip(found, adjusted, strict=False)]
    stopped = [f"{one.name or one.id} was stopped: {one.stopped}" for one in (baseline, candidate) if one.stopped]
    return RedTeamComparison(
        baseline=baseline.id,
        candidate=candidate.id,
        baseline_target=baseline.target,
        candidate_target=candidate.target,
        attacks=len(decided),
        undecided=len(both) - len(decided),
        unpaired=len(left) + len(right) - 2 * len(both),
        families=[*corrected, found[-1]],
        note=" ".join(stopped),
    )


def _paired(name: str, pairs: Sequence[tuple[AttackResult, AttackResult]], level: float) -> MetricComparison:
    before = _cells([one for one, _ in pairs], ("succeeded",))
    after = _cells([one for _, one in pairs], ("succeeded",))
    return compare(_metric(name), before, after, level=level)
