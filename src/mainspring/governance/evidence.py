"""The check of the evidence: paired comparisons of the release's own experiments with those of its baselines.

The verdicts are those of the product's one statistical rule (`mainspring.stats.verdict`); the gate only counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mainspring import stats
from mainspring.data import rows as row_store
from mainspring.data.leakage import leakage as find_leakage
from mainspring.evals import Experiment, Experiments
from mainspring.evals.columns import not_worse, settled
from mainspring.evals.models import SPEED, MetricComparison
from mainspring.evals.outside import OUTSIDE
from mainspring.governance import pins
from mainspring.governance.gate import Gate, check
from mainspring.governance.models import CheckResult
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid

_LOOKED_AT = 1000


@check("evidence")
def evidence(gate: Gate) -> CheckResult:
    """The release is better than the better baseline on a metric and worse on none, or as good, as the policy asks.

    Verdicts are those after Holm's correction for all that counts. An interval that lies on the worse side stops the
    release without it, which errs on the side of stopping; the summary then says so.
    """
    own, others = own_experiments(gate), baselines(gate)
    skipped: list[str] = []
    found = [
        one for mine in own for one in _against_best(gate, mine, [o for o in others if _comparable(mine, o)], skipped)
    ]
    counted = _judged(gate, [one for one in found if _counts(gate, one)])
    missing = sorted(set(gate.policy.metrics) - {one["metric"] for one in counted})
    refused = _refused(gate, own, others, found, counted)
    detail = {
        "comparisons": [one for one in found if not _counts(gate, one)] + counted,
        "better": _metrics(one for one in counted if one["verdict"] == "better"),
        "worse": _metrics(one for one in counted if one["verdict"] == "worse"),
        "looks_worse": _metrics(one for one in counted if one["verdict"] != "worse" and _on_worse_side(one)),
        "open": _metrics(one for one in counted if not one["not_worse"]),
        "missing": missing,
        "not_compared": skipped,
        "refused": refused,
    }
    if not own:
        passed, summary = False, f"No experiment shows {gate.release.model} with the release's prompt.{_cut_off(gate)}"
    elif refused:
        passed, summary = False, f"Refused, since another judge makes other evidence: {'; '.join(refused[:3])}."
    elif not found:
        passed, summary = False, _nothing_compared(skipped)
    elif missing:
        passed, summary = False, f"Not measured on both sides: {', '.join(missing)}."
    elif not counted:
        passed, summary = False, "Only cost and speed were measured on both sides."
    else:
        passed, summary = _decided(gate, counted, detail)
        summary += f" Not compared: {'; '.join(skipped[:3])}." if skipped else ""
    return CheckResult(name="evidence", passed=passed, summary=summary, detail=detail)


def _refused(
    gate: Gate,
    own: Sequence[Experiment],
    others: Sequence[Experiment],
    found: Sequence[dict[str, Any]],
    counted: Sequence[dict[str, Any]],
) -> list[str]:
    """Say what of the evidence was judged by another than the baseline's judge, or the policy's, or by one unpinned."""
    judges = [one["metric"].partition(":")[2] for one in counted if one["metric"].startswith("judge:")]
    refused = pins.objections(gate, judges)
    for mine in own:
        compared = [one["metric"] for one in found if one["candidate_experiment"] == mine.id]
        theirs = [other for other in others if _comparable(mine, other)]
        odd = pins.otherwise(mine, theirs, compared)
        wanted = {name.partition("@")[0] for name in gate.policy.metrics}
        refused += [said for said in odd if not wanted or said.partition("@")[0] in wanted]
    return list(dict.fromkeys(refused))


def _judged(gate: Gate, counted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Correct for all that counts, and say of each whether it is shown not to be worse by the policy's margin."""
    adjusted = stats.holm([one["p_value"] for one in counted])
    judged = []
    for one, p_adjusted in zip(counted, adjusted, strict=True):
        margin = gate.policy.margins.get(one["metric"], one["margin"])
        record = MetricComparison.model_validate({name: one[name] for name in MetricComparison.model_fields})
        again = settled(record.model_copy(update={"margin": margin}), p_adjusted, level=record.level)
        judged.append({**one, **again.model_dump(mode="json"), "not_worse": not_worse(again)})
    return judged


