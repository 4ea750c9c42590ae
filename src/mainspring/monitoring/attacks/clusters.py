"""Clusters: what guards found in the traffic, grouped by meaning and named by its words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.monitoring import grouping
from mainspring.monitoring.attacks.models import AttackCluster, AttackClusters, ClusterExample, DayCount
from mainspring.monitoring.online.sampling import text_of
from mainspring.monitoring.sample import LOOKED_AT, calls, question
from mainspring.monitoring.shift import topics
from mainspring.traces import moment

_READ = 2000
_SHOWN = 300
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A call in which a guard found something."""

    span: Span
    text: str
    kinds: tuple[str, ...]
    sources: tuple[str, ...]
    action: str


def clusters(
    platform: Platform,
    target: str,
    environment: str,
    *,
    detectors: Sequence[str] = (),
    guard: str = "",
    since: datetime,
    until: datetime,
    near: float = grouping.NEAR,
) -> AttackClusters:
    """Group the newest hits of a time, at most 2,000 of them."""
    with platform.read() as tx:
        project = tx.project
    found: list[Hit] = []
    seen = 0
    for span in calls(platform, project, target, environment, since=since, until=until):
        seen += 1
        hit = _hit(span, detectors, guard)
        if hit is not None:
            found.append(hit)
            if len(found) == grouping.MOST:
                break
    labels, by = _labels(platform, found, near)
    names = topics.names([hit.text for hit in found], labels)
    made = [
        _cluster([hit for hit, own in zip(found, labels, strict=True) if own == label], names.get(label, []))
        for label in sorted(set(labels))
    ]
    return AttackClusters(
        clusters=sorted(made, key=lambda one: (-one.count, one.name)),
        hits=len(found),
        looked_at=seen,
        more=seen >= LOOKED_AT or len(found) == grouping.MOST,
        grouped_by=by,
    )


def _hit(span: Span, detectors: Sequence[str], guard: str) -> Hit | None:
    held = span.attributes.get("mainspring.guard.hits")
    if not isinstance(held, list) or (guard and not str(span.attributes.get("mainspring.guard", "")).startswith(guard)):
        return None
    hits = [one for one in held if isinstance(one, dict) and (not detectors or one.get("detector") in detectors)]
    if not hits:
        return None
    sources = tuple(dict.fromkeys(str(one.get("source") or _side(one)) for one in hits))
    kinds = tuple(dict.fromkeys(f"{one.get('detector', '')} {one.get('kind', '')}".strip() for one in hits))
    return Hit(
        span, _text(span, sources)[:_READ], kinds, sources, str(span.attributes.get("mainspring.guard.action", ""))
    )


def _side(hit: dict[str, Any]) -> str:
    return "answer" if hit.get("stage") == "output" else "user"


def _text(span: Span, sources: Sequence[str]) -> str:
    """Return what the hit stood in: the results of tools where it came from there, else what the user said."""
    if "tool" in sources and isinstance(span.input, list):
        told = [one for one in span.input if isinstance(one, dict) and one.get("role") == "tool"]
        texts = [text_of(part.get("result", part)) for one in told for part in one.get("parts", []) if part]
        if found := "\n".join(filter(None, texts)).strip():
            return found
    return question(span.input).strip()


def _labels(platform: Platform, found: Sequence[Hit], near: float) -> tuple[list[int], str]:
    """Return the group of each hit, and what they were grouped by. Hits without a text are grouped by their kinds."""
    kinds = {kind: place for place, kind in enumerate(sorted({hit.kinds for hit in found}))}
    texts = list(dict.fromkeys(hit.text for hit in found if hit.text))
    if platform.embed_port is None or not texts:
        return [kinds[hit.kinds] for hit in found], "kinds"
    own = dict(zip(texts, grouping.grouped(platform.embed.embed(texts), near), strict=True))
    return [own[hit.text] if hit.text else -1 - kinds[hit.kinds] for hit in found], platform.embed.name


def _cluster(found: Sequence[Hit], words: list[str]) -> AttackCluster:
    kinds = Counter(kind for hit in found for kind in hit.kinds)
    times = [moment(hit.span.start_ns) for hit in found]
    days = Counter(at.date() for at in times)
    return AttackCluster(
        name=grouping.named(words, kinds.most_common(1)[0][0]),
        words=words,
        count=len(found),
        kinds=dict(kinds.most_common()),
        actions=dict(Counter(hit.action for hit in found).most_common()),
        sources=dict(Counter(source for hit in found for source in hit.sources).most_common()),
        keys=dict(Counter(str(hit.span.attributes.get("mainspring.key_id", "")) for hit in found).most_common(20)),
        users=len({hit.span.user_id for hit in found if hit.span.user_id}),
        deployments=sorted({hit.span.deployment for hit in found if hit.span.deployment}),
        first_at=min(times),
        last_at=max(times),
        days=[DayCount(day=day, count=count) for day, count in sorted(days.items())],
        examples=[_example(hit) for hit in _examples(found)],
    )


def _examples(found: Sequence[Hit]) -> list[Hit]:
    """Return a few hits, newest first, no two with the same text while there are others."""
    distinct = list({hit.text: hit for hit in reversed(found)}.values())
    newest = sorted(distinct, key=lambda hit: -hit.span.start_ns)
    rest = [hit for hit in found if hit not in distinct]
    return [*newest, *rest][:_EXAMPLES]


def _example(hit: Hit) -> ClusterExample:
    return ClusterExample(
        trace_id=hit.span.trace_id,
        at=moment(hit.span.start_ns),
        action=hit.action,
        kinds=list(hit.kinds),
        text=hit.text[:_SHOWN],
    )
