"""The kernel through its public functions, on every database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from mainspring.backends.records_postgres import open_records as open_postgres
from mainspring.backends.records_sqlite import open_records as open_sqlite
from mainspring.kernel import access, aliases, audit, events, hooks, jobs, lineage, refs, runs, versions
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, from_dict
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.operation import operation, operations
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Name
from mainspring.kernel.service import Service
from mainspring.kernel.tables import audit_head, audit_rows
from mainspring.kernel.tables import runs as run_rows


class Notes(Service):
    noun = "note"

    @operation("POST /notes/{name}", permission="prompt.write")
    def write(self, name: Name, text: str, *, api_token: str = "") -> str:
        """Write a note."""
        with self.begin() as tx:
            return versions.commit(tx, "note", name, {"text": text}).ref

    @operation("POST /notes/{name}/broken", permission="prompt.write")
    def broken(self, name: Name) -> str:
        """Fail after a write."""
        with self.begin() as tx:
            versions.commit(tx, "note", name, {"text": "gone"})
            raise Invalid("no good")

    @operation("POST /notes/{name}/twice", permission="prompt.write")
    def twice(self, name: Name) -> None:
        """Use another operation within a transaction."""
        with self.begin():
            self.write(name, "one")
            self.write(name, "two")


@pytest.mark.parametrize(
    ("text", "kind", "selector"),
    [("dataset/faq", "dataset", ""), ("prompt/greet@production", "prompt", "production"), ("model/b@3", "model", "3")],
)
def test_references_parse_and_print_the_same(text: str, kind: str, selector: str) -> None:
    ref = refs.parse(text)
    assert (ref.kind, ref.selector, str(ref)) == (kind, selector, text)


@pytest.mark.parametrize("text", ["", "a?b", "x/../y", "dataset/UPPER", "m/a@0", "m/a@sha256:xyz", "m/a@a:b", "a/b/c"])
def test_malformed_references_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        refs.parse(text, kind=None)


def test_a_version_never_changes_and_identical_content_returns_it(platform: Platform) -> None:
    with platform.begin() as tx:
        one = versions.commit(tx, "prompt", "greet", {"a": 1, "b": 2})
        again = versions.commit(tx, "prompt", "greet", {"b": 2, "a": 1})
        two = versions.commit(tx, "prompt", "greet", {"a": 2})
    assert (one.ref, again.ref, again.existed, two.ref) == ("prompt/greet@1", "prompt/greet@1", True, "prompt/greet@2")
    with platform.read() as tx:
        assert versions.resolve(tx, "prompt/greet").ref == "prompt/greet@2"
        assert versions.resolve(tx, f"greet@sha256:{one.sha256[:12]}", "prompt").ref == "prompt/greet@1"
        with pytest.raises(NotFound):
            versions.resolve(tx, "prompt/greet@9")
        with pytest.raises(NotFound):
            versions.resolve(tx, "prompt/greet@nowhere")


def test_news_are_heard_in_another_place_once_they_are_committed(platform: Platform, records_url: str) -> None:
    opened = open_postgres if records_url else open_sqlite
    ear = opened(records_url, platform.home, platform.settings)
    with ThreadPoolExecutor(1) as pool:
        ear.await_news(0.01)  # from here on it listens
        heard = pool.submit(ear.await_news, 60.0)
        with pytest.raises(Invalid), platform.begin() as tx:
            runs.create(tx, "never", {})
            raise Invalid("not this time")
        with platform.begin() as tx:
            versions.commit(tx, "note", "quiet", {})
        assert not heard.done()
        with platform.begin() as tx:
            run = runs.create(tx, "look", {})
        assert heard.result()
        assert [found[0] for found in jobs.unfinished(platform)] == [run.id]
        for told in (
            lambda tx: events.emit(tx, "happened", {}),
            lambda tx: runs.resume(tx, runs.cancel(tx, run.id).id),
        ):
            heard = pool.submit(ear.await_news, 60.0)
            with platform.begin() as tx:
                told(tx)
            assert heard.result()
    assert not ear.await_news(0.01)
    ear.close()


def test_what_needs_a_row_is_left_alone_until_there_is_one(platform: Platform) -> None:
    calls: list[str] = []
    names = [f"{kind} of {platform.home}" for kind in ("rows", "all")]
    hooks.periodic(names[0], 5.0, lambda _: calls.append("rows"), select(run_rows.c.id))
    hooks.periodic(names[1], 5.0, lambda _: calls.append("all"))
    try:
        for now in (10.0, 11.0, 20.0):
            hooks.tick(platform, now)
        assert calls == ["all", "all"]
        before = platform.records.version()
        assert platform.records.version() == before
        with platform.begin() as tx:
            runs.create(tx, "look", {})
        assert before is None or platform.records.version() != before
        for now in (30.0, 31.0, 40.0):
            hooks.tick(platform, now)
        assert calls == ["all", "all", "rows", "all", "rows", "all"]
    finally:
        for name in names:
            hooks.periodic_hooks.pop(name)


def test_versions_of_another_project_are_not_seen(platform: Platform, acting) -> None:
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {})
    with acting(project="other"), platform.read() as tx, pytest.raises(NotFound):
        versions.resolve(tx, "prompt/greet")


def test_an_alias_moves_and_remembers(platform: Platform) -> None:
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {"v": 1})
        versions.commit(tx, "prompt", "greet", {"v": 2})
        first = aliases.move(tx, "prompt", "greet", "production", 1)
    with platform.begin() as tx:
        aliases.move(tx, "prompt", "greet", "production", 2)
    with platform.read() as tx:
        assert aliases.current(tx, "prompt", "greet") == {"production": 2}
        assert versions.resolve(tx, "prompt/greet@production").number == 2
        moves, _ = aliases.history(tx, "prompt", "greet")
        assert [move.number for move in moves] == [2, 1]
        before = aliases.at(tx, "prompt", "greet", "production", first.moved_at)
        assert before is not None and before.number == 1
    with platform.begin() as tx, pytest.raises(NotFound):
        aliases.move(tx, "prompt", "greet", "production", 7)


def test_pages_go_on_where_they_stopped(platform: Platform) -> None:
    with platform.begin() as tx:
        for number in range(7):
            versions.commit(tx, "prompt", f"p{number}", {})
    seen, cursor = [], ""
    with platform.read() as tx:
        while True:
            page, following = versions.names(tx, "prompt", limit=3, cursor=cursor)
            seen += [version.name for version in page]
            if following is None:
                break
            cursor = following
        with pytest.raises(Invalid):
            versions.names(tx, "prompt", limit=3, cursor="!!")
    assert seen == [f"p{number}" for number in range(7)]


def test_an_operation_asks_for_its_permission_and_the_refusal_is_audited(platform: Platform, acting) -> None:
    with acting(role="viewer", member="bob"), pytest.raises(Denied):
        Notes(platform).write("a", "text")
    with platform.read() as tx:
        row = tx.execute(audit_rows.select()).mappings().one()
    assert (row["member"], row["action"], row["outcome"]) == ("bob", "note.write", "denied")


def test_every_write_has_its_audit_row_and_secrets_stay_out(platform: Platform) -> None:
    notes = Notes(platform)
    notes.write("a", "text", api_token="ms_secret")
    with pytest.raises(Invalid):
        notes.broken("b")
    notes.twice("c")
    with platform.read() as tx:
        rows = tx.execute(audit_rows.select().order_by(audit_rows.c.seq)).mappings().all()
        assert [(row["action"], row["outcome"]) for row in rows] == [
            ("note.write", "ok"),
            ("note.broken", "failed"),
            ("note.write", "ok"),
            ("note.write", "ok"),
            ("note.twice", "ok"),
        ]
        assert rows[0]["target"] == "POST /notes/a"
        assert "ms_secret" not in str(rows)
        assert audit.verify(tx).verified
        with pytest.raises(NotFound):
            versions.resolve(tx, "note/b")


@pytest.mark.parametrize("harm", ["change", "remove", "cut"])
def test_the_audit_chain_shows_tampering(platform: Platform, harm: str) -> None:
    notes = Notes(platform)
    for name in "abc":
        notes.write(name, "text")
    seq = 3 if harm == "cut" else 2
    mine = audit_rows.c.seq == seq
    with platform.begin() as tx:
        tx.execute(
            update(audit_rows).where(mine).values(member="eve") if harm == "change" else delete(audit_rows).where(mine)
        )
    with platform.read() as tx:
        found = audit.verify(tx)
    assert not found.verified and found.first_bad == seq


def test_a_cut_log_stays_broken_though_its_head_is_written_again(platform: Platform) -> None:
    notes = Notes(platform)
    for name in "abc":
        notes.write(name, "text")
    with platform.begin() as tx:
        tx.execute(delete(audit_rows).where(audit_rows.c.seq == 3))
        last = tx.execute(audit_rows.select().where(audit_rows.c.seq == 2)).mappings().one()
        tx.execute(update(audit_head).values(seq=2, seal=last["mac"]))
    with platform.read() as tx:
        assert not audit.verify(tx).verified
    notes.write("d", "text")
    with platform.read() as tx:
        found = audit.verify(tx)
    assert not found.verified and found.first_bad == 3


def test_a_number_is_never_given_again(platform: Platform) -> None:
    with platform.begin() as tx:
        for number in (1, 2):
            versions.commit(tx, "prompt", "greet", {"v": number})
        for number in (2, 1):
            versions.purge(tx, "prompt", "greet", number)
        assert versions.commit(tx, "prompt", "greet", {"v": 9}).number == 3
        assert versions.commit(tx, "prompt", "other", {"v": 9}).number == 1


def test_a_run_goes_on_as_whoever_resumes_it_and_where_it_began(platform: Platform, acting) -> None:
    seen: list[tuple[str, str]] = []

    @job("test.resumed")
    def resumed(task: Job) -> None:
        seen.append((task.caller.member, task.caller.role))
        if len(seen) == 1:
            raise Conflict("stumbled")

    with platform.begin() as tx:
        run = runs.create(tx, "test.resumed", {})
    jobs.execute(platform, run.id)
    with acting(role="developer", member="dev") as caller:
        elsewhere = replace(caller, environment="staging")
        with access.acting_as(elsewhere), platform.begin() as tx, pytest.raises(Conflict, match="production"):
            runs.resume(tx, run.id)
        with platform.begin() as tx:
            runs.resume(tx, run.id)
    jobs.execute(platform, run.id)
    assert seen == [("ann", "admin"), ("dev", "developer")]


def test_an_operation_says_all_that_its_faces_need() -> None:
    first = next(operations(Notes))
    assert (first.verb, first.method, first.path, first.summary) == ("write", "POST", "/notes/{name}", "Write a note.")
    assert list(first.signature.parameters) == ["name", "text", "api_token"]


def test_lineage_leads_both_ways(platform: Platform) -> None:
    with platform.begin() as tx:
        lineage.link(tx, "run-1", inputs=["dataset/raw@1"], outputs=["dataset/clean@1"])
        lineage.link(tx, "run-1", outputs=["dataset/clean@1"])
        rows = [("r1", "row", "dataset/raw@1#9"), ("r2", "trace", "abc")]
        lineage.link_rows(tx, "dataset/clean@1", rows)
        lineage.link_rows(tx, "dataset/clean@1", rows)
        assert [edge.ref for edge in lineage.inputs_of(tx, "dataset/clean@1")] == ["dataset/raw@1"]
        assert [edge.ref for edge in lineage.outputs_of(tx, "dataset/raw@1")] == ["dataset/clean@1"]
        assert [s.source_id for s in lineage.row_sources(tx, "dataset/clean@1", ["r1"])] == ["dataset/raw@1#9"]
        assert [s.row_id for s in lineage.rows_from(tx, "trace", "abc")] == ["r2"]


def test_a_job_goes_on_after_its_last_finished_step(platform: Platform) -> None:
    calls: list[str] = []

    @job("test.stumbling")
    def stumbling(task: Job) -> dict[str, int]:
        first = task.step("first", lambda: calls.append("first") or 1)
        task.progress(1, 2, "half way", loss=0.5)
        if len(calls) == 1:
            calls.append("stumbled")
            raise Conflict("stumbled")
        return {"sum": first + task.step("second", lambda: 2)}

    with platform.begin() as tx:
        run = runs.create(tx, "test.stumbling", {})
    jobs.execute(platform, run.id)
    with platform.begin() as tx:
        failed = runs.get(tx, run.id)
        assert failed.state == "failed" and failed.error is not None and failed.error["code"] == "conflict"
        runs.resume(tx, run.id)
    jobs.execute(platform, run.id)
    with platform.read() as tx:
        done = runs.get(tx, run.id)
        assert (done.state, done.result, calls) == ("succeeded", {"sum": 3}, ["first", "stumbled"])
        assert runs.events_of(tx, run.id)[0].body["metrics"] == {"loss": 0.5}


def test_a_queued_run_is_cancelled_at_once_and_a_running_one_at_its_next_check(platform: Platform) -> None:
    @job("test.cancelled")
    def cancelled(task: Job) -> None:
        with task.begin() as tx:
            runs.cancel(tx, task.run_id)
        task.check_cancelled()

    with platform.begin() as tx:
        first, second = runs.create(tx, "test.cancelled", {}), runs.create(tx, "test.cancelled", {})
        assert runs.cancel(tx, second.id).state == "cancelled"
    jobs.execute(platform, first.id)
    with platform.begin() as tx:
        assert runs.get(tx, first.id).state == "cancelled"
        with pytest.raises(Conflict):
            runs.cancel(tx, first.id)


def test_an_event_is_delivered_until_its_handler_succeeds(platform: Platform, clock) -> None:
    seen: list[dict[str, int]] = []

    @events.on("test.topic", consumer="test")
    def handler(_: Platform, payload: dict[str, int]) -> None:
        seen.append(payload)
        if len(seen) < 2:
            raise RuntimeError("not yet")

    with platform.begin() as tx:
        events.emit(tx, "test.topic", {"n": 1})
    assert events.deliver_due(platform) == 1
    assert events.deliver_due(platform) == 0
    clock.advance(seconds=5)
    assert events.deliver_due(platform) == 1
    clock.advance(hours=2)
    assert events.deliver_due(platform) == 0
    assert seen == [{"n": 1}, {"n": 1}]


def test_an_event_of_a_transaction_that_failed_is_not_delivered(platform: Platform) -> None:
    seen: list[object] = []
    events.on("test.rolled", consumer="test")(lambda _, payload: seen.append(payload))
    with pytest.raises(RuntimeError), platform.begin() as tx:
        events.emit(tx, "test.rolled", {})
        raise RuntimeError
    events.deliver_due(platform)
    assert seen == []


def test_errors_cross_the_wire_and_come_back_the_same() -> None:
    error = NotFound("There is no x.", hint="Make one.", name="x")
    back = from_dict(error.to_dict(), 404)
    assert isinstance(back, NotFound) and (back.message, back.hint, back.details) == (
        error.message,
        error.hint,
        {"name": "x"},
    )


def test_files_are_known_by_their_content(platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"hello")
    one, two = platform.files.put(b"hello"), platform.files.put(path)
    assert one == two and platform.files.read(one.sha256) == b"hello" and list(platform.files.list()) == [one]
    assert platform.files.delete(one.sha256) and not platform.files.exists(one.sha256)
    with pytest.raises(NotFound):
        platform.files.read(one.sha256)
    with pytest.raises(Invalid):
        platform.files.read("../../etc/passwd")
