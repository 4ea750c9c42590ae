"""Operations of metering: limits, budgets, and the report of what was used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, RowMapping, String, delete, func, insert, literal, select, type_coerce, update

from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Cursor, Name, Page, paginate
from mainspring.kernel.records import Limit as PageLimit
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.serving.metering import running
from mainspring.serving.metering.models import Measure, Scope
from mainspring.serving.metering.records import Budget, Limit, UsageRow
from mainspring.serving.metering.tables import allowances, leases, usage_hours, windows
from mainspring.serving.metering.windows import Per, window_end, window_start
from mainspring.traces import aware
from mainspring.workspace import is_protected, key_of, member_of

Word = Annotated[str, StringConstraints(max_length=300)]
Whose = Annotated[str, StringConstraints(max_length=128)]
"""Empty: not narrowed by it."""
Amount = Annotated[int, Field(ge=0, le=1 << 50)]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
R = TypeVar("R", Limit, Budget)
MOST = 10_000
"""Limits and budgets of one project."""
DIMENSIONS = ("day", "key", "member", "model", "deployment", "environment", "provider")
_COLUMNS: dict[str, ColumnElement[Any]] = {
    "day": func.substr(type_coerce(usage_hours.c.hour, String), 1, 10),
    "key": usage_hours.c.key_id,
    **{name: usage_hours.c[name] for name in DIMENSIONS[2:]},
}
_SUMS = ("requests", "estimated", "unpriced", "input_tokens", "output_tokens", "cached_tokens", "cost", "hits", "saved")


class _Allowances(Service):
    """What limits and budgets have in common: they lie in one table."""

    def _set(self, measure: Measure, amount: int, per: Per, whose: dict[Scope, str]) -> RowMapping:
        with self.begin() as tx:
            scope, name = _scope(tx, whose)
            key = {"project": tx.project, "scope": scope, "name": name, "measure": measure, "per": per}
            mine = [allowances.c[column] == value for column, value in key.items()]
            found = tx.execute(select(allowances.c.id).where(*mine)).scalar_one_or_none()
            if found is not None:
                tx.execute(update(allowances).where(allowances.c.id == found).values(amount=amount))
            else:
                held = select(func.count()).select_from(allowances).where(allowances.c.project == tx.project)
                if int(tx.execute(held).scalar_one()) >= MOST:
                    raise Conflict(f"A project has at most {MOST} limits and budgets.", hint="Delete some.")
                found = tx.new_id()
                made = {"id": found, "amount": amount, "created_at": tx.now, "created_by": tx.caller.member}
                tx.execute(insert(allowances).values(**key, **made))
            row = tx.execute(select(allowances).where(allowances.c.id == found)).mappings().one()
        _changed(self.platform)
        return row

    def _page(
        self, measures: Sequence[Measure], scope: Scope | None, name: str, limit: int, cursor: str, kind: type[R]
    ) -> Page[R]:
        _written(self.platform)
        with self.read() as tx:
            query = select(allowances).where(allowances.c.project == tx.project, allowances.c.measure.in_(measures))
            if scope is not None:
                query = query.where(allowances.c.scope == scope)
            if name:
                query = query.where(allowances.c.name == name)
            rows, following = paginate(tx, query, allowances.c.id, limit, cursor)
            return Page[kind](items=[_shown(tx, row, kind) for row in rows], next_cursor=following)  # type: ignore[valid-type]

    def _find(self, tx: Tx, measures: Sequence[Measure], id: str) -> RowMapping:
        query = select(allowances).where(allowances.c.project == tx.project, allowances.c.id == id)
        row = tx.execute(query.where(allowances.c.measure.in_(measures))).mappings().one_or_none()
        if row is None:
            raise NotFound(f"There is no {self.noun} {id}.", hint=f"`mainspring {self.noun} list` shows them.")
        return row

    def _delete(self, measures: Sequence[Measure], id: str, kind: type[R]) -> R:
        with self.begin() as tx:
            shown = _shown(tx, self._find(tx, measures, id), kind)
            tx.execute(delete(allowances).where(allowances.c.id == id))
            tx.execute(delete(windows).where(windows.c.allowance == id))
            tx.execute(delete(leases).where(leases.c.allowance == id))
        _changed(self.platform)
        return shown


class Limits(_Allowances):
    """Limits of requests and tokens."""

    noun = "limit"

    @operation("POST /limits", permission="budget.write", status=201)
    def set(
        self,
        amount: Amount,
        *,
        measure: Literal["requests", "tokens"] = "requests",
        per: Per = "minute",
        key: Whose = "",
        member: Whose = "",
        environment: Whose = "",
    ) -> Limit:
        """Allow a key, a member, an environment or, where none is named, the project so much in each window.

        All limits and budgets that cover a call must have room for it. It counts within 5 seconds; 0 allows nothing.
        """
        row = self._set(measure, amount, per, {"key": key, "member": member, "environment": environment})
        with self.read() as tx:
            return _shown(tx, row, Limit)

    @operation("GET /limits", permission="budget.read", mcp=True)
    def list_(
        self, *, scope: Scope | None = None, name: Whose = "", limit: PageLimit = 100, cursor: Cursor = ""
    ) -> Page[Limit]:
        """List limits with what is spent of each in its present window, newest first."""
        return self._page(("requests", "tokens"), scope, name, limit, cursor, Limit)

    @operation("DELETE /limits/{id}", permission="budget.write")
    def delete(self, id: Name) -> Limit:
        """Remove a limit."""
        return self._delete(("requests", "tokens"), id, Limit)


class Budgets(_Allowances):
    """Budgets in money."""

    noun = "budget"

    @operation("POST /budgets", permission="budget.write", status=201)
    def set(
        self, amount: Money, *, per: Per = "month", key: Whose = "", member: Whose = "", environment: Whose = ""
    ) -> Budget:
        """Let a key, a member, an environment or, where none is named, the project spend so many US dollars a window.

        All limits and budgets that cover a call must have room for it. It counts within 5 seconds; 0 allows only what
        costs nothing. At 80 % and at 100 % of it the event budget.reached is sent.
        """
        whose: dict[Scope, str] = {"key": key, "member": member, "environment": environment}
        row = self._set("money", int(Decimal(str(amount)).scaleb(9)), per, whose)
        with self.read() as tx:
            return _shown(tx, row, Budget)

    @operation("GET /budgets", permission="budget.read", mcp=True)
    def list_(
        self, *, scope: Scope | None = None, name: Whose = "", limit: PageLimit = 100, cursor: Cursor = ""
    ) -> Page[Budget]:
        """List budgets with what is spent of each in its present window, newest first."""
        return self._page(("money",), scope, name, limit, cursor, Budget)

    @operation("GET /budgets/{id}", permission="budget.read", mcp=True)
    def get(self, id: Name) -> Budget:
        """Show a budget, with what is spent of it in its present window."""
        _written(self.platform)
        with self.read() as tx:
            return _shown(tx, self._find(tx, ("money",), id), Budget)

    @operation("DELETE /budgets/{id}", permission="budget.write")
    def delete(self, id: Name) -> Budget:
        """Remove a budget."""
        return self._delete(("money",), id, Budget)


class Usages(Service):
    """What calls used, and what they cost."""

    noun = "usage"

    @operation("GET /usage", permission="usage.read", mcp=True)
    def report(
        self,
        *,
        by: Word = "day,model",
        since: datetime | None = None,
        until: datetime | None = None,
        key: Whose = "",
        member: Whose = "",
        model: Word = "",
        deployment: Whose = "",
        environment: Whose = "",
    ) -> list[UsageRow]:
        """Return requests, tokens, cost and what caches saved, of the last 30 days or the time given, to the hour.

        At most 10,000 rows. `by` names what is kept apart, with commas: day, key, member, model, deployment,
        environment, provider.
        """
        kept = [word.strip() for word in by.split(",") if word.strip()]
        if unknown := set(kept) - set(DIMENSIONS):
            raise Invalid(f"Usage has no dimension '{min(unknown)}'.", hint=f"They are {', '.join(DIMENSIONS)}.")
        _written(self.platform)
        wanted = {"key": key, "member": member, "model": model, "deployment": deployment, "environment": environment}
        with self.read() as tx:
            names = [(_COLUMNS[name] if name in kept else literal("")).label(name) for name in DIMENSIONS]
            sums = [func.coalesce(func.sum(usage_hours.c[name]), 0).label(f"sum_{name}") for name in _SUMS]
            start = aware(since) or tx.now - timedelta(days=30)
            query = select(*names, *sums).where(usage_hours.c.project == tx.project)
            query = query.where(usage_hours.c.hour >= start.replace(minute=0, second=0, microsecond=0))
            if until is not None:
                query = query.where(usage_hours.c.hour < aware(until))
            query = query.where(*(_COLUMNS[name] == value for name, value in wanted.items() if value))
            groups = [_COLUMNS[name] for name in DIMENSIONS if name in kept]
            query = query.group_by(*groups).order_by(*groups).limit(10_000)
            return [_row(row) for row in tx.execute(query).mappings() if row["sum_requests"]]


def _row(row: RowMapping) -> UsageRow:
    found: dict[str, Any] = {name: str(row[name]) for name in DIMENSIONS}
    found |= {name: int(row[f"sum_{name}"]) for name in _SUMS}
    nano, saved = found.pop("cost"), found.pop("saved")
    return UsageRow(**found, cost=nano / 1e9, nanodollars=nano, saved=saved / 1e9)


def _scope(tx: Tx, whose: dict[Scope, str]) -> tuple[Scope, str]:
    """Return whom it is for. Raises Invalid where two are named, NotFound for somebody who does not exist."""
    named = [(scope, name) for scope, name in whose.items() if name]
    if len(named) > 1:
        raise Invalid("It is for one of key, member and environment.", hint="Set one for each.")
    if not named:
        return "project", ""
    scope, name = named[0]
    checks = {"key": key_of, "member": member_of, "environment": is_protected}
    checks[scope](tx, name)
    return scope, name


def _shown(tx: Tx, row: RowMapping, kind: type[R]) -> R:
    starts = window_start(tx.now, row["per"])
    here = select(windows).where(windows.c.allowance == row["id"], windows.c.starts == starts)
    held = tx.execute(here).mappings().one_or_none()
    counts: dict[str, Any] = {"amount": int(row["amount"]), "spent": 0, "held": 0}
    if held is not None:
        counts |= {"spent": int(held["spent"]), "held": max(0, int(held["leased"]))}
    found: dict[str, Any] = {name: row[name] for name in ("id", "scope", "name", "per", "created_at", "created_by")}
    found |= {"starts_at": starts, "resets_at": window_end(starts, row["per"])}
    if kind is Limit:
        return kind(**found | counts | {"measure": row["measure"]})
    return kind(**found | {name: count / 1e9 for name, count in counts.items()})


def _changed(platform: Platform) -> None:
    for meter in running.meters(platform):
        meter.forget_rules()


def _written(platform: Platform) -> None:
    """Bring to the records what this process counted."""
    if not platform.writing:
        for meter in running.meters(platform):
            meter.flush()
