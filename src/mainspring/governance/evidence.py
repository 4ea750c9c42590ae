"""The check of the evidence: paired comparisons of the release's own experiments with those of its baselines.

The verdicts are those of the product's one statistical rule (`mainspring.stats.verdict`); the gate only counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring import stats
from mainspring.data import rows as row_store
from mainspring.data.leakage import leakage as find_leakage
from mainspring.evals import Experiment, Experiments
from mainspring.evals.models import SPEED, MetricComparison
from mainspring.evals.outside import OUTSIDE
from mainspring.governance.gate import Gate, check
from mainspring.governance.models import CheckResult
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid

_LOOKED_AT = 1000


@check("evidence")
def evidence(gate: Gate) -> CheckResult:
    """The release is better than the better baseline on a metric, and worse on none.

    Better also after Holm's correction for all that counts: of many metrics one looks better by chance. Worse without
    it, which errs on the side of stopping.
    """
    own, others = own_experiments(gate), baselines(gate)
    found = [one for mine in own for one in _against_best(gate, mine, [o for o in others if _comparable(mine, o)])]
    counted = [one for one in found if _counts(gate, one)]
    for one, adjusted in zip(counted, stats.holm([one["p_value"] for one in counted]), strict=True):
        one["p_adjusted"] = adjusted
    shown = [one for one in counted if one["p_adjusted"] <= 1 - one["level"]]
    better = sorted({one["metric"] for one in shown if one["verdict"] == "better"})
    worse = sorted({one["metric"] for one in counted if one["verdict"] == "worse"})
    missing = sorted(set(gate.policy.metrics) - {one["metric"] for one in counted})
    detail = {"comparisons": found, "better": better, "worse": worse, "missing": missing}
    passed, summary = False, ""
    if not own:
        summary = f"No experiment shows {gate.release.model} with the release's prompt.{_cut_off(gate)}"
    elif not found:
        summary = "No baseline was measured on the same rows in the same way."
    elif missing:
        summary = f"Not measured on both sides: {', '.join(missing)}."
    elif not counted:
        summary = "Only cost and speed were measured on both sides."
    elif worse:
        summary = f"Shown to be worse on {', '.join(worse)}."
    elif not better and gate.policy.evidence == "better":
        summary = f"Shown to be better on none of {len(counted)} comparisons."
    else:
        said = f"Shown to be better on {', '.join(better)}" if better else "Better on none"
        passed, summary = True, f"{said}, worse on none of {len(counted)} comparisons."
    return CheckResult(name="evidence", passed=passed, summary=summary, detail=detail)


@check("leakage")
def leakage(gate: Gate) -> CheckResult:
    """No row of the evidence was trained on, exactly or nearly."""
    train = [row for _, row in gate.training_rows]
    if not train:
        return CheckResult(name="leakage", passed=True, summary="The model was not tuned here: nothing can leak.")
    used = sorted({(one.dataset, one.split) for one in own_experiments(gate)})
    if not used:
        return CheckResult(name="leakage", passed=False, summary="There is no evidence whose rows could be looked at.")
    detail, bad = {}, []
    for ref, split in used:
        with gate.platform.read() as tx:
            content = versions.resolve(tx, ref, "dataset").content
        test = [row for row in row_store.read(gate.platform.files, content) if split in ("", row.split)]
        found = find_leakage(train, test, threshold=gate.policy.leakage)
        name = f"{ref} {split}".strip()
        detail[name] = found.model_dump(mode="json")
        if not found.clean:
            bad.append(f"{name}: {found.exact} exact, {found.near} near, {found.shared_groups} shared groups")
    summary = (
        f"Rows were trained on: {'; '.join(bad)}." if bad else f"None of {len(train)} training rows is in the evidence."
    )
    return CheckResult(name="leakage", passed=not bad, summary=summary, detail=detail)


def own_experiments(gate: Gate) -> list[Experiment]:
    """Return the experiments of the release: those named, or the newest of each kind that came to its end.

    Raises Invalid for one of another release, and for one that its budget stopped: its rows are not those chosen.
    """
    if gate.candidate:
        named = _named(gate, gate.candidate)
        strange = [one.id for one in named if not _is_own(gate, one)]
        if strange:
            raise Invalid(f"Not of this release's model and prompt: {', '.join(strange)}.", hint="Name its own.")
        return named
    return _newest([one for one in _recent(gate) if _is_own(gate, one)])


def baselines(gate: Gate) -> list[Experiment]:
    """Return what the release is compared with: the experiments named, or the newest of each other target.

    Raises Invalid for one that its budget stopped.
    """
    if gate.baseline:
        return _named(gate, gate.baseline)
    return _newest([one for one in _recent(gate) if not _is_own(gate, one)])


def _named(gate: Gate, names: Sequence[str]) -> list[Experiment]:
    """Return the experiments named. Raises NotFound, Invalid for one that was stopped or recorded from outside."""
    found = [Experiments(gate.platform).get(name) for name in names]
    strange = [one.name or one.id for one in found if _is_outside(one)]
    if strange:
        raise Invalid(
            f"Recorded from outside, where anybody can write scores, and so no evidence: {', '.join(strange)}.",
            hint="Run the experiment here instead.",
        )
    cut = [f"{one.name or one.id} ({one.stopped})" for one in found if one.stopped]
    if cut:
        raise Invalid(
            f"Stopped before every row was asked, and so no evidence: {', '.join(cut)}.",
            hint="Run it again with a budget that is enough; answers that were paid for can be reused.",
        )
    return found


def _cut_off(gate: Gate) -> str:
    """Say which experiments of the release were left out because they were stopped."""
    cut = [f"{one.name or one.id} ({one.stopped})" for one in _recent(gate) if one.stopped and _is_own(gate, one)]
    return f" Stopped, and so no evidence: {', '.join(cut[:3])}." if cut else ""


def _is_outside(one: Experiment) -> bool:
    return one.settings.get("source") == OUTSIDE


def _recent(gate: Gate) -> list[Experiment]:
    found = Experiments(gate.platform).list_(limit=_LOOKED_AT).items
    return [one for one in found if not _is_outside(one)]


def _newest(found: Sequence[Experiment]) -> list[Experiment]:
    """Keep the newest whole experiment of each target, prompt, dataset, split and kind; they come newest first."""
    kept: dict[tuple[str, str, str, str, bool], Experiment] = {}
    for one in found:
        if one.stopped:
            continue
        kept.setdefault((one.target, one.prompt, one.dataset, one.split, one.constrained), one)
    return list(kept.values())


def _is_own(gate: Gate, one: Experiment) -> bool:
    release = gate.release
    return one.target == release.ref or (one.target == release.model and one.prompt == release.prompt)


def _comparable(left: Experiment, right: Experiment) -> bool:
    return (left.dataset, left.split, left.constrained) == (right.dataset, right.split, right.constrained)


def _against_best(gate: Gate, own: Experiment, others: Sequence[Experiment]) -> list[dict[str, Any]]:
    """Return, for each metric, the comparison with the baseline that is best at it."""
    best: dict[str, tuple[MetricComparison, Experiment]] = {}
    for other in others:
        for one in Experiments(gate.platform).compare(other.id, own.id).metrics:
            held = best.get(one.metric)
            sign = 1 if one.higher_is_better else -1
            if held is None or sign * one.baseline > sign * held[0].baseline:
                best[one.metric] = (one, other)
    return [
        {
            **one.model_dump(mode="json"),
            "dataset": own.dataset,
            "split": own.split,
            "constrained": own.constrained,
            "candidate_experiment": own.id,
            "baseline_experiment": other.id,
            "baseline_target": other.target,
            "baseline_prompt": other.prompt,
        }
        for one, other in best.values()
    ]


def _counts(gate: Gate, one: dict[str, Any]) -> bool:
    if gate.policy.metrics:
        return one["metric"] in gate.policy.metrics
    return one["unit"] not in SPEED
