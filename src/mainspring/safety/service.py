"""Guard policies as versions: `guard/name@number`."""

from __future__ import annotations

from mainspring.kernel import versions
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.safety import detectors, guards
from mainspring.safety.models import DetectorInfo, GuardOutcome, GuardVersion, Policy, Rule, Stage

_MESSAGE = str(Policy.model_fields["message"].default)


class Guards(Service):
    """Guard policies, and trying them on a text."""

    noun = "guard"

    @operation("POST /guards/{name}/versions", permission="guard.write", status=201)
    def create(self, name: Name, rules: list[Rule], *, message: str = _MESSAGE, note: Text = "") -> GuardVersion:
        """Store a guard policy; identical content returns the version that exists."""
        policy = Policy(rules=rules, message=message)
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
    def test(self, guard: RefText, text: Text, *, stage: Stage = "input") -> GuardOutcome:
        """Apply a guard policy to a text and show what it finds."""
        with self.read() as tx:
            policy = load(tx, guard)
        return guards.apply(policy, text, stage)


def load(tx: Tx, ref: str) -> Policy:
    """Return the policy that a reference such as `guard/default@2` names. Raises NotFound."""
    return Policy.model_validate(versions.resolve(tx, ref, "guard").content)


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
