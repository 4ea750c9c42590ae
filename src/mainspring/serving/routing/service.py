"""The operations on routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from mainspring.kernel.errors import Conflict, Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.registry import Remote
from mainspring.serving import deployments
from mainspring.serving.models import Target
from mainspring.serving.moves import Change
from mainspring.serving.routing.board import Board, board_of, upstream_name
from mainspring.serving.routing.choosing import Call, Order, cost_of, ordered
from mainspring.serving.routing.models import (
    TROUBLES,
    Ability,
    Backoff,
    Breaking,
    Candidate,
    Policy,
    Route,
    RouteHealth,
    RouteRule,
    RouteStep,
    RouteTerms,
    RouteTest,
    Sticky,
    Trouble,
    Waits,
)
from mainspring.serving.routing.plans import Option, check, plan_of, routes
from mainspring.traces import book
from mainspring.workspace import environment_for, is_protected

Place = Annotated[str, Field(max_length=128)]
"""Name of an environment; empty for the caller's own."""
Candidates = Annotated[list[Candidate], Field(min_length=1, max_length=16)]
Rules = Annotated[list[RouteRule], Field(max_length=32)]
Troubles = Annotated[list[Trouble], Field(max_length=6)]
Retries = Annotated[int, Field(ge=0, le=5)]
Share = Annotated[float, Field(ge=0, le=1)]
Pin = Annotated[str, StringConstraints(max_length=300)]
Word = Annotated[str, StringConstraints(max_length=256)]
Words = Annotated[dict[Word, Word], Field(max_length=32)]
Tokens = Annotated[int, Field(ge=0, le=1 << 24)]
_TERMS = tuple(RouteTerms.model_fields)


class Routes(Service):
    """Routes: a name that calls ask, and the candidates that may answer."""

    noun = "route"

    @operation("POST /routes", permission="route.write", status=201)
    def create(
        self,
        name: Name,
        candidates: Candidates,
        *,
        policy: Policy = "ordered",
        sticky: Sticky = "",
        pin: Pin = "",
        rules: Rules = [],  # noqa: B006 - never changed
        fallback_on: Troubles = list(TROUBLES),  # noqa: B006
        retries: Retries = 1,
        retry_budget: Share = 0.2,
        backoff: Backoff = Backoff(),
        waits: Waits = Waits(),
        breaking: Breaking = Breaking(),
        environment: Place = "",
        note: Text = "",
    ) -> Route:
        """Let calls that ask for a name go to several candidates: by policy, by rules, and on where one fails.

        The name stands among those of deployments. A protected environment takes deployments and approved releases.
        """
        given = dict(locals())
        terms = {part: given[part] for part in _TERMS}
        with self.begin() as tx:
            place = environment_for(tx, environment)
            if routes.find(tx, place, name) is not None:
                raise Conflict(f"The route {name} exists in {place}.", hint=f"`mainspring route update {name}`.")
            if deployments.find(tx, place, name) is not None:
                raise Conflict(f"{name} is a deployment in {place}.", hint="Take another name.")
            return self._moved(tx, place, name, "create", terms, note)

    @operation("PATCH /routes/{name}", permission="route.write")
    def update(
        self,
        name: Name,
        *,
        candidates: Candidates | None = None,
        policy: Policy | None = None,
        sticky: Sticky | None = None,
        pin: Pin | None = None,
        rules: Rules | None = None,
        fallback_on: Troubles | None = None,
        retries: Retries | None = None,
        retry_budget: Share | None = None,
        backoff: Backoff | None = None,
        waits: Waits | None = None,
        breaking: Breaking | None = None,
        environment: Place = "",
        note: Text = "",
    ) -> Route:
        """Change what is given of a route; an empty pin takes the pin away."""
        given = dict(locals())
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = routes.get(tx, place, name)
            changes = {part: given[part] for part in _TERMS if given.get(part) is not None}
            terms = {part: getattr(now, part) for part in _TERMS} | changes
            return self._moved(tx, place, name, "update", terms, note)

    @operation("GET /routes/{name}", permission="route.read", mcp=True)
    def get(self, name: Name, *, environment: Place = "") -> Route:
        """Show a route as it is now."""
        with self.read() as tx:
            return routes.get(tx, environment or tx.caller.environment, name)

    @operation("GET /routes", permission="route.read", mcp=True)
    def list_(self, *, environment: Place = "", limit: Limit = 100, cursor: Cursor = "") -> Page[Route]:
        """List the routes of an environment, by name."""
        with self.read() as tx:
            found, following = routes.page(tx, environment or tx.caller.environment, limit, cursor)
        return Page[Route](items=found, next_cursor=following)

    @operation("DELETE /routes/{name}", permission="route.write")
    def delete(self, name: Name, *, environment: Place = "", note: Text = "") -> Route:
        """Take a route away; its history stays."""
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = routes.get(tx, place, name)
            return routes.append(tx, place, name, "delete", {part: getattr(now, part) for part in _TERMS}, note)

    @operation("GET /routes/{name}/history", permission="route.read", mcp=True)
    def history(self, name: Name, *, environment: Place = "", limit: Limit = 100, cursor: Cursor = "") -> Page[Route]:
        """List every change of a route, newest first: what it was when, who made it so, and why."""
        with self.read() as tx:
            found, following = routes.history(tx, environment or tx.caller.environment, name, limit, cursor)
        return Page[Route](items=found, next_cursor=following)

    @operation("GET /routes/{name}/health", permission="route.read", mcp=True)
    def health(self, name: Name, *, environment: Place = "") -> list[RouteHealth]:
        """Show how each candidate has answered the calls of this server process, and the state of its breaker."""
        board = board_of(self.platform)
        with self.read() as tx:
            _, options = self._plan(tx, name, environment)
        return [_health(board, choice) for choice in options]

    @operation("POST /routes/{name}/test", permission="route.read", audit=False, mcp=True)
    def test(
        self,
        name: Name,
        *,
        tokens: Tokens = 100,
        max_tokens: Annotated[int, Field(ge=1, le=131072)] = 512,
        needs: Annotated[list[Ability], Field(max_length=3)] = [],  # noqa: B006 - never changed
        user: Word = "",
        session: Word = "",
        tags: Annotated[list[Word], Field(max_length=32)] = [],  # noqa: B006
        headers: Words = {},  # noqa: B006
        metadata: Words = {},  # noqa: B006
        environment: Place = "",
    ) -> RouteTest:
        """Say where a call of this kind would go now, in which order and why, without asking anything."""
        heard = {header.lower(): value for header, value in headers.items()}
        if tags:
            heard["x-mainspring-tag"] = ", ".join(tags)
        call = Call(
            tokens=tokens,
            made=max_tokens,
            needs=frozenset(needs),
            user=user,
            session=session,
            key=self.caller.key_id,
            member=self.caller.member,
            headers=heard,
            metadata=metadata,
        )
        board = board_of(self.platform)
        with self.read() as tx:
            route, options = self._plan(tx, name, environment)
        order = ordered(route, options, call, board)
        steps = _steps(route, order, call, board)
        return RouteTest(
            route=route.name,
            revision=route.revision,
            policy=route.policy,
            rule=order.rule,
            unit=order.unit,
            tokens=tokens,
            steps=steps,
        )

    def _plan(self, tx: Tx, name: str, environment: str) -> tuple[Route, list[Option]]:
        """Return a route, and its candidates with their prices."""
        place = environment or tx.caller.environment
        route, prices = routes.get(tx, place, name), book(tx)

        def priced(target: Target) -> Target:
            names = [target.model, *([target.spec.model] if isinstance(target.spec, Remote) else [])]
            found = (prices.price(model, tx.now, provider=target.provider) for model in names)
            return replace(target, price=next((price for price in found if price is not None), None))

        return route, list(plan_of(tx, route, place).each(priced).options())

    def _moved(self, tx: Tx, place: str, name: str, action: Change, terms: dict[str, Any], note: str) -> Route:
        try:
            made = routes.append(tx, place, name, action, terms, note)
        except ValueError as problem:
            words = "; ".join(error["msg"] for error in getattr(problem, "errors", list)()) or str(problem)
            raise Invalid(f"The route is not valid: {words}", hint="See docs/how-to/route.md.") from None
        check(tx, made, protected=is_protected(tx, place))
        return made


