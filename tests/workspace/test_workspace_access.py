"""Who may do what: projects, members, roles, keys."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.kernel import access, audit, jobs, runs
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import audit_rows
from mainspring.traces import Traces
from mainspring.workspace import Environments, Keys, Members, Projects, authenticate, first_start, projects_of
from mainspring.workspace import keys as key_store
from mainspring.workspace.keys import covers, meet


@pytest.fixture
def owner(bare_platform: Platform):
    """The first start's owner, signed in by key."""
    key = first_start(bare_platform)
    assert key is not None
    with access.acting_as(authenticate(bare_platform, key.secret)):
        yield bare_platform, key


def test_the_first_start_makes_one_owner_and_one_key(bare_platform: Platform) -> None:
    key = first_start(bare_platform)
    assert key is not None and key.secret.startswith(f"ms_{key.id}_")
    caller = authenticate(bare_platform, key.secret)
    assert (caller.member, caller.role, caller.project, caller.environment) == (
        "owner",
        "admin",
        "default",
        "production",
    )
    assert first_start(bare_platform) is None


def test_the_secret_is_stored_nowhere(owner) -> None:
    platform, key = owner
    secret = key.secret.rsplit("_", 1)[1]
    listed = Keys(platform).list_()
    assert secret not in listed.model_dump_json()
    content = b"".join(path.read_bytes() for path in platform.home.rglob("*") if path.is_file())
    assert secret.encode() not in content


@pytest.mark.parametrize(
    "token", ["", "ms_", "x" * 500, "ms_" + "0" * 32 + "_" + "0" * 64, "ms_1_2'; DROP TABLE api_keys"]
)
def test_a_wrong_key_is_refused_and_the_reason_is_not_told(owner, token: str) -> None:
    platform, _ = owner
    with pytest.raises(Unauthenticated, match=r"^The API key is not valid\.$"):
        authenticate(platform, token)


def test_a_key_with_one_digit_changed_is_refused(owner) -> None:
    platform, key = owner
    last = "0" if key.secret[-1] != "0" else "1"
    with pytest.raises(Unauthenticated):
        authenticate(platform, key.secret[:-1] + last)


def test_a_revoked_key_is_refused_at_once(owner) -> None:
    platform, _ = owner
    made = Keys(platform).create()
    assert authenticate(platform, made.secret).member == "owner"
    assert Keys(platform).revoke(made.id).state == "revoked"
    with pytest.raises(Unauthenticated):
        authenticate(platform, made.secret)


def test_a_key_that_is_revoked_while_it_is_read_is_not_remembered(owner, monkeypatch) -> None:
    platform, _ = owner
    made = Keys(platform).create()
    check = key_store._check

    def overtaken(*given):
        row = check(*given)
        monkeypatch.undo()
        Keys(platform).revoke(made.id)
        return row

    monkeypatch.setattr(key_store, "_check", overtaken)
    authenticate(platform, made.secret)
    assert key_store.recall(platform, made.secret) is None
    with pytest.raises(Unauthenticated):
        authenticate(platform, made.secret)


def test_a_key_expires(owner, clock) -> None:
    platform, _ = owner
    made = Keys(platform).create(expires_hours=1)
    authenticate(platform, made.secret)
    clock.advance(hours=2)
    with pytest.raises(Unauthenticated):
        authenticate(platform, made.secret)


def test_rotation_overlaps_and_then_ends_the_old_key(owner, clock) -> None:
    platform, _ = owner
    old = Keys(platform).create(note="ci")
    new = Keys(platform).rotate(old.id, overlap_hours=2)
    assert new.note == "ci" and new.secret != old.secret
    for secret in (old.secret, new.secret):
        assert authenticate(platform, secret).member == "owner"
    clock.advance(hours=3)
    with pytest.raises(Unauthenticated):
        authenticate(platform, old.secret)
    assert authenticate(platform, new.secret).member == "owner"
    with pytest.raises(Conflict):
        Keys(platform).rotate(old.id)


def test_a_key_never_exceeds_its_member_or_its_creator(owner) -> None:
    platform, _ = owner
    Members(platform).add("vera", "viewer")
    key = Keys(platform).create("vera", permissions=["dataset.write", "dataset.read"])
    caller = authenticate(platform, key.secret)
    assert caller.may("dataset.read") and not caller.may("dataset.write") and not caller.may("model.read")
    limited = Keys(platform).create(permissions=["key.write", "member.write", "dataset.*"])
    with access.acting_as(authenticate(platform, limited.secret)):
        with pytest.raises(Denied):
            Keys(platform).create()
        with pytest.raises(Denied):
            Keys(platform).create(permissions=["*.write"])
        with pytest.raises(Denied):
            Members(platform).add("eve", "admin")
        assert Keys(platform).create(permissions=["dataset.write"]).permissions == ["dataset.write"]


def test_a_change_of_role_counts_for_keys_that_exist(owner) -> None:
    platform, _ = owner
    Members(platform).add("dev", "developer")
    key = Keys(platform).create("dev")
    assert authenticate(platform, key.secret).may("dataset.write")
    Members(platform).update("dev", role="viewer")
    assert not authenticate(platform, key.secret).may("dataset.write")
    Members(platform).remove("dev")
    with pytest.raises(Unauthenticated):
        authenticate(platform, key.secret)


