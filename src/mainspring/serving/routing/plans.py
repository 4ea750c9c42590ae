"""Plans: a route with what each of its candidates stands for now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from mainspring.kernel import access
from mainspring.kernel.errors import Conflict, Invalid, MainspringError
from mainspring.kernel.ports import JSON
from mainspring.kernel.tx import Tx
from mainspring.serving import deployments, targets
from mainspring.serving.cache.rules import caches
from mainspring.serving.deployments import Subject
from mainspring.serving.models import Target
from mainspring.serving.moves import Moves
from mainspring.serving.routing.models import Candidate, Route
from mainspring.serving.routing.tables import route_moves
from mainspring.serving.targets import Choice
from mainspring.workspace import require_asked

routes: Moves[Route] = Moves(route_moves, Route, "route")
_NOBODY = Subject()
_FIELDS = tuple(field.name for field in fields(Target))


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate, and its target; None where it cannot be asked, for the reason in `problem`."""

    candidate: Candidate
    target: Target | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed(Target):
    """Where one call of a route goes; as a target it is the first of its candidates that can be asked."""

    route: Route
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a route leads to, whomever a call is for."""

    route: Route
    leads: tuple[Choice | str, ...]
    """What each candidate leads to, or why it cannot be asked."""

    def pick(self, subject: Subject = _NOBODY) -> Target:
        """Return where a call goes. Raises Conflict where none of the candidates can be asked."""
        options = self.options(subject)
        first = next((option.target for option in options if option.target is not None), None)
        if first is None:
            problem = f"The route {self.route.name} has no candidate that can be asked: {options[0].problem}"
            raise Conflict(problem, hint=f"`mainspring route test {self.route.name}` says why.")
        facts = {field: getattr(first, field) for field in _FIELDS} | {"shadow": None}
        return Routed(**facts, route=self.route, options=options)

    def options(self, subject: Subject = _NOBODY) -> tuple[Option, ...]:
        """Return each candidate with its target."""
        pairs = zip(self.route.candidates, self.leads, strict=True)
        return tuple(_option(candidate, lead, subject) for candidate, lead in pairs)

    def each(self, change: Callable[[Target], Target]) -> Plan:
        """Return the plan with every target changed."""
        return Plan(self.route, tuple(lead if isinstance(lead, str) else lead.each(change) for lead in self.leads))


Lead = Choice | Plan
"""What a name leads to."""


def resolve(tx: Tx, text: str, environment: str, *, subject: Subject = _NOBODY) -> Target:
    """Return where a call goes, a route's or any other; see `targets.resolve`."""
    return lookup(tx, text, environment).pick(subject)


def lookup(tx: Tx, text: str, environment: str) -> Lead:
    """Return what a name leads to; see `targets.lookup`.

    A route is asked by its name, as a deployment is: who may ask for deployments and for this name may ask for it, and
    needs no right to what its candidates stand for.
    """
    name = text.removeprefix("deployment/")
    route = routes.known(tx, environment).get(name)
    if route is None:
        return _keeping(tx, targets.lookup(tx, text, environment), environment)
    access.require(tx.caller, "deployment.use")
    require_asked(tx.caller, f"deployment/{name}")
    return plan_of(tx, route, environment)


def plan_of(tx: Tx, route: Route, environment: str) -> Plan:
    """Return a route's plan. Somebody who may ask for its candidates made it, and that is enough."""
    own = replace(tx, caller=access.system(tx.project, environment))
    return Plan(route, tuple(_lead(own, route, candidate.target, environment) for candidate in route.candidates))


def with_prompt(tx: Tx, target: Target, ref: str, options: Mapping[str, JSON]) -> Target:
    """Return a target with a prompt in front; see `targets.with_prompt`. Raises Invalid for a route."""
    if isinstance(target, Routed):
        raise Invalid("A route's calls bring no prompt.", hint="Ask model/…, or a release with it.", param="prompt")
    return targets.with_prompt(tx, target, ref, options)


def check(tx: Tx, route: Route, *, protected: bool) -> None:
    """Refuse candidates that their author may not ask for, or that a protected environment does not take.

    Raises NotFound, Denied, Conflict or Invalid.
    """
    for candidate in route.candidates:
        target = targets.resolve(tx, candidate.target, route.environment)
        if protected and not target.release:
            raise Conflict(
                f"{route.environment} takes approved releases only, and {candidate.target} is none.",
                hint="Name deployments, or releases that were approved.",
            )
        if protected and not target.deployment:
            deployments.deployable(tx, target.release, route.environment)


def _lead(tx: Tx, route: Route, text: str, environment: str) -> Choice | str:
    try:
        return _keeping(tx, targets.lookup(tx, text, environment), environment, route.name)
    except MainspringError as error:
        return error.message


def _keeping(tx: Tx, choice: Choice, environment: str, route: str = "") -> Choice:
    """Return a choice whose answers are kept as the policy of the route, or else of the deployment, says."""
    names = [route, choice.move.name if choice.move is not None else ""]
    known = caches.known(tx, environment)
    policy = next((known[name] for name in names if name in known), None)
    if policy is None:
        return choice
    made = choice.each(lambda target: replace(target, cache=policy))
    # A shadow is there to be measured.
    return replace(made, shadow=choice.shadow)


def _option(candidate: Candidate, lead: Choice | str, subject: Subject) -> Option:
    if isinstance(lead, str):
        return Option(candidate, None, lead)
    try:
        return Option(candidate, lead.pick(subject))
    except MainspringError as error:
        return Option(candidate, None, error.message)
