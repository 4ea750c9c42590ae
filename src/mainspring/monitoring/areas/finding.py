"""Finding: bad traces join the areas that they resemble, or make new ones; what was fixed and comes back is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import RowMapping, select

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx
from mainspring.monitoring import grouping
from mainspring.monitoring.areas import halves, store
from mainspring.monitoring.areas.gathering import Bad, Gathered, Kind, gather, kind_of
from mainspring.monitoring.areas.measuring import Region, effects
from mainspring.monitoring.areas.models import Effect, FindSettings, Found
from mainspring.monitoring.areas.tables import issues
from mainspring.monitoring.shift import topics
from mainspring.traces import moment
from mainspring.traces.models import nanoseconds

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
    fresh = [one for one in held.bad if one.key not in known and one.text]
    vectors = _embedded(platform, [*(one.text for one in fresh), *(one.asked for one in fresh)])
    joined, rest = _join(rows, fresh, vectors, settings.near)
    groups = grouped(rest, vectors, settings)
    names = _names(groups, rest, held)
    asked = _embedded(platform, [one.asked for one in held.seen])
    with platform.begin() as tx:
        opened = [_open(tx, group, names[place], vectors, target, environment) for place, group in enumerate(groups)]
        reopened = [row["id"] for row, members in joined if _grow(tx, row, members, vectors)]
        rows = [row for row in _rows(tx, target, environment, platform.embed.name) if _is_measured(row)]
        regions = [_region(row) for row in rows]
        told = effects(regions, held.seen, held.values, asked, settings.near, alpha=settings.alpha)
        for row, effect in zip(rows, told, strict=True):
            _measured(tx, row, effect)
    return Found(
        looked_at=len(held.bad),
        fresh=len(fresh),
        joined=sum(len(members) for _, members in joined),
        opened=opened,
        reopened=reopened,
        shown=[row["id"] for row, effect in zip(rows, told, strict=True) if effect.shown],
        alone=len(rest) - sum(len(group.members) for group in groups),
    )


@dataclass(slots=True)
class Group:
    """Bad traces that resemble each other, and by which of them the group was found."""

    members: list[Bad]
    by: list[Bad]
    apart: bool
    """Whether it was found by one half of the calls alone."""


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


def _is_measured(row: RowMapping) -> bool:
    """Tell whether calls that ask alike say how an area does: what a tool meets does not hang on them."""
    return bool(row["state"] != "ignored" and row["why"] != "tools")


def _region(row: RowMapping) -> Region:
    return Region(row["score"], row["asked"], nanoseconds(row["created_at"]), row["apart"])


def _measured(tx: Tx, row: RowMapping, effect: Effect) -> None:
    """Keep an area's effect; its history tells when it was first shown."""
    store.change(tx, row["id"], effect=effect.model_dump())
    if effect.shown and not (row["effect"] or {}).get("shown"):
        said = f"{effect.metric} {effect.difference:+.3g} ({effect.low:+.3g} to {effect.high:+.3g})"
        corrected = f"p {effect.p_adjusted:.2g} after correction for {effect.areas} areas"
        store.tell(tx, row["id"], "shown", f"Calls that ask alike do worse: {said}, {corrected}.")


def _join(
    rows: Sequence[RowMapping], fresh: Sequence[Bad], vectors: Vectors, near: float
) -> tuple[list[tuple[RowMapping, list[Bad]]], list[Bad]]:
    """Return what joins each area that is there, the nearest one, and what is left."""
    import numpy as np

    kinds = [kind_of(row["why"], row["score"]) for row in rows]
    middles = [np.asarray(row["middle"], dtype=np.float64) for row in rows]
    joined: dict[int, list[Bad]] = {}
    rest: list[Bad] = []
    for one in fresh:
        best = _nearest(one, kinds, middles, vectors, near)
        if best is None:
            rest.append(one)
        else:
            joined.setdefault(best, []).append(one)
    return [(rows[place], members) for place, members in joined.items()], rest


