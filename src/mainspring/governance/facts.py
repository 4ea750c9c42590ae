"""The facts of a release that its card and its bill of materials tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mainspring.governance.graph import decisions_of, runs_of
from mainspring.governance.models import Decision, RunFacts
from mainspring.governance.tracing import training_data
from mainspring.kernel import versions
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.registry import ModelVersion, Release, ancestors
from mainspring.registry import load as load_model


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """Everything about a release in one place."""

    release: Release
    model: ModelVersion
    bases: list[ModelVersion]
    datasets: list[Version]
    prompt: Version | None
    guard: Version | None
    runs: list[RunFacts]
    decisions: list[Decision]
    report: dict[str, Any]
    """The gate's last report; empty where it was never checked."""

    def check(self, name: str) -> dict[str, Any]:
        """Return what a check of the gate found; empty where it did not run."""
        found = [one for one in self.report.get("checks", []) if one.get("name") == name]
        return dict(found[0]) if found else {}

    @property
    def comparisons(self) -> list[dict[str, Any]]:
        """The comparisons that the evidence consists of."""
        return list(self.check("evidence").get("detail", {}).get("comparisons", []))


def gather(tx: Tx, release: Release) -> ReleaseFacts:
    """Read the facts of a release."""
    model = load_model(tx, release.model)
    reports = [event.detail for event in release.events if event.kind == "checked"]
    return ReleaseFacts(
        release=release,
        model=model,
        bases=ancestors(tx, model),
        datasets=[versions.resolve(tx, ref) for ref in training_data(tx, release.model)],
        prompt=versions.resolve(tx, release.prompt) if release.prompt else None,
        guard=versions.resolve(tx, release.guard) if release.guard else None,
        runs=runs_of(tx, [release.model]),
        decisions=decisions_of(tx, [release.ref]),
        report=reports[-1] if reports else {},
    )
