"""Operations of canaries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mainspring.kernel.errors import Conflict, Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text
from mainspring.kernel.service import Service
from mainspring.serving import canaries, deployments
from mainspring.serving.canaries import LOGARITHMIC, Bound, Canary, CanaryPlan, Margin, Metric
from mainspring.serving.deployments import Split
from mainspring.workspace import environment_for

Place = Annotated[str, Field(max_length=128)]
"""Name of an environment; empty for the caller's own."""
Weights = Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1, max_length=20)]
Units = Annotated[int, Field(ge=0, le=1_000_000)]
Minutes = Annotated[float, Field(ge=0, le=525_600)]
Settling = Annotated[float, Field(ge=0, le=60)]
Level = Annotated[float, Field(ge=0.5, le=0.999)]
_BOUNDS = {"error": (0.0, 1.0), "latency": (10.0, 120_000.0), "ttft": (10.0, 120_000.0), "cost": (1e-6, 10.0)}


class Canaries(Service):
    """Canaries: a release on a share of the traffic, judged by what the traffic says of it."""

    noun = "canary"

    @operation("POST /deployments/{name}/canary", permission="deployment.write", status=201)
    def start(
        self,
        name: Name,
        release: RefText,
        metric: Metric,
        *,
        margin: Margin,
        kind: Literal["canary", "ab"] = "canary",
        direction: Literal["higher", "lower"] | None = None,
        low: Bound | None = None,
        high: Bound | None = None,
        split: Split = "user",
        weights: Weights | None = None,
        step_units: Annotated[int, Field(ge=1, le=1_000_000)] = 500,
        horizon_units: Units = 5000,
        horizon_minutes: Minutes = 10_080,
        fallback: Literal["rollback", "keep"] | None = None,
        settle_minutes: Settling = 0.0,
        level: Level = 0.95,
        environment: Place = "",
        note: Text = "",
    ) -> Canary:
        """Try a release beside the baseline until the traffic shows that it may stay, or may not.

        It is promoted once a loss of `margin` is ruled out, and rolled back once it is shown to be worse or to fail
        more often; at the horizon, `fallback` happens. An A/B test takes half of the traffic, and only tells which is
        better. Raises Conflict where a canary runs on the deployment, Invalid for a plan that cannot be.
        """
        given = {
            "metric": metric,
            "margin": margin,
            "split": split,
            "step_units": step_units,
            "horizon_units": horizon_units,
            "horizon_minutes": horizon_minutes,
            "settle_minutes": settle_minutes,
            "level": level,
            "act": kind == "canary",
            "weights": weights or ([0.5] if kind == "ab" else [0.1]),
            "fallback": fallback or ("keep" if kind == "ab" else "rollback"),
        }
        plan = _planned(given, direction, low, high)
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = deployments.get(tx, place, name)
            exact = deployments.deployable(tx, release, place)
            if exact == now.baseline:
                raise Conflict(f"{exact} is the baseline of {name} already.", hint="Try another release.")
            changes: dict[str, Any] = {"canary": exact, "weight": plan.weights[0], "split": split}
            said = note or f"Canary on {metric}, with a margin of {margin:g}."
            return canaries.add(tx, deployments.move(tx, now, place, name, "roll", **changes, note=said), plan)

    @operation("GET /deployments/{name}/canary", permission="deployment.read", mcp=True)
    def get(self, name: Name, *, environment: Place = "") -> Canary:
        """Show a deployment's last canary: what it is to prove, its confidence sequence, and how it ended."""
        with self.read() as tx:
            row = canaries.latest(tx, environment or tx.caller.environment, name)
            return canaries.shown(tx, row).model_copy(update={"looks": canaries.course(tx, row["id"])})

    @operation("GET /canaries", permission="deployment.read", mcp=True)
    def list_(
        self,
        *,
        deployment: Annotated[str, Field(max_length=128)] = "",
        environment: Place = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Canary]:
        """List the canaries of an environment, or of one deployment, newest first."""
        with self.read() as tx:
            place = environment or tx.caller.environment
            found, following = canaries.page(tx, place, deployment, limit, cursor)
        return Page[Canary](items=found, next_cursor=following)

    @operation("POST /deployments/{name}/canary/stop", permission="deployment.write")
    def stop(self, name: Name, *, keep: bool = False, environment: Place = "", note: Text = "") -> Canary:
        """Stop judging the canary of a deployment and take it away, or, to `keep` it, leave the split as it is."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            row = canaries.running(tx, place, name)
            if row is None:
                raise Conflict(f"No canary runs on {name}.", hint=f"`mainspring canary start {name} …`.")
            reason = f"{tx.caller.member} stopped it. {note}".strip()
            canaries.end(tx, row["id"], "stopped", reason)
            if not keep:
                now = deployments.get(tx, place, name)
                deployments.move(tx, now, place, name, "rollback", canary="", weight=0.0, split="", note=reason)
            return canaries.shown(tx, canaries.latest(tx, place, name))


def _planned(
    given: dict[str, Any], direction: Literal["higher", "lower"] | None, low: float | None, high: float | None
) -> CanaryPlan:
    """Return the plan with what follows from its metric. Raises Invalid."""
    metric = given["metric"]
    usual = _BOUNDS.get(metric, (0.0, 1.0))
    low, high = usual[0] if low is None else low, usual[1] if high is None else high
    if not low < high or (metric in LOGARITHMIC and low <= 0):
        raise Invalid(f"The values of {metric} cannot lie between {low:g} and {high:g}.", hint="Mend low and high.")
    if metric == "error" or "=" in metric:
        low, high = 0.0, 1.0
    if metric not in LOGARITHMIC and given["margin"] >= high - low:
        raise Invalid(
            f"A margin of {given['margin']:g} allows every loss between {low:g} and {high:g}.",
            hint="Give a smaller one.",
        )
    if not given["horizon_units"] and not given["horizon_minutes"]:
        raise Invalid("The canary would have no end.", hint="Give horizon_units or horizon_minutes.")
    if given["weights"] != sorted(given["weights"]):
        raise Invalid("The weights do not grow.", hint="A canary's share only grows; write 0.05, 0.2, 0.5.")
    if given["weights"][0] >= 1:
        raise Invalid("Nothing is left to compare with.", hint="Begin with a weight under 1.")
    better: Literal["higher", "lower"] = direction or ("higher" if metric.startswith("score/") else "lower")
    return CanaryPlan(**given, direction=better, low=low, high=high)
