"""Serving's operations: deployments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from mainspring.kernel.errors import Conflict
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.serving import canaries, deployments
from mainspring.serving.deployments import Action, Deployment, Weight
from mainspring.serving.routing.plans import routes
from mainspring.workspace import environment_for

Place = Annotated[str, Field(max_length=128)]
"""Name of an environment; empty for the caller's own."""


class Deployments(Service):
    """Deployments: a name in an environment that a release answers under, with a canary beside it."""

    noun = "deployment"

    @operation("POST /deployments", permission="deployment.write", status=201)
    def create(self, name: Name, release: RefText, *, environment: Place = "", note: Text = "") -> Deployment:
        """Put a release behind a name; a protected environment takes approved releases only."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            if deployments.find(tx, place, name) is not None:
                raise Conflict(
                    f"The deployment {name} exists in {place}.", hint=f"`mainspring deployment roll {name}`."
                )
            if routes.find(tx, place, name) is not None:
                raise Conflict(f"{name} is a route in {place}.", hint="Take another name.")
            exact = deployments.deployable(tx, release, place)
            return self._moved(tx, None, place, name, "create", baseline=exact, note=note)

    @operation("GET /deployments/{name}", permission="deployment.read", mcp=True)
    def get(self, name: Name, *, environment: Place = "") -> Deployment:
        """Show a deployment as it is now."""
        with self.read() as tx:
            return deployments.get(tx, environment or tx.caller.environment, name)

    @operation("GET /deployments", permission="deployment.read", mcp=True)
    def list_(self, *, environment: Place = "", limit: Limit = 100, cursor: Cursor = "") -> Page[Deployment]:
        """List the deployments of an environment, by name."""
        with self.read() as tx:
            found, following = deployments.page(tx, environment or tx.caller.environment, limit, cursor)
        return Page[Deployment](items=found, next_cursor=following)

    @operation("POST /deployments/{name}/roll", permission="deployment.write")
    def roll(
        self, name: Name, release: RefText, *, weight: Weight = 0.1, environment: Place = "", note: Text = ""
    ) -> Deployment:
        """Try a release as a canary beside the baseline, on a share of the traffic; again, to change the share."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            exact = deployments.deployable(tx, release, place)
            if exact == now.baseline:
                raise Conflict(f"{exact} is the baseline of {name} already.", hint="Roll another release.")
            return self._moved(tx, now, place, name, "roll", canary=exact, weight=weight, note=note)

    @operation("POST /deployments/{name}/promote", permission="deployment.write")
    def promote(self, name: Name, *, environment: Place = "", note: Text = "") -> Deployment:
        """Make the canary the baseline, for all traffic."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            if not now.canary:
                raise Conflict(f"The deployment {name} has no canary.", hint=f"`mainspring deployment roll {name}`.")
            exact = deployments.deployable(tx, now.canary, place)
            changes: dict[str, str | float] = {"canary": "", "weight": 0.0, "previous": now.baseline}
            return self._moved(tx, now, place, name, "promote", baseline=exact, **changes, note=note)

    @operation("POST /deployments/{name}/rollback", permission="deployment.write")
    def rollback(self, name: Name, *, environment: Place = "", note: Text = "") -> Deployment:
        """Take the canary away, or, where there is none, return to the baseline before the last promotion."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            if now.canary:
                return self._moved(tx, now, place, name, "rollback", canary="", weight=0.0, note=note)
            if not now.previous:
                raise Conflict(f"The deployment {name} has nothing to return to.", hint="Roll a release instead.")
            exact = deployments.deployable(tx, now.previous, place)
            return self._moved(tx, now, place, name, "rollback", baseline=exact, previous="", note=note)

    @operation("POST /deployments/{name}/shadow", permission="deployment.write")
    def shadow(
        self, name: Name, release: RefText, *, share: Weight = 0.1, environment: Place = "", note: Text = ""
    ) -> Deployment:
        """Send copies of a share of the calls to a release after they were answered; nobody sees its answers.

        Copies wait for idle models, and are dropped rather than kept. Their traces name the service `shadow`, and
        neither user nor key.
        """
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            exact = deployments.deployable(tx, release, place)
            return deployments.move(tx, now, place, name, "shadow", shadow=exact, shadow_share=share, note=note)

    @operation("DELETE /deployments/{name}/shadow", permission="deployment.write")
    def unshadow(self, name: Name, *, environment: Place = "", note: Text = "") -> Deployment:
        """Send no more copies."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            if not now.shadow:
                raise Conflict(f"The deployment {name} has no shadow.", hint=f"`mainspring deployment shadow {name}`.")
            return deployments.move(tx, now, place, name, "shadow", shadow="", shadow_share=0.0, note=note)

    @operation("POST /deployments/{name}/pause", permission="deployment.write")
    def pause(self, name: Name, *, environment: Place = "", note: Text = "") -> Deployment:
        """Stop answering under a name, until it is resumed."""
        return self._switched(name, environment, "pause", note)

    @operation("POST /deployments/{name}/resume", permission="deployment.write")
    def resume(self, name: Name, *, environment: Place = "", note: Text = "") -> Deployment:
        """Answer again under a name that was paused."""
        return self._switched(name, environment, "resume", note)

    @operation("GET /deployments/{name}/history", permission="deployment.read", mcp=True)
    def history(
        self,
        name: Name,
        *,
        at: datetime | None = None,
        environment: Place = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Deployment]:
        """List every move of a deployment, newest first: what was live when, who made it so, and why.

        With `at`, only the move that was in force at that moment, or none where the deployment did not exist yet.
        """
        with self.read() as tx:
            place = environment or tx.caller.environment
            if at is not None:
                live = deployments.live_at(tx, place, name, at if at.tzinfo else at.replace(tzinfo=UTC))
                return Page[Deployment](items=[live] if live else [])
            found, following = deployments.history(tx, place, name, limit, cursor)
        return Page[Deployment](items=found, next_cursor=following)

    def _switched(self, name: str, environment: str, action: Literal["pause", "resume"], note: str) -> Deployment:
        state = "paused" if action == "pause" else "active"
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            if now.state == state:
                raise Conflict(f"The deployment {name} is {state} already.")
            return self._moved(tx, now, place, name, action, state=state, note=note)

    def _moved(
        self, tx: Tx, now: Deployment | None, place: str, name: str, action: Action, **changes: str | float
    ) -> Deployment:
        if action in _SPLITTING:
            canaries.interrupt(tx, place, name, action)
            changes = {"split": "", **changes}
        return deployments.move(tx, now, place, name, action, **changes)


_SPLITTING = ("roll", "promote", "rollback")
"""Moves that change who gets what, and so end a canary that is judged by it."""
