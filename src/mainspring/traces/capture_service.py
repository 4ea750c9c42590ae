"""Operations on what is captured and for how long it is kept."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, delete, insert, select

from mainspring.kernel.operation import operation
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.traces.models import Capture, CaptureRules, MaskRule, Retention, RetentionRule, SampleRule
from mainspring.traces.tables import captures, retentions


class Captures(Service):
    """What of the spans that applications send is kept."""

    noun = "capture"

    @operation("GET /capture", permission="capture.read")
    def get(self) -> Capture:
        """Return the project's rules of sampling and masking."""
        with self.read() as tx:
            row = tx.execute(select(captures).where(captures.c.project == tx.project)).mappings().one_or_none()
        if row is None:
            return Capture(changed_at=None, changed_by="")
        return Capture(**row["rules"], changed_at=row["changed_at"], changed_by=row["changed_by"])

    @operation("PUT /capture", permission="capture.write")
    def set(
        self,
        *,
        sample: Annotated[list[SampleRule], Field(max_length=100)] | None = None,
        keep_errors: bool = True,
        keep_slower_ms: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] | None = None,
        mask: Annotated[list[MaskRule], Field(max_length=100)] | None = None,
    ) -> Capture:
        """Set which share of traces is kept and what is masked, in place of the rules before; holds within 5 seconds.

        A trace with an error is kept whatever its rate, unless --no-keep-errors; with --keep-slower-ms a slow one is.
        """
        rules = CaptureRules(
            sample=sample or [], keep_errors=keep_errors, keep_slower_ms=keep_slower_ms, mask=mask or []
        )
        plain = rules.model_dump(mode="json")
        with self.begin() as tx:
            tx.execute(delete(captures).where(captures.c.project == tx.project))
            values = {"rules": plain, "changed_at": tx.now, "changed_by": tx.caller.member}
            tx.execute(insert(captures).values(project=tx.project, **values))
            return Capture(**plain, changed_at=tx.now, changed_by=tx.caller.member)


class Retentions(Service):
    """How long traces are kept."""

    noun = "retention"

    @operation("GET /retention", permission="retention.read")
    def get(self) -> Retention:
        """Return how long the project's traces are kept."""
        with self.read() as tx:
            row = tx.execute(select(retentions).where(retentions.c.project == tx.project)).mappings().one_or_none()
        if row is None:
            return Retention(days=0, changed_at=None, changed_by="")
        return Retention(**{name: row[name] for name in Retention.model_fields})

    @operation("PUT /retention", permission="retention.write")
    def set(
        self,
        days: Annotated[int, Field(ge=0, le=36_500)],
        *,
        rules: Annotated[list[RetentionRule], Field(max_length=50)] | None = None,
    ) -> Retention:
        """Keep the project's traces for so many days; 0 keeps them for ever. The worker erases older ones.

        A rule keeps traces of an environment or a kind for another time; the first that fits counts.
        """
        plain = [rule.model_dump(mode="json") for rule in rules or []]
        with self.begin() as tx:
            tx.execute(delete(retentions).where(retentions.c.project == tx.project))
            values = {"days": days, "rules": plain, "changed_at": tx.now, "changed_by": tx.caller.member}
            tx.execute(insert(retentions).values(project=tx.project, **values))
            return Retention(days=days, rules=rules or [], changed_at=tx.now, changed_by=tx.caller.member)


def masks(conn: Connection, project: str, field: str) -> bool:
    """Tell whether a rule of the project takes something out of a field."""
    rules = conn.execute(select(captures.c.rules).where(captures.c.project == project)).scalar_one_or_none() or {}
    return any(fnmatchcase(field, wanted) for rule in rules.get("mask", ()) for wanted in rule["fields"])


def captured(tx: Tx) -> CaptureRules:
    """Return the rules of the project."""
    row = tx.execute(select(captures.c.rules).where(captures.c.project == tx.project)).one_or_none()
    return CaptureRules() if row is None else CaptureRules(**row[0])