def _decided(gate: Gate, counted: Sequence[dict[str, Any]], detail: dict[str, Any]) -> tuple[bool, str]:
    """Say whether comparisons are what the policy asks for, and why."""
    many, asked = f"{len(counted)} comparisons", gate.policy.evidence
    if detail["worse"]:
        return False, f"Shown to be worse on {', '.join(detail['worse'])}."
    if detail["looks_worse"]:
        names = ", ".join(detail["looks_worse"])
        said = f"the interval says so, though not after correction for {many}"
        return False, f"Looks worse on {names}: {said}. Ask more rows."
    if asked == "better" and not detail["better"]:
        return False, f"Shown to be better on none of {many}."
    if asked == "not worse" and detail["open"]:
        few = [_open_in_words(one) for one in counted if not one["not_worse"]]
        more = f", and {len(few) - 3} more" if len(few) > 3 else ""
        return False, f"Not shown to be no worse: {'; '.join(few[:3])}{more}."
    said = f"Shown to be better on {', '.join(detail['better'])}" if detail["better"] else "Better on none"
    if asked == "not worse":
        return True, f"{said}; shown on all of {many} to be no worse by the margin that matters."
    if asked == "not shown worse" and detail["open"]:
        unshown = f"that it is no worse is not shown either, on {', '.join(detail['open'])}"
        return True, f"{said}, shown to be worse on none of {many}; {unshown}, and the policy does not ask it."
    return True, f"{said}, worse on none of {many}."


def _open_in_words(one: dict[str, Any]) -> str:
    """Say how far from shown it is that a metric is no worse."""
    if one["low"] is None or one["high"] is None:
        return f"{one['metric']} ({one['n']} rows are too few for an interval)"
    if one["margin"] <= 0:
        return f"{one['metric']} (no margin: say one in the policy's margins)"
    worst = -one["low"] if one["higher_is_better"] else one["high"]
    return f"{one['metric']} (may be worse by {worst:.3g}, margin {one['margin']:.3g}, {one['n']} rows)"


def _nothing_compared(skipped: Sequence[str]) -> str:
    if not skipped:
        return "No baseline was measured on the same rows in the same way."
    return f"Nothing could be compared: {'; '.join(skipped[:3])}. Ask both over the same split, limit and seed."


def _on_worse_side(one: dict[str, Any]) -> bool:
    if one["low"] is None or one["high"] is None:
        return False
    return bool(one["high"] < 0 if one["higher_is_better"] else one["low"] > 0)


def _metrics(found: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({one["metric"] for one in found})


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


def _against_best(
    gate: Gate, own: Experiment, others: Sequence[Experiment], skipped: list[str]
) -> list[dict[str, Any]]:
    """Return, for each metric, the comparison with the baseline that is best at it; add to `skipped` what has none."""
    best: dict[str, tuple[MetricComparison, Experiment]] = {}
    for other in others:
        if odd := _asked_otherwise(gate, own, other):
            skipped.append(f"{_called(own)} with {_called(other)}: {odd}")
            continue
        try:
            compared = Experiments(gate.platform).compare(other.id, own.id).metrics
        except Invalid as error:
            skipped.append(f"{_called(own)} with {_called(other)}: {error.message.rstrip('.')}")
            continue
        for one in compared:
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
            **pins.facts(gate, one.metric, own, other),
        }
        for one, other in best.values()
    ]


def _asked_otherwise(gate: Gate, own: Experiment, other: Experiment) -> str:
    """Say why two experiments are not to be compared; empty where they are."""
    wanted = gate.policy.seed
    for one in (own, other):
        if wanted is not None and one.settings.get("seed") != wanted:
            return f"asked with the seed {one.settings.get('seed')}, and the policy asks for {wanted}"
    return "; ".join(pins.signatures(own, other))


def _called(one: Experiment) -> str:
    return f"{one.name} ({one.id})" if one.name else f"{one.id} of {one.target}"


def _counts(gate: Gate, one: dict[str, Any]) -> bool:
    if gate.policy.metrics:
        return one["metric"] in gate.policy.metrics
    return one["unit"] not in SPEED
