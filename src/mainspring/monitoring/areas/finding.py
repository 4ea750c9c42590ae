"""Finding: bad traces join the areas that they resemble, or make new ones; what was fixed and comes back is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, select

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx
from mainspring.monitoring import grouping
from mainspring.monitoring.areas import store
from mainspring.monitoring.areas.gathering import Bad, Gathered, gather
from mainspring.monitoring.areas.models import Effect, FindSettings, Found
from mainspring.monitoring.areas.tables import issues
from mainspring.monitoring.shift import topics
from mainspring.stats.independent import difference
from mainspring.stats.intervals import TooFewRows
from mainspring.traces import moment

if TYPE_CHECKING:
    import numpy as np

Vectors = Mapping[str, "np.ndarray"]


def find(platform: Platform, target: str, environment: str, settings: FindSettings) -> Found:
    """Look at the bad traces of the last days. Doing it again changes nothing but what came meanwhile.

    Raises Invalid where there is no embedding model.
    """
    if platform.embed_port is None:
        raise Invalid(
            "Areas are found by meaning, and there is no embedding model.", hint="mainspring model pull minilm"
        )
    until = platform.clock.now()
    held = gather(platform, target, environment, settings, since=until - timedelta(days=settings.days), until=until)
    with platform.read() as tx:
        known = store.members(tx, [one.trace_id for one in held.bad])
        rows = _rows(tx, target, environment, platform.embed.name)
    fresh = [one for one in held.bad if one.trace_id not in known and one.text]
    vectors = _embedded(platform, [*(one.text for one in fresh), *(one.asked for one in fresh)])
    joined, rest = _join(rows, fresh, vectors, settings.near)
    groups = _groups(rest, vectors, settings)
    names = _names(groups, rest, held)
    asked = _embedded(platform, [one.asked for one in held.seen])
    with platform.begin() as tx:
        opened = [_open(tx, group, names[place], vectors, target, environment) for place, group in enumerate(groups)]
        reopened = [row["id"] for row, members in joined if _grow(tx, row, members, vectors)]
        for row in _rows(tx, target, environment, platform.embed.name):
            if row["state"] != "ignored":
                store.change(tx, row["id"], effect=_effect(row, held, asked, settings.near).model_dump())
    return Found(
        looked_at=len(held.bad),
        fresh=len(fresh),
        joined=sum(len(members) for _, members in joined),
        opened=opened,
        reopened=reopened,
        alone=len(rest) - sum(map(len, groups)),
    )


def _rows(tx: Tx, target: str, environment: str, embedding: str) -> list[RowMapping]:
    i = issues.c
    mine = (i.project == tx.project) & (i.target == target) & (i.environment == environment)
    query = select(issues).where(mine, i.embedding == embedding).order_by(i.id.desc()).limit(1000)
    return list(tx.execute(query).mappings())


def _embedded(platform: Platform, texts: Sequence[str]) -> dict[str, np.ndarray]:
    distinct = [text for text in dict.fromkeys(texts) if text]
    if not distinct:
        return {}
    return dict(zip(distinct, platform.embed.embed(distinct), strict=True))


def _join(
    rows: Sequence[RowMapping], fresh: Sequence[Bad], vectors: Vectors, near: float
) -> tuple[list[tuple[RowMapping, list[Bad]]], list[Bad]]:
    """Return what joins each area that is there, the nearest one, and what is left."""
    import numpy as np

    middles = [np.asarray(row["middle"], dtype=np.float64) for row in rows]
    joined: dict[int, list[Bad]] = {}
    rest: list[Bad] = []
    for one in fresh:
        likeness = [
            float(middle @ vectors[one.text]) if row["why"] == one.why else -1.0
            for row, middle in zip(rows, middles, strict=True)
        ]
        best = max(range(len(rows)), key=likeness.__getitem__, default=-1)
        if best >= 0 and likeness[best] >= near:
            joined.setdefault(best, []).append(one)
        else:
            rest.append(one)
    return [(rows[place], members) for place, members in joined.items()], rest


def _groups(rest: Sequence[Bad], vectors: Vectors, settings: FindSettings) -> list[list[Bad]]:
    """Group what is left, errors and scores apart; what resembles too few stays alone, and is looked at again."""
    import numpy as np

    found: list[list[Bad]] = []
    for why in ("errors", "scores"):
        mine = [one for one in rest if one.why == why]
        if not mine:
            continue
        texts = list(dict.fromkeys(one.text for one in mine))
        labels = dict(
            zip(texts, grouping.grouped(np.array([vectors[text] for text in texts]), settings.near), strict=True)
        )
        groups: dict[int, list[Bad]] = {}
        for one in mine:
            groups.setdefault(labels[one.text], []).append(one)
        found += [group for group in groups.values() if len(group) >= settings.least]
    return sorted(found, key=len, reverse=True)


def _names(groups: Sequence[Sequence[Bad]], rest: Sequence[Bad], held: Gathered) -> dict[int, list[str]]:
    """Name each group by the words that tell it from the others, and from what goes well."""
    bad = {one.trace_id for one in held.bad}
    place_of = {id(one): place for place, group in enumerate(groups) for one in group}
    texts = [one.text for one in rest] + [one.asked for one in held.seen if one.trace_id not in bad]
    labels = [place_of.get(id(one), -1) for one in rest] + [-2] * (len(texts) - len(rest))
    found = topics.names(texts, labels)
    return {place: found.get(place, []) for place in range(len(groups))}


def _open(tx: Tx, members: Sequence[Bad], words: list[str], vectors: Vectors, target: str, environment: str) -> str:
    import numpy as np

    scores = Counter(one.score for one in members)
    kind = members[0].why
    return store.add(
        tx,
        {
            "name": grouping.named(words, members[0].text[:60] or kind)[:200],
            "words": words,
            "why": kind,
            "score": scores.most_common(1)[0][0],
            "target": target,
            "environment": environment,
            "embedding": tx.platform.embed.name,
            "middle": _rounded(grouping.centre(np.array([vectors[one.text] for one in members]))),
            "asked": _asked(members, vectors),
        },
        members,
    )


def _asked(members: Sequence[Bad], vectors: Vectors) -> list[float]:
    import numpy as np

    known = [vectors[one.asked] for one in members if one.asked]
    return _rounded(grouping.centre(np.array(known))) if known else []


def _rounded(vector: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in vector]


def _grow(tx: Tx, row: RowMapping, members: Sequence[Bad], vectors: Vectors) -> bool:
    """Add traces to an area, and move its middle with them; tell whether it had been fixed and is open again."""
    import numpy as np

    weight, fresh = int(row["count"]), np.array([vectors[one.text] for one in members])
    middle = grouping.centre(np.vstack([np.asarray(row["middle"]) * weight, fresh.sum(axis=0)]))
    again = row["state"] == "fixed" and [one for one in members if _came_back(row, one)]
    store.extend(tx, row, members, _rounded(middle))
    if not again:
        return False
    where = sorted({one.release for one in again if one.release})
    said = f"{len(again)} traces since it was fixed" + (f", answered by {', '.join(where[:3])}" if where else "")
    store.move(tx, row, "open", "reopened", f"{said}.")
    return True


def _came_back(row: RowMapping, one: Bad) -> bool:
    """Tell whether a trace shows that an area is not fixed: one of the release that fixed it, or of a later one.

    Where a release is named, calls that an earlier version of it still answered say nothing.
    """
    if moment(one.at_ns) <= row["fixed_at"]:
        return False
    if not row["release"] or not one.release.startswith("release/"):
        return True
    fixed, seen = parse(row["release"]), parse(one.release)
    return fixed.name != seen.name or (seen.number or 0) >= (fixed.number or 0)


def _effect(row: RowMapping, held: Gathered, asked: Vectors, near: float) -> Effect:
    """Hold all calls that ask like an area's against the others. The bad ones alone would be worse by their choice."""
    import numpy as np

    metric = row["score"] or "errors"
    middle = np.asarray(row["asked"], dtype=np.float64)
    values = held.values.get(row["score"], {})
    inside: list[float] = []
    outside: list[float] = []
    for one in held.seen if len(middle) else ():
        value = values.get(one.trace_id) if row["score"] else float(one.failed)
        if value is not None:
            (inside if float(middle @ asked[one.asked]) >= near else outside).append(value)
    facts: dict[str, Any] = {"metric": metric, "n_inside": len(inside), "n_outside": len(outside)}
    means = [float(np.mean(side)) if side else None for side in (inside, outside)]
    facts |= {"inside": means[0], "outside": means[1]}
    if means[0] is None or means[1] is None:
        return Effect(**facts, difference=None, low=None, high=None, note="There is nothing to hold it against.")
    try:
        found = difference(inside, outside)
    except TooFewRows as few:
        return Effect(**facts, difference=means[0] - means[1], low=None, high=None, note=f"No interval: {few}.")
    return Effect(**facts, difference=found.estimate, low=found.low, high=found.high, method=found.method)
