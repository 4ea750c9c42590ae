"""Operations on attacks in live traffic."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Page, sliced
from mainspring.kernel.service import Service
from mainspring.monitoring.attacks import clusters, keys, runaways, watching
from mainspring.monitoring.attacks.models import AttackClusters, KeyUse, Runaway
from mainspring.monitoring.models import Target
from mainspring.monitoring.sample import calls
from mainspring.traces.models import aware

Word = Annotated[str, StringConstraints(max_length=200)]
Words = Annotated[list[Word], Field(max_length=20)]
_WEEK = timedelta(days=7)
_REGISTERED = (watching,)
"""Modules whose import registers monitors."""


class Attacks(Service):
    """Attacks in live traffic: what guards found, keys that are used unusually, answers that run away."""

    noun = "attack"

    @operation("GET /attacks/clusters", permission="attack.read", mcp=True)
    def clusters(
        self,
        *,
        target: Target = "",
        environment: Word | None = None,
        detectors: Words | None = None,
        guard: Word = "",
        since: datetime | None = None,
        until: datetime | None = None,
        near: Annotated[float, Field(ge=0.1, le=0.95)] = 0.5,
    ) -> AttackClusters:
        """Group what guards found, of the last 7 days or the time given, by meaning: names, counts, examples.

        The newest 2,000 hits among the newest 20,000 calls take part. `detectors` such as injection narrows them,
        `guard` such as guard/default@2 too. `near` is the mean cosine from which texts belong together.
        """
        now = self.platform.clock.now()
        return clusters.clusters(
            self.platform,
            target,
            self.caller.environment if environment is None else environment,
            detectors=detectors or [],
            guard=guard,
            since=aware(since) or now - _WEEK,
            until=aware(until) or now,
            near=near,
        )

    @operation("GET /attacks/keys", permission="attack.read")
    def keys(
        self,
        *,
        environment: Word | None = None,
        hours: Annotated[int, Field(ge=1, le=168)] = 24,
        history: Annotated[int, Field(ge=keys.LEAST_WINDOWS, le=336)] = 28,
        alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[KeyUse]:
        """List the keys that were used in the last `hours`, held against their own past, the unusual ones first.

        The past is `history` earlier windows of the same length; of volumes eight weeks are looked at, and of windows
        under a day four. `alpha` is the chance that any key at all is called unusual while all go on as before.
        """
        where = self.caller.environment if environment is None else environment
        return sliced(keys.uses(self.platform, where, hours=hours, history=history, alpha=alpha), limit, cursor)

    @operation("GET /attacks/runaways", permission="attack.read", mcp=True)
    def runaways(
        self,
        *,
        target: Target = "",
        environment: Word | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 4000,
        max_calls: Annotated[int, Field(ge=1, le=10_000)] = 50,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Runaway]:
        """List answers that ran on or repeated themselves, and traces of too many calls, newest first.

        Of the last 7 days, or of the time given, the newest 20,000 calls are looked at.
        """
        now = self.platform.clock.now()
        where = self.caller.environment if environment is None else environment
        seen = calls(
            self.platform,
            self.caller.project,
            target,
            where,
            since=aware(since) or now - _WEEK,
            until=aware(until) or now,
        )
        return sliced(runaways.of(seen, max_output_tokens, max_calls), limit, cursor)
