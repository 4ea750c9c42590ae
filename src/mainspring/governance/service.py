"""Governance's operations: gate, approvals, cards, lineage and the audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError
from sqlalchemy import select

from mainspring.governance import attacked, bom, card, checks, evidence, tracing
from mainspring.governance.facts import gather
from mainspring.governance.gate import Gate
from mainspring.governance.models import AuditRow, Document, GatePolicy, GateReport, Lineage
from mainspring.kernel import anchor, audit
from mainspring.kernel.audit import AuditCheck
from mainspring.kernel.errors import Conflict, Denied, GateFailed, Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text, decode_cursor, encode_cursor
from mainspring.kernel.service import Service
from mainspring.kernel.tables import audit_rows
from mainspring.kernel.tx import Tx
from mainspring.registry import Release, load_release
from mainspring.registry import Releases as RegistryReleases
from mainspring.registry.releases import move
from mainspring.workspace import key_made_by

Selector = Annotated[str, StringConstraints(max_length=80)]
RunIds = Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=20)]
Reference = Annotated[str, StringConstraints(min_length=3, max_length=300)]
Word = Annotated[str, StringConstraints(max_length=200)]
_REGISTERED = (checks, evidence, attacked)
"""Modules whose import registers the checks of the gate."""


class Releases(RegistryReleases):
    """Releases: what they pin, whether the gate lets them pass, and who approved them."""

    @operation("POST /releases/{name}/check", permission="release.write")
    def check(
        self,
        name: Name,
        *,
        candidate: RunIds | None = None,
        baseline: RunIds | None = None,
        policy: GatePolicy | None = None,
        selector: Selector = "",
    ) -> GateReport:
        """Run the gate over a release and keep its report; one that passes goes into review.

        `candidate` and `baseline` are experiments to be compared; where none are named, those of the release's own
        model and prompt are compared with the others on the same rows. Raises GateFailed, with the report in its
        details, where a check fails: the release is a draft then.
        """
        with self.read() as tx:
            release = _load(tx, name, selector)
        if release.state not in ("draft", "in_review", "approved"):
            raise Conflict(f"{release.ref} was {release.state}.", hint="A new version begins as a draft.")
        gate = Gate(self.platform, release, _policy(policy), candidate or [], baseline or [])
        report = gate.report()
        shown = report.model_dump(mode="json")
        with self.begin() as tx:
            release = load_release(tx, release.ref)
            to = release.state if release.state == "approved" else "in_review" if report.passed else "draft"
            move(tx, release, "checked", to, detail=shown)
        if not report.passed:
            failed = [f"{one.name} ({one.summary})" for one in report.checks if not one.passed]
            raise GateFailed(
                f"{release.ref} does not pass the gate: {'; '.join(failed)}",
                hint="Mend what failed, or say what is asked for with --policy.",
                report=shown,
            )
        return report

    @operation("POST /releases/{name}/approve", permission="release.approve")
    def approve(self, name: Name, *, note: Text = "", selector: Selector = "") -> Release:
        """Approve a release that passed the gate; its author cannot."""
        with self.begin() as tx:
            release = _load(tx, name, selector)
            if release.author == tx.caller.member:
                raise Denied(f"{release.author} made {release.ref} and cannot approve it.", hint="Ask another member.")
            _require_report(release)
            made_by = {"key_made_by": key_made_by(tx)}
            return move(tx, release, "approved", "approved", note=note, detail=made_by)

    @operation("POST /releases/{name}/reject", permission="release.approve")
    def reject(self, name: Name, *, note: Text = "", selector: Selector = "") -> Release:
        """Reject a release that is a draft or in review, for good."""
        with self.begin() as tx:
            return move(tx, _load(tx, name, selector), "rejected", "rejected", note=note)

    @operation("POST /releases/{name}/withdraw", permission="release.approve")
    def withdraw(self, name: Name, *, note: Text = "", selector: Selector = "") -> Release:
        """Withdraw an approved release, for good; it answers no more."""
        with self.begin() as tx:
            return move(tx, _load(tx, name, selector), "withdrawn", "withdrawn", note=note)

    @operation("GET /releases/{name}/card", permission="release.read", mcp=True)
    def card(self, name: Name, *, selector: Selector = "") -> Document:
        """Write the model card of a release from the records."""
        with self.read() as tx:
            release = _load(tx, name, selector)
            return Document(ref=release.ref, media_type="text/markdown", text=card.write(gather(tx, release)))

    @operation("GET /releases/{name}/bom", permission="release.read", mcp=True)
    def bom(self, name: Name, *, selector: Selector = "") -> dict[str, Any]:
        """Write the bill of materials of a release in CycloneDX 1.7."""
        with self.read() as tx:
            return bom.write(gather(tx, _load(tx, name, selector)))


class Lineages(Service):
    """Lineage: what something came from, and what it led to."""

    noun = "lineage"

    @operation("GET /lineage", permission="lineage.read", mcp=True)
    def show(self, ref: Reference, *, nearest: Annotated[int, Field(ge=0, le=50)] = 5) -> Lineage:
        """Show what a version came from and led to; for `trace/<id>`, why an answer is what it is.

        For a trace, `nearest` training rows are shown whose questions are nearest to the one that was asked.
        """
        kind, _, name = ref.partition("/")
        if kind == "trace":
            return tracing.of_trace(self.platform, name, nearest)
        return tracing.of_version(self.platform, ref)


class Audits(Service):
    """The audit log."""

    noun = "audit"

    @operation("GET /audit", permission="audit.read")
    def list_(
        self,
        *,
        action: Word = "",
        member: Word = "",
        outcome: Literal["ok", "denied", "failed"] | None = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[AuditRow]:
        """List what was done in the project, newest first."""
        a = audit_rows.c
        with self.read() as tx:
            query = select(audit_rows).where(a.project == tx.project)
            for column, value in ((a.action, action), (a.member, member), (a.outcome, outcome)):
                if value:
                    query = query.where(column == value)
            if cursor:
                query = query.where(a.seq < _sequence(cursor))
            rows = list(tx.execute(query.order_by(a.seq.desc()).limit(limit + 1)).mappings())
        items = [AuditRow(**{name: row[name] for name in AuditRow.model_fields}) for row in rows[:limit]]
        return Page[AuditRow](items=items, next_cursor=encode_cursor(str(items[-1].seq)) if len(rows) > limit else None)

    @operation("GET /audit/verify", permission="audit.verify")
    def verify(self) -> AuditCheck:
        """Recompute the chain of the whole audit log and say whether it is what was written.

        It is compared with its head in the database, and with the anchor in a file of the server's user outside it.
        """
        known = anchor.read(self.platform.home)
        with self.read() as tx:
            return audit.verify(tx, known)


def _load(tx: Tx, name: str, selector: str) -> Release:
    return load_release(tx, f"release/{name}@{selector}" if selector else f"release/{name}")


def _policy(given: Any) -> GatePolicy:
    """Return a gate policy, also where a local caller passed plain values. Raises Invalid, naming the field."""
    try:
        return GatePolicy.model_validate(given or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("policy", *(str(part) for part in first["loc"])))
        raise Invalid(f"{where}: {first['msg']}", hint="`mainspring release check --help`.") from None


def _require_report(release: Release) -> None:
    """Raise GateFailed where the gate's last report did not pass, or there is none."""
    reports = [event.detail for event in release.events if event.kind == "checked"]
    if release.state == "in_review" and not (reports and reports[-1].get("passed")):
        raise GateFailed(f"{release.ref} has not passed the gate.", hint=f"`mainspring release check {release.name}`.")


def _sequence(cursor: str) -> int:
    key = decode_cursor(cursor)
    if not key.isdigit() or len(key) > 18:
        raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
    return int(key)
