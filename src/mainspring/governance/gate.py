"""The gate: checks registered by name, run over a release, and their report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from mainspring.data import rows as row_store
from mainspring.data.models import Row
from mainspring.governance.models import CheckResult, GatePolicy, GateReport
from mainspring.kernel import lineage, versions
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.kernel.versions import Version
from mainspring.registry import ModelVersion, Release, ancestors
from mainspring.registry import load as load_model

Check = Callable[["Gate"], CheckResult]
_checks: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register a check of the gate. A check that raises has failed."""

    def register(function: Check) -> Check:
        _checks[name] = function
        return function

    return register


def names() -> list[str]:
    """Return the names of the checks, in the order in which they run."""
    return list(_checks)


class Gate:
    """What the checks are given: a release and everything that it was made from, read when it is asked for."""

    def __init__(
        self,
        platform: Platform,
        release: Release,
        policy: GatePolicy,
        candidate: Sequence[str],
        baseline: Sequence[str],
    ) -> None:
        self.platform = platform
        self.release = release
        self.policy = policy
        self.candidate = list(candidate)
        self.baseline = list(baseline)

    @cached_property
    def model(self) -> ModelVersion:
        """The release's model."""
        with self.platform.read() as tx:
            return load_model(tx, self.release.model)

    @cached_property
    def bases(self) -> list[ModelVersion]:
        """The models that it was made from, nearest first."""
        with self.platform.read() as tx:
            return ancestors(tx, self.model)

    @cached_property
    def trained_on(self) -> list[Version]:
        """The dataset versions that the model, or one of its bases, was tuned on."""
        with self.platform.read() as tx:
            refs = [edge.ref for made in (self.model, *self.bases) for edge in lineage.inputs_of(tx, made.ref)]
            return [versions.resolve(tx, ref) for ref in dict.fromkeys(refs) if ref.startswith("dataset/")]

    @cached_property
    def training_rows(self) -> list[tuple[str, Row]]:
        """The rows that the model learned from, each with its dataset version: split train, or without a split."""
        return [
            (dataset.ref, row)
            for dataset in self.trained_on
            for row in row_store.read(self.platform.files, dataset.content)
            if row.split in ("train", "")
        ]

    def report(self) -> GateReport:
        """Run every check."""
        results = [self._run(name, function) for name, function in _checks.items()]
        return GateReport(
            release=self.release.ref,
            passed=all(result.passed for result in results),
            checks=results,
            policy=self.policy,
            candidate=self.candidate,
            baseline=self.baseline,
        )

    def _run(self, name: str, function: Check) -> CheckResult:
        try:
            return function(self)
        except MainspringError as error:
            summary = f"It could not be checked: {error.message}"
            return CheckResult(name=name, passed=False, summary=summary, detail={"error": error.code})
