"""Guard policies as versions: `guard/name@number`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.safety import detectors, guards
from mainspring.safety.calibration import calibrate
from mainspring.safety.models import (
    DetectorInfo,
    Example,
    GuardOutcome,
    GuardVersion,
    Policy,
    Rule,
    RuleCalibration,
    Source,
    Stage,
)

_MESSAGE = str(Policy.model_fields["message"].default)


class Guards(Service):
    """Guard policies, and trying them on a text."""

    noun = "guard"

    @operation("POST /guards/{name}/versions", permission="guard.write", status=201)
    def create(
        self,
        name: Name,
        rules: list[Rule],
        *,
        message: str = _MESSAGE,
        timeout_ms: Annotated[int, Field(ge=0, le=60_000)] = 0,
        note: Text = "",
    ) -> GuardVersion:
        """Store a guard policy; identical content returns the version that exists.

        A rule that takes longer than `timeout_ms` over one text blocks; 0 for five seconds.
        """
        policy = Policy(rules=rules, message=message, timeout_ms=timeout_ms)
        guards.check(policy)
        with self.begin() as tx:
            return _shown(versions.commit(tx, "guard", name, policy.model_dump(), note=note))

    @operation("GET /detectors", permission="guard.read")
    def detectors(self) -> list[DetectorInfo]:
        """List the detectors that a rule may name."""
        return [DetectorInfo(name=name, summary=detectors.get(name).summary) for name in detectors.names()]

    @operation("GET /guards", permission="guard.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[GuardVersion]:
        """List guard policies, each with its latest version."""
        with self.read() as tx:
            found, following = versions.names(tx, "guard", limit, cursor)
        return Page(items=[_shown(version) for version in found], next_cursor=following)

    @operation("GET /guards/{name}", permission="guard.read", mcp=True)
    def get(self, name: Name, *, selector: str = "") -> GuardVersion:
        """Show a guard policy: the latest version, or the one that the selector names."""
        with self.read() as tx:
            return _shown(versions.resolve(tx, f"guard/{name}@{selector}" if selector else f"guard/{name}"))

    @operation("GET /guards/{name}/versions", permission="guard.read")
    def versions(self, name: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[GuardVersion]:
        """List the versions of a guard policy, newest first."""
        with self.read() as tx:
            found, following = versions.list_(tx, "guard", name, limit, cursor)
        return Page(items=[_shown(version) for version in found], next_cursor=following)

    @operation("POST /guards/test", permission="guard.use", audit=False)
    def test(self, guard: RefText, text: Text, *, stage: Stage = "input", source: Source | None = None) -> GuardOutcome:
        """Apply a guard policy to a text, and show what it finds and what each detector takes.

        `source` says where in a request the text stands, such as `tool`; without it every rule of the stage looks.
        """
        with self.read() as tx:
            policy = load(tx, guard)
        meter = guards.Meter(policy.timeout_ms)
        outcome = guards.apply(policy, text, stage, source=source, meter=meter)
        return outcome.model_copy(update={"timings": meter.timings})

    @operation("POST /guards/calibrate", permission="guard.use", audit=False)
    def calibrate(
        self,
        guard: RefText,
        examples: Annotated[list[Example], Field(min_length=2, max_length=1000)],
        *,
        rule: Annotated[int, Field(ge=1, le=32)] = 1,
    ) -> RuleCalibration:
        """Show how the threshold of a policy's rule, counted from 1, trades recall for false positives on examples."""
        with self.read() as tx:
            policy = load(tx, guard)
        if rule > len(policy.rules):
            raise Invalid(f"{guard} has {len(policy.rules)} rules.", hint="Count them from 1.", param="rule")
        return calibrate(policy.rules[rule - 1], examples)


def load(tx: Tx, ref: str) -> Policy:
    """Return the policy that a reference such as `guard/default@2` names, ready for use. Raises NotFound."""
    policy = Policy.model_validate(versions.resolve(tx, ref, "guard").content)
    if not any(rule.detector == "topic" for rule in policy.rules):
        return policy
    platform = tx.platform
    return policy.model_copy(update={"rules": [rule.with_embed(lambda: platform.embed) for rule in policy.rules]})


def _shown(version: Version) -> GuardVersion:
    return GuardVersion(
        ref=version.ref,
        name=version.name,
        number=version.number,
        policy=Policy.model_validate(version.content),
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        existed=version.existed,
    )