def _nearest(
    one: Bad, kinds: Sequence[Kind], middles: Sequence[np.ndarray], vectors: Vectors, near: float
) -> int | None:
    """Return which area a bad trace resembles most, of those that went wrong in the same way; None for none."""
    likeness = [
        float(middle @ vectors[one.text]) if kind == one.kind else -1.0
        for kind, middle in zip(kinds, middles, strict=True)
    ]
    best = max(range(len(likeness)), key=likeness.__getitem__, default=-1)
    return best if best >= 0 and likeness[best] >= near else None


def grouped(rest: Sequence[Bad], vectors: Vectors, settings: FindSettings) -> list[Group]:
    """Group what belongs to no area yet, the largest group first; what resembles too few stays alone.

    Groups are found by one half of the calls, so that the other half can measure them; what of the other half resembles
    one joins it. What is left of both is grouped together: such a group is measured by later calls alone. Tools that
    failed are not measured, and so not halved.
    """
    first = [one for one in rest if one.why != "tools" and halves.finds(one.unit)]
    found = [Group(list(some), some, apart=True) for some in _alike(first, vectors, settings)]
    taken = {id(one) for group in found for one in group.members}
    left = []
    middles = [grouping.centre(_of(group.by, vectors)) for group in found]
    for one in rest:
        if id(one) in taken:
            continue
        best = _nearest(one, [group.by[0].kind for group in found], middles, vectors, settings.near)
        if best is None:
            left.append(one)
        else:
            found[best].members.append(one)
    found += [Group(some, some, apart=False) for some in _alike(left, vectors, settings)]
    return sorted(found, key=lambda group: -len(group.members))


def _of(members: Sequence[Bad], vectors: Vectors) -> np.ndarray:
    import numpy as np

    return np.array([vectors[one.text] for one in members])


def _alike(some: Sequence[Bad], vectors: Vectors, settings: FindSettings) -> list[list[Bad]]:
    """Return the groups that are large enough, errors, scores and each tool apart."""
    import numpy as np

    found: list[list[Bad]] = []
    for kind in sorted({one.kind for one in some}):
        mine = [one for one in some if one.kind == kind]
        texts = list(dict.fromkeys(one.text for one in mine))
        labels = dict(
            zip(texts, grouping.grouped(np.array([vectors[text] for text in texts]), settings.near), strict=True)
        )
        groups: dict[int, list[Bad]] = {}
        for one in mine:
            groups.setdefault(labels[one.text], []).append(one)
        found += [group for group in groups.values() if len(group) >= settings.least]
    return found


def _names(groups: Sequence[Group], rest: Sequence[Bad], held: Gathered) -> dict[int, list[str]]:
    """Name each group by the words that tell it from the others, and from what goes well."""
    bad = {one.trace_id for one in held.bad}
    place_of = {id(one): place for place, group in enumerate(groups) for one in group.members}
    texts = [one.text for one in rest] + [one.asked for one in held.seen if one.trace_id not in bad]
    labels = [place_of.get(id(one), -1) for one in rest] + [-2] * (len(texts) - len(rest))
    found = topics.names(texts, labels)
    return {place: found.get(place, []) for place in range(len(groups))}


def _open(tx: Tx, group: Group, words: list[str], vectors: Vectors, target: str, environment: str) -> str:
    members = group.members
    scores = Counter(one.score for one in group.by)
    kind = members[0].why
    return store.add(
        tx,
        {
            "name": _named(group, words)[:200],
            "words": words,
            "why": kind,
            "score": scores.most_common(1)[0][0],
            "target": target,
            "environment": environment,
            "embedding": tx.platform.embed.name,
            "middle": _rounded(grouping.centre(_of(members, vectors))),
            "asked": asked_by(group, vectors),
            "apart": group.apart,
        },
        members,
    )


def _named(group: Group, words: list[str]) -> str:
    """Return what an area is called: a tool's by the tool and its commonest error, others by their words."""
    first = group.members[0]
    if first.why != "tools":
        return grouping.named(words, first.text[:60] or first.why)
    said = Counter(one.text for one in group.members).most_common(1)[0][0]
    return f"{first.score}: {' '.join(said.split())[:120] if said != first.score else 'failed'}"


def asked_by(group: Group, vectors: Vectors) -> list[float]:
    """Return the middle of the questions that a group was found by; empty where there is no text."""
    import numpy as np

    known = [vectors[one.asked] for one in group.by if one.asked]
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