def test_a_key_stays_in_its_project_unless_it_roams(owner) -> None:
    platform, key = owner
    Projects(platform).create("other")
    bound = Keys(platform).create()
    with pytest.raises(Denied):
        authenticate(platform, bound.secret, project="other")
    with pytest.raises(Denied):
        authenticate(platform, bound.secret, environment="staging")
    assert authenticate(platform, key.secret, project="other").project == "other"
    assert authenticate(platform, key.secret, environment="staging").environment == "staging"
    for choice in ({"project": "nowhere"}, {"environment": "nowhere"}):
        with pytest.raises(NotFound):
            authenticate(platform, key.secret, **choice)


def test_an_admin_of_one_project_gets_no_roaming_key_of_somebody_else(owner) -> None:
    platform, key = owner
    Members(platform).add("root", "admin")
    with pytest.raises(Denied):
        Keys(platform).create("root", roams=True)
    second = Keys(platform).create("root")
    with access.acting_as(authenticate(platform, second.secret)):
        for member in ("owner", "root"):
            with pytest.raises(Denied):
                Keys(platform).create(member, roams=True)
        with pytest.raises(Denied):
            Keys(platform).rotate(key.id)
        Projects(platform).create("mine")
    assert projects_of(platform, "root") == ["default", "mine"]
    assert projects_of(platform, "owner") == ["default"]


def test_a_key_that_does_not_roam_makes_none_that_does_by_rotation(owner) -> None:
    platform, key = owner
    with access.acting_as(authenticate(platform, Keys(platform).create().secret)), pytest.raises(Denied, match="roams"):
        Keys(platform).rotate(key.id)
    assert Keys(platform).rotate(key.id).roams


def test_a_key_makes_none_that_goes_further_or_lasts_longer(owner) -> None:
    platform, _ = owner
    elsewhere = Keys(platform).create(environment="staging", expires_hours=99)
    short = Keys(platform).create(expires_hours=1)
    lasting = Keys(platform).create()
    with access.acting_as(authenticate(platform, short.secret)):
        with pytest.raises(Denied, match="bound"):
            Keys(platform).create(environment="staging")
        with pytest.raises(Denied, match="bound"):
            Keys(platform).rotate(elsewhere.id)
        ends = [Keys(platform).create().expires_at, Keys(platform).create(expires_hours=9).expires_at]
        ends.append(Keys(platform).rotate(lasting.id).expires_at)
        assert ends == [short.expires_at] * 3
        sooner = Keys(platform).create(expires_hours=0.1).expires_at
    assert sooner is not None and short.expires_at is not None and sooner < short.expires_at
    with platform.read() as tx:
        assert short.id in str(tx.conn.exec_driver_sql("select detail from audit_rows").all())


def test_a_key_that_does_not_roam_sees_its_own_project_only(owner) -> None:
    platform, _ = owner
    Projects(platform).create("other")
    assert [project.name for project in Projects(platform).list_().items] == ["default", "other"]
    with access.acting_as(authenticate(platform, Keys(platform).create().secret)):
        assert [project.name for project in Projects(platform).list_().items] == ["default"]
        assert Projects(platform).get("default").name == "default"
        with pytest.raises(NotFound):
            Projects(platform).get("other")


def test_one_project_does_not_see_another(owner) -> None:
    platform, key = owner
    Projects(platform).create("other")
    Members(platform).add("dev", "developer")
    hidden = Keys(platform).create("dev")
    with access.acting_as(authenticate(platform, key.secret, project="other")):
        assert [member.name for member in Members(platform).list_().items] == ["owner"]
        assert Keys(platform).list_().items == []
        with pytest.raises(NotFound):
            Keys(platform).revoke(hidden.id)


def test_a_project_keeps_an_admin(owner) -> None:
    platform, _ = owner
    with pytest.raises(Conflict, match="no admin"):
        Members(platform).remove("owner")
    with pytest.raises(Conflict, match="no admin"):
        Members(platform).update("owner", role="viewer")
    assert [member.role for member in Members(platform).list_().items] == ["admin"]


def test_names_are_taken_once(owner) -> None:
    platform, _ = owner
    Environments(platform).create("qa", protected=True)
    for again in (lambda: Environments(platform).create("qa"), lambda: Projects(platform).create("default"),
                  lambda: Members(platform).add("owner", "viewer")):  # fmt: skip
        with pytest.raises(Conflict):
            again()
    assert {e.name: e.protected for e in Environments(platform).list_().items} == {
        "production": True, "staging": False, "qa": True}  # fmt: skip


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"admin"}))
def test_only_an_admin_touches_members_and_keys(owner, acting, role: str) -> None:
    platform, _ = owner
    with acting(role=role, member="bob"):
        for attempt in (lambda: Keys(platform).create(), lambda: Members(platform).add("eve", "viewer"),
                        lambda: Projects(platform).create("x")):  # fmt: skip
            with pytest.raises(Denied):
                attempt()


