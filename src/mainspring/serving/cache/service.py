"""The operations on caches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text
from mainspring.kernel.service import Service
from mainspring.kernel.spans import SpanFilter
from mainspring.kernel.tx import Tx
from mainspring.serving import deployments
from mainspring.serving.cache import entries, evaluating
from mainspring.serving.cache.cache import running
from mainspring.serving.cache.models import (
    CacheEvaluation,
    CachePolicy,
    CacheStats,
    CacheTerms,
    Cleared,
    Mode,
    Scope,
    Threshold,
    ThresholdResult,
)
from mainspring.serving.cache.rules import caches
from mainspring.serving.moves import Change
from mainspring.serving.routing.plans import routes
from mainspring.traces import aware, nanoseconds
from mainspring.workspace import environment_for

Place = Annotated[str, Field(max_length=128)]
"""Name of an environment; empty for the caller's own."""
Word = Annotated[str, StringConstraints(max_length=300)]
Seconds = Annotated[int, Field(ge=1, le=30 * 86_400)]
Entries = Annotated[int, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, Field(ge=1024, le=1 << 34)]
Thresholds = Annotated[list[Threshold], Field(min_length=1, max_length=20)]
USUAL = (0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.99, 1.0)
_TERMS = tuple(CacheTerms.model_fields)


