"""Guard meters: what guards found and what they cost, as totals."""

from __future__ import annotations

from mainspring.serving.guarding import Findings
from mainspring.serving.totals import Labels, Totals


def count_guard(totals: Totals, guard: str, findings: Findings, *, passed: bool = False) -> None:
    """Count one call under the guard `guard`; nothing without one.

    An attempt that another candidate has `passed` is no call, and what was found in it is found again; its time counts.
    """
    if not guard:
        return
    what = "guard_failed_attempts_total" if passed else "guard_calls_total"
    totals.count(what, (("guard", guard), ("action", findings.action)))
    for stage, meter in findings.meters.items():
        for detector, ns in meter.ns.items():
            totals.count("guard_seconds_total", _place(guard, stage, detector), ns / 1e9)
    for hit in () if passed else findings.hits:
        totals.count("guard_hits_total", _place(guard, str(hit["stage"]), str(hit["detector"])))


def _place(guard: str, stage: str, detector: str) -> Labels:
    return (("guard", guard), ("stage", stage), ("detector", detector))
