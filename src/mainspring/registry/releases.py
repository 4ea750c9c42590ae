"""Releases: exact versions that are served together, with a state that only governance changes.

    draft ──▶ in_review ──▶ approved ──▶ withdrawn
      │           │
      └───────────┴──▶ rejected

A check that fails takes a release in review back to draft. Rejected and withdrawn are the end: a correction is a new
version.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, insert, select, update

from mainspring.kernel import events, lineage, versions
from mainspring.kernel.errors import Conflict, Denied
from mainspring.kernel.records import Page, paginate
from mainspring.kernel.tables import versions as version_table
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.registry.models import Parameters, Release, ReleaseEvent, ReleaseState
from mainspring.registry.tables import release_events, release_states

KIND = "release"
MOVES: dict[str, dict[str, tuple[ReleaseState, ...]]] = {
    "checked": {"draft": ("draft", "in_review"), "in_review": ("draft", "in_review"), "approved": ("approved",)},
    "approved": {"in_review": ("approved",)},
    "rejected": {"draft": ("rejected",), "in_review": ("rejected",)},
    "withdrawn": {"approved": ("withdrawn",)},
}
"""What may happen in which state, and where it may lead."""


def create(
    tx: Tx, name: str, *, model: str, prompt: str, guard: str, parameters: Parameters, note: str = ""
) -> Release:
    """Store a release of exact versions as a draft; identical content returns the release that exists."""
    pinned = {"model": versions.resolve(tx, model, "model").ref, "prompt": "", "guard": ""}
    for kind, ref in (("prompt", prompt), ("guard", guard)):
        if ref:
            pinned[kind] = versions.resolve(tx, ref, kind).ref
    content = {**pinned, "parameters": parameters.model_dump(mode="json", exclude_none=True)}
    stored = versions.commit(tx, KIND, name, content, note=note)
    if not stored.existed:
        where = {"project": tx.project, "name": name, "number": stored.number}
        row = {**where, "state": "draft", "author": tx.caller.member, "changed_at": tx.now}
        tx.execute(insert(release_states).values(**row))
        _record(tx, stored.name, stored.number, "created", "draft", note, {})
        lineage.link(tx, tx.new_id(), inputs=[ref for ref in pinned.values() if ref], outputs=[stored.ref])
    return _shown(tx, stored)


def load(tx: Tx, ref: str) -> Release:
    """Return the release that a reference such as `release/docs@2` names. Raises Invalid, NotFound."""
    return _shown(tx, versions.resolve(tx, ref, KIND))


def list_(tx: Tx, *, name: str = "", state: str = "", limit: int = 100, cursor: str = "") -> Page[Release]:
    """Return one page of releases, newest first, without their events."""
    v, s = version_table, release_states
    same = (v.c.project == s.c.project) & (v.c.name == s.c.name) & (v.c.number == s.c.number)
    query = select(v, s.c.state, s.c.author, s.c.changed_at).join(s, same)
    query = query.where(v.c.project == tx.project, v.c.kind == KIND)
    if name:
        query = query.where(v.c.name == name)
    if state:
        query = query.where(s.c.state == state)
    rows, following = paginate(tx, query, v.c.id, limit, cursor)
    return Page[Release](items=[_of_row(row, row) for row in rows], next_cursor=following)


def state_of(tx: Tx, ref: str) -> ReleaseState:
    """Return the state of a release. Raises Invalid, NotFound."""
    stored = versions.resolve(tx, ref, KIND)
    state: ReleaseState = _state_row(tx, stored.name, stored.number)["state"]
    return state


def require_deployable(tx: Tx, ref: str, *, protected: bool) -> Release:
    """Return the release, where it may be deployed: approved for a protected environment, else not refused.

    Raises Denied for a release that is not approved, Conflict for one that was rejected or withdrawn.
    """
    release = load(tx, ref)
    if release.state in ("rejected", "withdrawn"):
        raise Conflict(f"{release.ref} was {release.state}.", hint="Deploy another release.")
    if protected and release.state != "approved":
        raise Denied(
            f"{release.ref} is {release.state.replace('_', ' ')}; the environment takes approved releases only.",
            hint=f"`mainspring release check {release.name}`, then have another member approve it. An environment "
            "that is not protected, such as staging, takes it as it is.",
        )
    return release


def move(
    tx: Tx, release: Release, kind: str, to: ReleaseState, *, note: str = "", detail: dict[str, Any] | None = None
) -> Release:
    """Record what happened to a release and change its state. For governance alone. Raises Conflict.

    The state that was read must still be the state in the database, so that of two decisions one is refused.
    """
    if to not in MOVES[kind].get(release.state, ()):
        raise Conflict(
            f"{release.ref} is {release.state.replace('_', ' ')}, so it cannot be {kind}.",
            hint="A new version begins as a draft." if release.state in ("rejected", "withdrawn") else
            f"`mainspring release check {release.name}` comes first.",
        )  # fmt: skip
    s = release_states.c
    mine = (s.project == tx.project) & (s.name == release.name) & (s.number == release.number)
    change = update(release_states).where(mine, s.state == release.state).values(state=to, changed_at=tx.now)
    if tx.execute(change).rowcount != 1:
        raise Conflict(f"{release.ref} was decided at the same time by somebody else.", hint="Look at it again.")
    _record(tx, release.name, release.number, kind, to, note, detail or {})
    if to != release.state:
        events.emit(tx, "release.moved", {"release": release.ref, "from": release.state, "to": to})
    return load(tx, release.ref)


def _record(tx: Tx, name: str, number: int, kind: str, state: str, note: str, detail: dict[str, Any]) -> None:
    who = {"member": tx.caller.member, "key_id": tx.caller.key_id}
    row = {"id": tx.new_id(), "project": tx.project, "name": name, "number": number, "kind": kind, "state": state}
    tx.execute(insert(release_events).values(**row, **who, at=tx.now, note=note, detail=detail))


def _state_row(tx: Tx, name: str, number: int) -> RowMapping:
    s = release_states.c
    query = select(release_states).where(s.project == tx.project, s.name == name, s.number == number)
    return tx.execute(query).mappings().one()


def _shown(tx: Tx, stored: Version) -> Release:
    e = release_events.c
    query = select(release_events).where(e.project == tx.project, e.name == stored.name, e.number == stored.number)
    rows = tx.execute(query.order_by(e.id).limit(1000)).mappings()
    happened = [ReleaseEvent(**{field: row[field] for field in ReleaseEvent.model_fields}) for row in rows]
    state = _state_row(tx, stored.name, stored.number)
    return _of_row(stored.model_dump(), state).model_copy(update={"events": happened, "existed": stored.existed})


def _of_row(version: Any, state: Any) -> Release:
    content = version["content"]
    facts = {field: version[field] for field in ("name", "number", "sha256", "note", "created_at")}
    return Release(
        ref=f"{KIND}/{version['name']}@{version['number']}",
        **facts,
        **{part: content[part] for part in ("model", "prompt", "guard")},
        parameters=Parameters(**content["parameters"]),
        state=state["state"],
        author=state["author"],
        changed_at=state["changed_at"],
    )