class Caches(Service):
    """Caches: what answers are given again under the name of a deployment or a route."""

    noun = "cache"

    @operation("PUT /caches/{name}", permission="cache.write")
    def set(
        self,
        name: Name,
        *,
        mode: Mode = "exact",
        threshold: Threshold = 0.95,
        ttl_seconds: Seconds = 3600,
        max_entries: Entries = 10_000,
        max_bytes: Bytes = 64 << 20,
        scope: Scope = "project",
        sampled: bool = False,
        tools: bool = False,
        environment: Place = "",
        note: Text = "",
    ) -> CachePolicy:
        """Keep the answers of a deployment or a route, and give them again to the same question.

        With the mode semantic also to one whose last message means the same, all else being equal.
        """
        given: dict[str, Any] = dict(locals())
        with self.begin() as tx:
            place = environment_for(tx, environment)
            _require_name(tx, place, name)
            action: Change = "create" if caches.find(tx, place, name) is None else "update"
            return caches.append(tx, place, name, action, {part: given[part] for part in _TERMS}, note)

    @operation("GET /caches/{name}", permission="cache.read", mcp=True)
    def get(self, name: Name, *, environment: Place = "") -> CachePolicy:
        """Show what of a name's answers is kept."""
        with self.read() as tx:
            return caches.get(tx, environment or tx.caller.environment, name)

    @operation("GET /caches", permission="cache.read", mcp=True)
    def list_(self, *, environment: Place = "", limit: Limit = 100, cursor: Cursor = "") -> Page[CachePolicy]:
        """List the policies of an environment, by name."""
        with self.read() as tx:
            found, following = caches.page(tx, environment or tx.caller.environment, limit, cursor)
        return Page[CachePolicy](items=found, next_cursor=following)

    @operation("GET /caches/{name}/history", permission="cache.read", mcp=True)
    def history(
        self, name: Name, *, environment: Place = "", limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[CachePolicy]:
        """List every change of a policy, newest first."""
        with self.read() as tx:
            found, following = caches.history(tx, environment or tx.caller.environment, name, limit, cursor)
        return Page[CachePolicy](items=found, next_cursor=following)

    @operation("DELETE /caches/{name}", permission="cache.write")
    def delete(self, name: Name, *, environment: Place = "", note: Text = "") -> CachePolicy:
        """Keep a name's answers no longer, and remove those that are kept; the policy's history stays."""
        _flush(self.platform)
        with self.begin() as tx:
            place = environment_for(tx, environment)
            now = caches.get(tx, place, name)
            entries.clear(tx.conn, (tx.project, place, name))
            return caches.append(tx, place, name, "delete", {part: getattr(now, part) for part in _TERMS}, note)

    @operation("POST /caches/{name}/clear", permission="cache.write")
    def clear(self, name: Name, *, user: Word = "", trace_id: Word = "", environment: Place = "") -> Cleared:
        """Remove the answers that are kept, with what was counted; or only those that a user or a trace made."""
        _flush(self.platform)
        with self.begin() as tx:
            place = environment_for(tx, environment)
            removed = entries.clear(tx.conn, (tx.project, place, name), user=user, trace_id=trace_id)
        return Cleared(entries=removed)

    @operation("GET /cache-stats", permission="cache.read", mcp=True)
    def stats(self, *, environment: Place = "") -> list[CacheStats]:
        """Show what is kept under each name, how often it was given again since it was cleared, and what that saved."""
        _flush(self.platform)
        with self.read() as tx:
            place = environment or tx.caller.environment
            known = caches.known(tx, place)
            sizes = entries.sizes(tx.conn, tx.project, place)
            found = entries.found(tx.conn, tx.project, place)
        names = sorted({*known, *sizes, *found})
        return [_stats(name, place, known.get(name), sizes.get(name), found.get(name, {})) for name in names[:1000]]

    @operation("POST /caches/{name}/evaluate", permission="cache.read", audit=False)
    def evaluate(
        self,
        name: Name,
        *,
        dataset: Word = "",
        thresholds: Thresholds = list(USUAL),  # noqa: B006 - never changed
        closeness: Annotated[float, Field(ge=0.5, le=1)] = 0.9,
        max_wrong: Annotated[float, Field(gt=0, lt=1)] = 0.05,
        since: datetime | None = None,
        limit: Annotated[int, Field(ge=1, le=2000)] = 500,
        environment: Place = "",
    ) -> CacheEvaluation:
        """Tell what hit rate and what rate of wrong hits a semantic threshold gives, on traffic or on a dataset.

        Calls are gone through in order; a hit is wrong where the earlier answer does not agree with the call's own. Two
        answers agree where the cosine of their embeddings is at least `closeness`; with 1, where they are equal but for
        case and spaces. Of a dataset, rows that end with a user's message and an answer count.
        """
        with self.read() as tx:
            place = environment or tx.caller.environment
            policy = caches.find(tx, place, name)
            project = tx.project
        start = aware(since)
        if dataset:
            calls, ttl = evaluating.of_dataset(self.platform, dataset, limit), 0
        else:
            where = SpanFilter(environment=place, kind="chat", since_ns=nanoseconds(start) if start else 0)
            calls = evaluating.of_traffic(self.platform, project, where, name, limit)
            ttl = policy.ttl_seconds if policy is not None else 0
        if not calls:
            hint = "Ask it for a while with content captured, or name a dataset of conversations."
            raise Invalid(f"There are no calls of {name} to go by.", hint=hint)
        ordered = sorted(set(thresholds))
        comparable, results = evaluating.judged(
            self.platform, calls, ordered, closeness=closeness, ttl_seconds=float(ttl)
        )
        return CacheEvaluation(
            calls=len(calls),
            comparable=comparable,
            agreement="equal but for case and spaces" if closeness == 1 else f"cosine of the answers ≥ {closeness:g}",
            results=results,
            threshold=_best(results, max_wrong),
            max_wrong=max_wrong,
            since=start,
        )


def _best(results: list[ThresholdResult], max_wrong: float) -> float | None:
    """Return the lowest threshold from which on wrong hits are shown to be rare; None where none is."""
    best = None
    for result in reversed(results):
        if result.wrong.of and result.wrong.high <= max_wrong:
            best = result.threshold
        elif result.wrong.of and best is not None:
            break
    return best


def _require_name(tx: Tx, place: str, name: str) -> None:
    if deployments.find(tx, place, name) is None and routes.find(tx, place, name) is None:
        raise NotFound(
            f"There is no deployment or route {name} in {place}.",
            hint="`mainspring deployment list` and `mainspring route list` show them.",
        )


def _stats(
    name: str, place: str, policy: CachePolicy | None, size: tuple[int, int] | None, found: dict[str, int]
) -> CacheStats:
    hits, near, misses = (found.get(part, 0) for part in ("hits", "semantic", "misses"))
    looked = hits + near + misses
    return CacheStats(
        name=name,
        environment=place,
        mode=policy.mode if policy is not None else "",
        entries=size[0] if size else 0,
        bytes=size[1] if size else 0,
        hits=hits,
        semantic_hits=near,
        misses=misses,
        stored=found.get("stored", 0),
        hit_rate=(hits + near) / looked if looked else None,
        saved=found.get("saved", 0) / 1e9,
    )


def _flush(platform: Platform) -> None:
    """Bring to the records what this process keeps and counted."""
    if not platform.writing:
        for cache in running(platform):
            cache.flush()
