"""Records of routing: a route, its candidates and rules, and how it bears failures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from mainspring.kernel.records import Record
from mainspring.serving.moves import Move

Policy = Literal["ordered", "weighted", "least-busy", "cheapest", "fastest"]
"""Which candidate is asked first; the others follow in the policy's order where it fails."""
Sticky = Literal["", "user", "session", "key"]
Trouble = Literal["connect", "timeout", "server", "limit", "context", "filter"]
"""Ways to fail that another candidate may not share: no connection, no answer in time, a failure of the server, too
many requests (429), a question longer than the context, a content filter of the provider."""
Ability = Literal["tools", "images", "schema"]
TROUBLES: tuple[Trouble, ...] = ("connect", "timeout", "server", "limit", "context")
Asked = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^\S+$")]
"""What a client would write in `model`: a deployment, release/…, model/… or PROVIDER/MODEL."""
Word = Annotated[str, StringConstraints(max_length=256)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
_PRIVATE = ("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie")
"""Headers that carry secrets: no rule reads them."""


class Candidate(Record):
    """One place that a route's calls may go to."""

    target: Asked
    weight: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Its share of the traffic beside those of the others; 0 keeps it for failures of the others."""
    context: Annotated[int, Field(ge=0, le=1 << 24)] = 0
    """Tokens of question and answer that it takes; 0: as its engine says, or unknown."""
    lacks: Annotated[list[Ability], Field(max_length=3)] = []
    """What it cannot do: calls that need it go elsewhere. Local models read no images, which need not be said."""


class Condition(Record):
    """What one part of a call has to say."""

    of: Literal["tag", "header", "metadata", "user", "session", "key", "member"]
    """A tag is one of the words in the header `x-mainspring-tag`, between commas."""
    name: Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """Of a header or of metadata."""
    equals: Word | None = None
    prefix: Word | None = None

    @model_validator(mode="after")
    def _whole(self) -> Condition:
        if (self.equals is None) == (self.prefix is None):
            raise ValueError("a condition has either equals or prefix")
        if (self.of in ("header", "metadata")) != bool(self.name):
            raise ValueError("a condition on a header or on metadata has its name, another has none")
        if self.of == "header" and self.name.lower() in _PRIVATE:
            raise ValueError(f"no rule reads the header {self.name}")
        return self

    def holds(self, said: str | None) -> bool:
        """Tell whether what was said is what is asked for."""
        if said is None:
            return False
        return said == self.equals if self.equals is not None else said.startswith(str(self.prefix))


class RouteRule(Record):
    """Calls that meet all conditions go to these candidates alone."""

    when: Annotated[list[Condition], Field(min_length=1, max_length=8)]
    candidates: Annotated[list[Asked], Field(min_length=1, max_length=16)]


class Backoff(Record):
    """How long a retry waits: a random time up to `base_seconds`, doubled at each round, at most `most_seconds`."""

    base_seconds: Annotated[float, Field(ge=0, le=60)] = 0.2
    most_seconds: Annotated[float, Field(ge=0, le=60)] = 10.0
    """A candidate whose `Retry-After` is longer is not asked again by this call."""


class Waits(Record):
    """How long a candidate may take for each phase, in seconds; null leaves it to its provider."""

    connect_seconds: Seconds | None = None
    first_token_seconds: Seconds | None = None
    """From the request to the first piece of a stream."""
    between_seconds: Seconds | None = None
    """From one piece of a stream to the next."""
    total_seconds: Seconds | None = None
    """For the whole call, retries included."""


class Breaking(Record):
    """When a candidate that fails is left alone, and for how long."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """So many failures in a row open the breaker."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """So does this share of the calls within `window_seconds`, of which there must have been `least`."""
    least: Annotated[int, Field(ge=1, le=1000)] = 20
    window_seconds: Seconds = 60.0
    open_seconds: Seconds = 30.0
    """How long nothing is sent; then one call tries whether it answers again."""


class RouteTerms(Record):
    """What a route is set to."""

    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=16)]
    policy: Policy = "ordered"
    sticky: Sticky = ""
    """What stays with one candidate: a user, a session or a key, where the call says it."""
    pin: Annotated[str, StringConstraints(max_length=300)] = ""
    """The candidate that gets all traffic of this environment; the others remain for its failures."""
    rules: Annotated[list[RouteRule], Field(max_length=32)] = []
    """The first one that a call meets says which candidates it has."""
    fallback_on: Annotated[list[Trouble], Field(max_length=6)] = list(TROUBLES)
    """Failures after which the next candidate is asked."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """Rounds in which candidates that failed in passing are asked again, once all were asked."""
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Retries for each call of the traffic, beyond a handful: a server that is down is not asked twice as often."""
    backoff: Backoff = Backoff()
    waits: Waits = Waits()
    breaking: Breaking = Breaking()

    @model_validator(mode="after")
    def _named(self) -> RouteTerms:
        names = [candidate.target for candidate in self.candidates]
        if len(set(names)) < len(names):
            raise ValueError("a candidate stands there twice")
        if not any(candidate.weight for candidate in self.candidates):
            raise ValueError("at least one candidate has a weight")
        asked = [name for rule in self.rules for name in rule.candidates] + ([self.pin] if self.pin else [])
        if unknown := set(asked) - set(names):
            raise ValueError(f"{min(unknown)} is no candidate of the route")
        return self


class Route(RouteTerms, Move):
    """A name that calls ask, and where they go."""


class RouteStep(Record):
    """What would become of one candidate, or what is known of it."""

    candidate: str
    rank: int
    """Its place in the order, from 1; 0 where it is not asked."""
    why: str
    model: str
    """What it stands for now: a version of a model, or PROVIDER/MODEL."""
    release: str
    cost: float | None
    """US dollars that the described call may cost there; null where there is no price."""
    state: Literal["closed", "open", "half-open"]
    """Of its breaker."""
    running: int
    """Calls through routes that it is answering, in this process."""


class RouteTest(Record):
    """Where a call would go."""

    route: str
    revision: int
    policy: Policy
    rule: int
    """Which rule it meets, from 1; 0 for none."""
    unit: str
    """What it stays by: the user, the session or the key, or empty."""
    tokens: int
    """Of the question, about."""
    steps: list[RouteStep]


class RouteHealth(Record):
    """How a candidate's server has answered lately, as this process has seen it through routes."""

    candidate: str
    upstream: str
    """The server and model behind it; routes that share one share its breaker."""
    state: Literal["closed", "open", "half-open"]
    running: int
    calls: int
    failures: int
    consecutive: int
    """Failures since the last success."""
    rests_seconds: float
    """Until the breaker lets a call try, or until its `Retry-After` has passed; 0 where it may be asked."""
    milliseconds: float | None
    """To the first piece or the whole answer, the latest counting most."""
    last_problem: str