def test_writes_are_audited_without_secrets_and_last_use_is_kept(owner) -> None:
    platform, key = owner
    made = Keys(platform).create(note="ci")
    authenticate(platform, made.secret)
    assert Keys(platform).list_(member="owner").items[0].last_used_at is not None
    with platform.read() as tx:
        assert audit.verify(tx).verified
        text = str(tx.conn.exec_driver_sql("select * from audit_rows").all())
    assert "key.create" in text and made.secret not in text and key.secret not in text


WORD = st.sampled_from(["a", "b", "*"])
PERMISSION = st.tuples(WORD, WORD).map(".".join)


def allows(held: set[str] | frozenset[str], wanted: str) -> bool:
    return Caller("m", "", "p", "e", "viewer", frozenset(held)).may(wanted)


@given(st.frozensets(PERMISSION), st.frozensets(PERMISSION))
def test_what_two_sets_both_allow(left: frozenset[str], right: frozenset[str]) -> None:
    both = meet(left, right)
    for wanted in ("a.a", "a.b", "b.a", "b.b", "c.a", "c.c"):
        assert allows(both, wanted) == (allows(left, wanted) and allows(right, wanted))


@given(st.frozensets(PERMISSION), PERMISSION)
def test_covering_means_allowing_everything_within(held: frozenset[str], wanted: str) -> None:
    if covers(held, wanted):
        for concrete in ("a.a", "a.b", "b.a", "c.c"):
            assert not allows({wanted}, concrete) or allows(held, concrete)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(max_size=300) | st.from_regex(r"ms_[0-9a-f]{0,33}_[0-9a-f]{0,65}", fullmatch=True))
def test_no_invented_key_is_taken(bare_platform: Platform, token: str) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(bare_platform, token)


def start_as(platform: Platform, token: str) -> runs.Run:
    with access.acting_as(authenticate(platform, token)), platform.begin() as tx:
        return runs.create(tx, "test.rights", {})


def state_of(platform: Platform, run: runs.Run) -> str:
    with platform.read() as tx:
        return runs.get(tx, run.id).state


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("removed", "cancelled"), ("viewer", "cancelled"), ("admin", "queued"), ("revoked", "cancelled")],
)
def test_what_waits_is_cancelled_with_the_rights_that_it_was_started_with(owner, loss: str, expected: str) -> None:
    platform, own = owner
    Members(platform).add("dev", "developer")
    made = Keys(platform).create("dev")
    theirs, mine = start_as(platform, made.secret), start_as(platform, own.secret)
    if loss == "removed":
        Members(platform).remove("dev")
    elif loss == "revoked":
        Keys(platform).revoke(made.id)
    else:
        Members(platform).update("dev", role=loss)  # type: ignore[arg-type]
    assert (state_of(platform, theirs), state_of(platform, mine)) == (expected, "queued")
    with platform.read() as tx:
        row = tx.execute(audit_rows.select().order_by(audit_rows.c.seq.desc()).limit(1)).mappings().one()
    assert row["detail"].get("cancelled_runs", 0) == (expected == "cancelled")


def test_what_runs_stops_at_its_next_step_and_whoever_may_resumes_it(owner) -> None:
    platform, own = owner
    Members(platform).add("dev", "developer")
    made = Keys(platform).create("dev")
    seen: list[str] = []

    @job("test.rights")
    def work(task: Job) -> None:
        seen.append(task.caller.member)
        if task.caller.member == "dev":
            with access.acting_as(authenticate(platform, own.secret)):
                Members(platform).remove("dev")
        task.step("one", lambda: seen.append("step"))

    run = start_as(platform, made.secret)
    jobs.execute(platform, run.id)
    assert (state_of(platform, run), seen) == ("cancelled", ["dev"])
    with platform.begin() as tx:
        runs.resume(tx, run.id)
    jobs.execute(platform, run.id)
    assert (state_of(platform, run), seen) == ("succeeded", ["dev", "owner", "step"])


def test_a_key_that_is_rotated_or_expires_leaves_its_runs(owner, clock) -> None:
    platform, _ = owner
    made = Keys(platform).create(expires_hours=1)
    run = start_as(platform, made.secret)
    Keys(platform).rotate(made.id, overlap_hours=0.5)
    clock.advance(hours=2)
    assert state_of(platform, run) == "queued"


def test_nobody_is_called_what_the_audit_log_calls_the_product(owner) -> None:
    platform, _ = owner
    with pytest.raises(Invalid, match="the product itself"):
        Members(platform).add("system", "viewer")


def test_a_key_that_sends_traces_deletes_none(owner) -> None:
    platform, _ = owner
    key = Keys(platform).create("owner", permissions=["trace.write", "score.write"])
    with access.acting_as(authenticate(platform, key.secret)), pytest.raises(Denied, match=r"trace\.delete"):
        Traces(platform).delete("a" * 32)
    assert all(Caller("x", "", "p", "e", r, ROLES[r]).may("trace.delete") for r in ("developer", "operator", "admin"))
