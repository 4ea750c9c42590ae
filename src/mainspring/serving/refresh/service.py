"""Operations of model refresh."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import delete, select

from mainspring.data import load as load_dataset
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text, paginate
from mainspring.kernel.service import Service
from mainspring.serving import deployments
from mainspring.serving.refresh import cron as crons
from mainspring.serving.refresh import policies, requests
from mainspring.serving.refresh.models import (
    Bound,
    Count,
    Cron,
    Drop,
    Hours,
    Named,
    Quiet,
    Refresh,
    RefreshCheck,
    RefreshPolicy,
    RefreshTerms,
    State,
    Units,
)
from mainspring.serving.refresh.tables import refresh_policies
from mainspring.workspace import environment_for

_SOME_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
Place = Annotated[str, Field(max_length=128)]
"""Name of an environment; empty for the caller's own."""


class Refreshes(Service):
    """Model refresh: when a deployment's model is due to be tuned anew."""

    noun = "refresh"

    @operation("PUT /deployments/{deployment}/refresh", permission="deployment.write")
    def set(
        self,
        deployment: Name,
        *,
        every_hours: Hours = 0.0,
        cron: Cron = "",
        drift_monitor: Named = "",
        dataset: RefText | Literal[""] = "",
        new_rows: Count = 0,
        feedback: Named = "",
        new_feedback: Count = 0,
        score: Named = "",
        score_drop: Drop = 0.05,
        score_low: Bound = 0.0,
        score_high: Bound = 1.0,
        first_units: Units = 200,
        window_days: Annotated[float, Field(ge=0.01, le=366)] = 7.0,
        cooldown_hours: Hours = 24.0,
        quiet_hours: Quiet = "",
        max_per_week: Annotated[int, Field(ge=1, le=100)] = 2,
        patience_hours: Hours = 72.0,
        on_request: bool = False,
        dry_run: bool = False,
        environment: Place = "",
    ) -> RefreshPolicy:
        """Say when a deployment's model is due to be refreshed; one condition that holds is enough.

        The worker looks every five minutes and sends the event deployment.refresh_due once for each trigger. Raises
        Invalid for a policy without a condition, NotFound for a deployment or a dataset that is not there.
        """
        given = {name: value for name, value in locals().items() if name in RefreshTerms.model_fields}
        terms = RefreshTerms(**given)
        _require_sense(terms)
        with self.begin() as tx:
            place = environment_for(tx, environment)
            deployments.get(tx, place, deployment)
            if terms.dataset:
                load_dataset(tx, terms.dataset)
                if versions.resolve(tx, terms.dataset, "dataset").ref == terms.dataset:
                    raise Invalid(
                        f"{terms.dataset} is one version, which never grows.", hint="Name the dataset without @."
                    )
            return policies.put(tx, place, deployment, terms)

    @operation("GET /deployments/{deployment}/refresh", permission="deployment.read", mcp=True)
    def get(self, deployment: Name, *, environment: Place = "") -> RefreshPolicy:
        """Show a deployment's refresh policy."""
        with self.read() as tx:
            return policies.as_policy(policies.get(tx, environment or tx.caller.environment, deployment))

    @operation("DELETE /deployments/{deployment}/refresh", permission="deployment.write")
    def clear(self, deployment: Name, *, environment: Place = "") -> RefreshPolicy:
        """Remove a deployment's refresh policy; its history stays, and a refresh under way may still be ended."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            shown = policies.as_policy(policies.get(tx, place, deployment))
            mine = (refresh_policies.c.project == tx.project) & (refresh_policies.c.environment == place)
            tx.execute(delete(refresh_policies).where(mine, refresh_policies.c.deployment == deployment))
            return shown

    @operation("GET /refresh-policies", permission="deployment.read", mcp=True)
    def list_(self, *, environment: Place = "", limit: Limit = 100, cursor: Cursor = "") -> Page[RefreshPolicy]:
        """List the refresh policies of an environment by deployment."""
        with self.read() as tx:
            place = environment or tx.caller.environment
            query = select(refresh_policies).where(refresh_policies.c.project == tx.project)
            query = query.where(refresh_policies.c.environment == place)
            rows, following = paginate(tx, query, refresh_policies.c.deployment, limit, cursor, newest=False)
        return Page[RefreshPolicy](items=[policies.as_policy(row) for row in rows], next_cursor=following)

    @operation("GET /deployments/{deployment}/refresh/check", permission="deployment.read", mcp=True)
    def check(self, deployment: Name, *, environment: Place = "") -> RefreshCheck:
        """Look at every condition of a policy now, without consequence: its numbers, and what would follow."""
        with self.read() as tx:
            place = environment or tx.caller.environment
        return policies.check(self.platform, place, deployment)

    @operation("GET /refreshes", permission="deployment.read", mcp=True)
    def history(
        self,
        *,
        deployment: Annotated[str, Field(max_length=128)] = "",
        state: State | None = None,
        environment: Place = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Refresh]:
        """List refreshes of an environment, newest first: why each was due, and what came of it.

        With the state `due`, those that nobody has taken on.
        """
        with self.read() as tx:
            place = environment or tx.caller.environment
            found, following = policies.page(tx, place, deployment, state, limit, cursor)
        return Page[Refresh](items=found, next_cursor=following)

    @operation("POST /deployments/{deployment}/refresh/request", permission="deployment.write", status=201)
    def request(self, deployment: Name, *, note: Text = "", environment: Place = "") -> Refresh:
        """Ask for a refresh now: it is due at once, whatever its policy waits for, and is told like every other.

        Raises NotFound for a deployment without a policy, Conflict where a refresh is under way or the deployment is
        paused.
        """
        with self.read() as tx:
            place = environment_for(tx, environment)
        return requests.request(self.platform, place, deployment, note)

    @operation("POST /refreshes/{id}/start", permission="deployment.write")
    def start(self, id: Name, *, note: Text = "") -> Refresh:
        """Take on a refresh that is due; a second one who tries is told so by a Conflict."""
        with self.begin() as tx:
            return policies.start(tx, id, note)

    @operation("POST /refreshes/{id}/finish", permission="deployment.write")
    def finish(
        self,
        id: Name,
        *,
        result: Literal["done", "failed", "dismissed"] = "done",
        release: RefText | Literal[""] = "",
        note: Text = "",
    ) -> Refresh:
        """Report what came of a refresh, with the release where one was made.

        One that is done or dismissed is not due again for the same evidence; one that failed may be after the
        cool-down.
        """
        with self.begin() as tx:
            outcome = versions.resolve(tx, release, "release").ref if release else ""
            return policies.end(tx, id, result, outcome, note)


def _require_sense(terms: RefreshTerms) -> None:
    """Raise Invalid for a policy that could never fire, or whose parts do not fit."""
    if terms.cron and crons.following(crons.parse(terms.cron), _SOME_MOMENT) is None:
        raise Invalid(f"'{terms.cron}' never comes.", hint="Mend the day and the month.")
    if bool(terms.dataset) != bool(terms.new_rows):
        raise Invalid("A volume of data is a dataset and new_rows.", hint="Give both.")
    if bool(terms.feedback) != bool(terms.new_feedback):
        raise Invalid("A volume of feedback is feedback and new_feedback.", hint="Give both.")
    if not terms.score_low < terms.score_high:
        raise Invalid("The score has no room between score_low and score_high.", hint="Mend them.")
    asked = (terms.every_hours, terms.cron, terms.drift_monitor, terms.dataset, terms.feedback, terms.score)
    if not any(asked) and not terms.on_request:
        raise Invalid(
            "The policy has no condition.",
            hint="Give every_hours, cron, drift_monitor, dataset and new_rows, feedback and new_feedback, score, "
            "or on_request.",
        )
