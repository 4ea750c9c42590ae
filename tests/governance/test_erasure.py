"""Erasing an end user: what goes, what stays, what comes late, and what is remembered of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines

from mainspring.data.service import Datasets
from mainspring.governance.erasing import Erasures
from mainspring.governance.erasing.jobs import settle_due
from mainspring.governance.service import Audits
from mainspring.kernel import events, hooks, runs
from mainspring.kernel.errors import Denied
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tables import metadata
from mainspring.monitoring import Queues
from mainspring.monitoring.annotation import Question
from mainspring.monitoring.boards import Boards
from mainspring.monitoring.boards.models import Panel, Where
from mainspring.surfaces.app import build_app
from mainspring.traces import Captures, Intake, Scores, Sessions, Traces, Users
from mainspring.traces.comments import Comments
from mainspring.traces.models import MaskRule
from mainspring.tuning.service import Runs
from mainspring.workspace import first_start
from mainspring.workspace.views import Views

KIM, LEE = "shopper/kim@example.com", "lee"


def trace(number: int) -> str:
    return f"{number:032x}"


def span(platform: Platform, number: int, user: str, *, span_id: int = 0, **fields: object) -> Span:
    at = int(platform.clock.now().timestamp() * 1e9)
    base: dict[str, object] = {
        "trace_id": trace(number), "span_id": f"{span_id or number:016x}", "project": "default", "kind": "chat",
        "name": "chat", "start_ns": at, "end_ns": at + 10**8, "status": "ok", "user_id": user,
        "session_id": f"s-{user}", "input": [{"role": "user", "content": f"Question {number}"}],
        "output": [{"role": "assistant", "content": f"Answer {number}"}],
    }  # fmt: skip
    return Span(**{**base, **fields})  # type: ignore[arg-type]


@pytest.fixture
def shop(platform: Platform) -> Platform:
    """Three traces of Kim, one of Lee, and what was made of them."""
    platform.spans.append([span(platform, n, KIM) for n in (1, 2, 3)] + [span(platform, 4, LEE)])
    platform.spans.flush()
    for number in (1, 4):
        Scores(platform).create("helpful", trace_id=trace(number), number=0, comment=f"for {number}")
        Comments(platform).create(trace(number), "Look at this.")
    for user in (KIM, LEE):
        Scores(platform).create("session", session_id=f"s-{user}", label="long")
    Queues(platform).create("look", [Question(name="good", kind="thumbs")])
    Queues(platform).add("look", [trace(1), trace(4)])
    Datasets(platform).collect("seen")
    Views(platform).save("traces", "Kim", {"user_id": KIM})
    Views(platform).save("traces", "Lee", {"user_id": LEE})
    panels = [Panel(measure="requests", where=Where(user=user)) for user in (KIM, LEE)]
    Boards(platform).create("people", panels)
    Boards(platform).create("kim", panels[:1])
    return platform


def result(platform: Platform, run_id: str) -> dict[str, object]:
    with platform.read() as tx:
        run = runs.get(tx, run_id)
    assert run.state == "succeeded", run.error
    return run.result  # type: ignore[no-any-return]


def everything(platform: Platform) -> str:
    """Return all that the records hold, as one text."""
    with platform.read() as tx:
        rows = [row for table in metadata.sorted_tables for row in tx.execute(select(table)).all()]
    return "\n".join(str(tuple(row)) for row in rows)


EXPECTED = {
    "traces": 3, "spans": 3, "sessions": 1, "scores": 2, "comments": 1, "annotations": 1, "saved_views": 1,
    "board_panels": 2,
}  # fmt: skip


def test_a_plan_says_what_goes_and_what_stays_and_changes_nothing(shop: Platform) -> None:
    before = everything(shop)
    plan = Erasures(shop).plan(KIM)
    assert {name: many for name, many in plan.erases.items() if many} == EXPECTED
    assert [(one.ref, one.rows) for one in plan.keeps] == [("dataset/seen@1", 3)]
    assert plan.complete and KIM not in plan.subject
    assert everything(shop) == before
    nobody = Erasures(shop).plan("nobody")
    assert not any(nobody.erases.values()) and nobody.keeps == []


def test_an_erasure_reaches_every_room_and_leaves_the_others_alone(shop: Platform) -> None:
    done = result(shop, Erasures(shop).run(KIM).id)
    assert {name: many for name, many in done["erased"].items() if many} == EXPECTED  # type: ignore[attr-defined]
    assert [user.user_id for user in Users(shop).list_().items] == [LEE]
    assert [line.session_id for line in Sessions(shop).list_().items] == [f"s-{LEE}"]
    assert [line.trace_id for line in Traces(shop).list_().items] == [trace(4)]
    assert sorted(one.name for one in Scores(shop).list_().items) == ["helpful", "session"]
    assert [one.trace_id for one in Comments(shop).list_().items] == [trace(4)]
    assert [item.trace_id for item in Queues(shop).items("look").items] == [trace(4)]
    assert [view.title for view in Views(shop).list_().items] == ["Lee"]
    mine = [board for board in Boards(shop).list_().items if not board.built_in]
    assert [(board.name, [panel.where.user for panel in board.panels]) for board in mine] == [("people", [LEE])]
    assert Datasets(shop).get("seen").rows == 4
    again = result(shop, Erasures(shop).run(KIM).id)
    assert not any(again["erased"].values())  # type: ignore[attr-defined]


def test_who_it_was_stands_nowhere_once_it_has_settled(shop: Platform, clock) -> None:  # type: ignore[no-untyped-def]
    Datasets(shop).delete("seen", 1)
    list(Traces(shop).export(user_id=KIM, attribute=[f"user.id={KIM}"], query="Question"))
    run = Erasures(shop).run(KIM)
    assert settle_due(shop) == 0
    clock.advance(seconds=11)
    assert (settle_due(shop), settle_due(shop)) == (1, 0)
    [erasure] = Erasures(shop).list_().items
    assert Erasures(shop).get(erasure.id) == erasure and erasure.settled_at and erasure.run_id == run.id
    assert KIM not in everything(shop)
    log = Audits(shop).list_(action="erasure.done").items
    assert [(row.detail["subject"], row.detail["traces"]) for row in log] == [(erasure.subject, 3)]
    [asked] = Audits(shop).list_(action="erasure.run").items
    [export] = Audits(shop).list_(action="trace.export").items
    assert asked.detail["user_id"] == export.detail["user_id"] == erasure.subject
    assert export.detail["attribute"] == f"user.id={erasure.subject}"


def test_what_was_held_elsewhere_goes_when_the_erasure_settles(shop: Platform, clock) -> None:  # type: ignore[no-untyped-def]
    held = span(shop, 9, KIM)
    result(shop, Erasures(shop).run(KIM).id)
    # By a process that had not heard of it yet; and the user has come back since.
    shop.spans.append([held, span(shop, 10, KIM, session_id="")])
    clock.advance(seconds=11)
    assert settle_due(shop) == 1 and Erasures(shop).list_().items[0].settled_at is None
    assert settle_due(shop) == 1
    [erasure] = Erasures(shop).list_().items
    assert erasure.settled_at and erasure.erased["traces"] == 4
    assert [line.trace_id for line in Traces(shop).list_().items] == [trace(10), trace(4)]


def test_what_arrives_late_is_dropped_and_what_comes_after_is_kept(shop: Platform) -> None:
    child = span(shop, 7, "", span_id=71, parent_id=f"{7:016x}", session_id="")
    root = span(shop, 7, KIM)
    result(shop, Erasures(shop).run(KIM).id)
    intake = Intake(shop)
    intake.receive([child])
    intake.receive([root, span(shop, 8, KIM, name="after")])
    events.deliver_due(shop)
    assert [line.trace_id for line in Traces(shop).list_().items] == [trace(8), trace(4)]
    intake.receive([child])
    shop.spans.flush()
    assert [line.trace_id for line in Traces(shop).list_().items] == [trace(8), trace(4)]


def test_a_trace_of_somebody_else_that_names_the_user_goes_too(shop: Platform) -> None:
    shop.spans.append([span(shop, 5, LEE), span(shop, 5, KIM, span_id=51, parent_id=f"{5:016x}")])
    assert result(shop, Erasures(shop).run(KIM).id)["erased"]["traces"] == 4  # type: ignore[index]
    assert [line.trace_id for line in Traces(shop).list_().items] == [trace(4)]


class Fails:
    """A hook that fails in the midst of an erasure, after the rooms before it did their part."""

    def __init__(self) -> None:
        self.left = 1

    def __call__(self, platform: Platform, request: ErasureRequest, really: bool) -> int:
        if really and self.left:
            self.left -= 1
            raise OSError("the disk is gone")
        return 0


@pytest.fixture
def failing() -> Iterator[None]:
    hooks.erasable("zz", Fails())
    yield
    del hooks.erasure_hooks["zz"]


def test_an_erasure_that_failed_goes_on_with_its_counts(shop: Platform, failing: None) -> None:
    erasures = Erasures(shop)
    first = erasures.run(KIM)
    assert first.state == "failed"
    assert Users(shop).get(KIM).traces == 3
    second = erasures.run(KIM)
    assert second.id == first.id
    done = result(shop, second.id)
    assert {name: many for name, many in done["erased"].items() if many} == EXPECTED  # type: ignore[attr-defined]
    assert len(erasures.list_().items) == 1


def test_only_an_admin_erases_and_everybody_may_see_that_it_was_done(shop: Platform, acting) -> None:  # type: ignore[no-untyped-def]
    for role in ("viewer", "developer", "operator", "auditor"):
        with acting(role, "bob"):
            assert Erasures(shop).plan(LEE).erases["traces"] == 1
            with pytest.raises(Denied):
                Erasures(shop).run(LEE)
    with acting(project="other"):
        assert not any(Erasures(shop).plan(KIM).erases.values())


def test_names_of_users_reach_neither_log(bare_platform: Platform) -> None:
    owner = first_start(bare_platform)
    assert owner is not None
    bare_platform.engine_port = NoEngines()
    headers = {"Authorization": f"Bearer {owner.secret}"}
    with TestClient(build_app(bare_platform, dict), headers=headers) as http:
        plan = http.post("/api/v1/erasures/plan", json={"user_id": KIM}).json()
        run = http.post("/api/v1/erasures", json={"user_id": KIM})
        assert run.status_code == 202 and KIM not in run.text
        rows = http.get("/api/v1/audit").json()["items"]
    assert KIM not in json.dumps(rows) and plan["subject"] in json.dumps(rows)


def test_a_user_whose_name_is_hashed_is_found_and_kept_out(platform: Platform) -> None:
    Captures(platform).set(mask=[MaskRule(fields=["user_id"], action="hash")])
    intake = Intake(platform)
    held = span(platform, 7, KIM, session_id="")
    intake.receive([span(platform, n, KIM, session_id="") for n in (1, 2)] + [span(platform, 4, LEE), held])
    platform.spans.flush()
    assert Erasures(platform).plan(KIM).erases["traces"] == 3
    assert result(platform, Erasures(platform).run(KIM).id)["erased"]["traces"] == 3  # type: ignore[index]
    Intake(platform).receive([held, span(platform, 8, KIM, session_id="", name="after")])
    events.deliver_due(platform)
    assert [line.trace_id for line in Traces(platform).list_().items] == [trace(8), trace(4)]


def test_what_people_wrote_of_a_user_does_not_stay_in_the_audit_log(shop: Platform) -> None:
    words = "Kim of Elm Street 5 called."
    Scores(shop).create("helpful", trace_id=trace(1), number=0, comment=words, correction=words)
    Comments(shop).create(trace(2), words)
    Queues(shop).fill("look", query="Elm Street", score="helpful")
    Datasets(shop).delete("seen", 1)
    result(shop, Erasures(shop).run(KIM).id)
    assert "Elm Street" not in everything(shop)
    [made] = Audits(shop).list_(action="comment.create").items[:1]
    assert made.detail["text"] == f"[{len(words)} characters]"


def test_nobody_else_resumes_or_stops_an_erasure(shop: Platform, failing: None, acting) -> None:  # type: ignore[no-untyped-def]
    run = Erasures(shop).run(KIM)
    assert run.state == "failed"
    for role in ("developer", "operator"):
        with acting(role, "bob"):
            for change in (Runs(shop).resume, Runs(shop).cancel):
                with pytest.raises(Denied, match=r"erasure\.write"):
                    change(run.id)
    assert Users(shop).get(KIM).traces == 3
    assert Runs(shop).resume(run.id).state == "succeeded"