def _steps(route: Route, order: Order, call: Call, board: Board) -> list[RouteStep]:
    asked = []
    for rank, choice in enumerate(order.asked, 1):
        rests = board.upstream(choice.target).rests(board.now()) if choice.target is not None else 0.0
        why = _reason(route, order, choice, rank)
        asked.append(_step(choice, rank, f"left alone for {rests:.0f} s more" if rests else why, call, board))
    return asked + [_step(passed.choice, 0, passed.why, call, board) for passed in order.passed]


def _reason(route: Route, order: Order, choice: Option, rank: int) -> str:
    if choice.candidate.target == route.pin:
        return "it is pinned"
    if not choice.candidate.weight:
        return "kept for failures of the others"
    if rank > 1:
        return "where those before it fail"
    if order.unit:
        return f"the {route.sticky} stays with it"
    said = {
        "ordered": "it stands first",
        "weighted": "the draw of this call by weight",
        "least-busy": "it answers the fewest calls for its weight",
        "cheapest": "it costs least for this call",
        "fastest": "it is expected to answer first",
    }
    return said[route.policy]


def _step(choice: Option, rank: int, why: str, call: Call, board: Board) -> RouteStep:
    target = choice.target
    upstream = board.upstream(target) if target is not None else None
    return RouteStep(
        candidate=choice.candidate.target,
        rank=rank,
        why=why,
        model=target.model if target is not None else "",
        release=target.release if target is not None else "",
        cost=cost_of(target, call) if target is not None else None,
        state=upstream.breaker.state(board.now()) if upstream is not None else "closed",
        running=upstream.running if upstream is not None else 0,
    )


def _health(board: Board, choice: Option) -> RouteHealth:
    if choice.target is None:
        facts: dict[str, Any] = {"upstream": "", "state": "closed", "running": 0, "calls": 0, "failures": 0}
        facts |= {"consecutive": 0, "rests_seconds": 0.0, "milliseconds": None, "last_problem": choice.problem}
        return RouteHealth(candidate=choice.candidate.target, **facts)
    now, upstream = board.now(), board.upstream(choice.target)
    calls, failures = upstream.breaker.counts()
    return RouteHealth(
        candidate=choice.candidate.target,
        upstream=upstream_name(choice.target),
        state=upstream.breaker.state(now),
        running=upstream.running,
        calls=calls,
        failures=failures,
        consecutive=upstream.breaker.consecutive,
        rests_seconds=upstream.rests(now),
        milliseconds=upstream.milliseconds,
        last_problem=upstream.problem,
    )
