"""The checks of the gate that come with the product, but for the evidence."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mainspring.governance.gate import Gate, check
from mainspring.governance.graph import runs_of
from mainspring.governance.licences import accepted
from mainspring.governance.models import CheckResult
from mainspring.kernel.runs import get as get_run
from mainspring.registry.export import verify
from mainspring.safety import detectors
from mainspring.safety.models import Rule

OWN = "own traffic"
"""What stands for a licence where a row was collected from the project's own traces."""
_SHOWN = 20


@check("files")
def files(gate: Gate) -> CheckResult:
    """Every file of the model and of its bases is what was recorded."""
    found = [verify(gate.platform, model) for model in (gate.model, *gate.bases)]
    bad = [f"{one.ref} {file.path}: {file.reason}" for one in found for file in one.files if not file.ok]
    count = sum(len(one.files) for one in found)
    summary = f"{len(bad)} of {count} files differ." if bad else f"All {count} files have their recorded hashes."
    return CheckResult(name="files", passed=not bad, summary=summary, detail={"files": count, "bad": bad[:_SHOWN]})


@check("parity")
def parity(gate: Gate) -> CheckResult:
    """A tuned model answers on the server as it did in training, within the tolerance of its format."""
    if gate.model.format != "lora":
        return CheckResult(name="parity", passed=True, summary="The model was not tuned here: nothing to compare.")
    reports = _parity_reports(gate)
    if not reports:
        summary = "No parity check of trainer and server is recorded for the model."
        return CheckResult(name="parity", passed=False, summary=summary)
    bad = [str(report.get("format", "")) for report in reports if report.get("passed") is not True]
    worst = max((float(report.get("max_difference", 0.0)) for report in reports), default=0.0)
    said = f"largest difference of log-probabilities {worst:.3f} nats"
    summary = f"Trainer and server differ: {', '.join(bad)} ({said})." if bad else f"Trainer and server agree ({said})."
    return CheckResult(name="parity", passed=not bad, summary=summary, detail={"reports": reports})


def _parity_reports(gate: Gate) -> list[dict[str, Any]]:
    """Return the parity reports that the model carries, or else those of the run that wrote it."""
    found: Any = gate.model.metadata.get("parity")
    if not found:
        with gate.platform.read() as tx:
            results = [get_run(tx, facts.id).result for facts in runs_of(tx, [gate.model.ref])]
        found = next((result["parity"] for result in results if isinstance(result, dict) and result.get("parity")), [])
    found = [found] if isinstance(found, dict) else found
    return [report for report in found if isinstance(report, dict)]


@check("licence")
def licence(gate: Gate) -> CheckResult:
    """Model, bases and training data are under licences that are accepted."""
    held: dict[str, str] = {model.ref: model.license for model in (gate.model, *gate.bases)}
    rows: Counter[str] = Counter()
    for _, row in gate.training_rows:
        rows[str(row.meta.get("license") or (OWN if row.meta.get("trace_id") else ""))] += 1
    also = [*gate.policy.licenses, OWN]
    bad = [f"{ref}: {name or 'none given'}" for ref, name in held.items() if not accepted(name, also)]
    bad += [
        f"{count} training rows: {name or 'none given'}" for name, count in rows.items() if not accepted(name, also)
    ]
    summary = (
        f"Not accepted: {'; '.join(bad[:3])}{' …' if len(bad) > 3 else ''}."
        if bad
        else f"Accepted: {', '.join(sorted({*held.values(), *rows}))}."
    )
    detail = {"models": held, "rows": dict(rows.most_common(_SHOWN)), "bad": bad[:_SHOWN]}
    return CheckResult(name="licence", passed=not bad, summary=summary, detail=detail)


@check("pii")
def pii(gate: Gate) -> CheckResult:
    """The training rows hold no personal data and no secrets that the detectors know."""
    found: Counter[str] = Counter()
    bad: list[str] = []
    tools = [(detectors.get(name), Rule(detector=name)) for name in ("pii", "secrets")]
    for dataset, row in gate.training_rows:
        text = row.body()
        hits = [hit for tool, rule in tools for hit in tool.find(text, 0, rule) if hit.score >= rule.threshold]
        found.update({hit.kind for hit in hits})
        if hits:
            bad.append(f"{dataset}#{row.id}")
    passed = len(bad) <= gate.policy.pii_rows
    summary = f"{len(bad)} of {len(gate.training_rows)} training rows hold personal data or secrets."
    detail = {"rows": len(gate.training_rows), "hits": len(bad), "kinds": dict(found), "examples": bad[:_SHOWN]}
    return CheckResult(name="pii", passed=passed, summary=summary, detail=detail)
