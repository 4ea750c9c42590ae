"""Releases: what is pinned, and which states follow which."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.kernel import versions
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import Parameters, Releases, require_deployable
from mainspring.registry import releases as store


@pytest.fixture
def pinned(platform: Platform) -> Platform:
    with platform.begin() as tx:
        for kind in ("model", "prompt", "guard"):
            for number in range(2):
                versions.commit(tx, kind, "docs", {"n": number})
    return platform


def draft(platform: Platform, name: str = "docs", **parameters: int):
    return Releases(platform).create(name, model="model/docs", prompt="prompt/docs@1", guard="guard/docs",
                                     parameters=Parameters(max_tokens=64, **parameters))  # fmt: skip


def test_a_release_pins_exact_versions(pinned: Platform) -> None:
    made = draft(pinned)
    assert (made.model, made.prompt, made.guard) == ("model/docs@2", "prompt/docs@1", "guard/docs@2")
    assert (made.state, made.author, [e.kind for e in made.events]) == ("draft", "ann", ["created"])
    with pinned.begin() as tx:
        versions.commit(tx, "model", "docs", {"n": 9})
    assert Releases(pinned).get("docs").model == "model/docs@2"
    assert draft(pinned).model == "model/docs@3"
    again = draft(pinned)
    assert again.existed and again.number == 2 and len(again.events) == 1


def test_what_is_unknown_or_of_another_kind_cannot_be_pinned(pinned: Platform) -> None:
    with pytest.raises(NotFound):
        Releases(pinned).create("x", model="model/nothing")
    with pytest.raises(Invalid):
        Releases(pinned).create("x", model="prompt/docs")
    assert Releases(pinned).list_().items == []


def test_a_protected_environment_takes_approved_releases_only(pinned: Platform) -> None:
    made = draft(pinned)
    with pinned.begin() as tx:
        assert require_deployable(tx, made.ref, protected=False).ref == made.ref
        with pytest.raises(Denied):
            require_deployable(tx, made.ref, protected=True)
        made = store.move(tx, made, "checked", "in_review")
        made = store.move(tx, made, "approved", "approved")
        assert require_deployable(tx, made.ref, protected=True).state == "approved"
        store.move(tx, made, "withdrawn", "withdrawn")
        for protected in (True, False):
            with pytest.raises(Conflict):
                require_deployable(tx, made.ref, protected=protected)
    assert [e.state for e in Releases(pinned).get("docs").events] == ["draft", "in_review", "approved", "withdrawn"]


def test_of_two_decisions_from_the_same_state_one_is_refused(pinned: Platform) -> None:
    made = draft(pinned)
    with pinned.begin() as tx:
        made = store.move(tx, made, "checked", "in_review")
        store.move(tx, made, "rejected", "rejected")
        with pytest.raises(Conflict, match="same time"):
            store.move(tx, made, "approved", "approved")


def test_lists_narrow_by_state(pinned: Platform) -> None:
    first, second = draft(pinned, "a"), draft(pinned, "b")
    with pinned.begin() as tx:
        store.move(tx, second, "rejected", "rejected")
    listing = Releases(pinned).list_
    assert [r.ref for r in listing(state="draft").items] == [first.ref]
    assert [r.ref for r in listing(name="b").items] == [second.ref]
    page = listing(limit=1)
    assert [r.ref for r in listing(limit=1, cursor=page.next_cursor or "").items] == [first.ref]


STEPS = st.lists(st.tuples(st.sampled_from(sorted(store.MOVES)), st.sampled_from(
    ["draft", "in_review", "approved", "rejected", "withdrawn"])), max_size=8)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS)
def test_no_path_leads_around_the_review(pinned: Platform, steps: list[tuple[str, str]]) -> None:
    with pinned.begin() as tx:
        tag = tx.new_id()
        release = store.create(tx, f"r-{tag}", model="model/docs", prompt="", guard="", parameters=Parameters())
        for kind, to in steps:
            before = release.state
            try:
                release = store.move(tx, release, kind, to)
            except Conflict:
                continue
            assert before not in ("rejected", "withdrawn")
            if to == "approved" and before != "approved":
                assert before == "in_review" and kind == "approved"
        states = [event.state for event in release.events]
        assert states[-1] == release.state
        if "approved" in states:
            assert "in_review" in states[: states.index("approved")]
