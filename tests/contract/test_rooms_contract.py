"""The workspace and the registry through their operations, on every database."""

from __future__ import annotations

import threading

import pytest

from mainspring.kernel import access, audit
from mainspring.kernel.errors import Conflict, Denied, Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.registry import ModelContent, ModelFile, Models, Releases, register
from mainspring.registry import releases as store
from mainspring.workspace import Environments, Keys, Members, Projects, authenticate, first_start


def test_keys_members_and_projects(bare_platform: Platform, clock) -> None:
    platform = bare_platform
    first = first_start(platform)
    assert first is not None and first_start(platform) is None
    with access.acting_as(authenticate(platform, first.secret)):
        Members(platform).add("dev", "developer", email="dev@example.org")
        made = Keys(platform).create("dev", permissions=["dataset.*", "model.read"], expires_hours=5)
        caller = authenticate(platform, made.secret)
        assert caller.may("dataset.write") and not caller.may("prompt.read")
        with pytest.raises(Conflict):
            Members(platform).add("dev", "viewer")
        assert [member.name for member in Members(platform).list_().items] == ["dev", "owner"]
        Projects(platform).create("second")
        with pytest.raises(Conflict):
            Environments(platform).create("production")
        new = Keys(platform).rotate(made.id, overlap_hours=1)
        assert authenticate(platform, made.secret).key_id == made.id
        clock.advance(hours=2)
        with pytest.raises(Unauthenticated):
            authenticate(platform, made.secret)
        assert authenticate(platform, new.secret).member == "dev"
        Keys(platform).revoke(new.id)
        with pytest.raises(Unauthenticated):
            authenticate(platform, new.secret)
        page = Keys(platform).list_(limit=2)
        assert [key.state for key in page.items] == ["revoked", "expired"] and page.next_cursor
        with pytest.raises(Conflict):
            Members(platform).remove("owner")
        with platform.read() as tx:
            assert audit.verify(tx).verified
    assert authenticate(platform, first.secret, project="second").role == "admin"


def test_models_and_releases(platform: Platform) -> None:
    stored = platform.files.put(b"weights")
    content = ModelContent(
        format="gguf", files=[ModelFile(path="m.gguf", sha256=stored.sha256, size=stored.size, role="weights")]
    )
    with platform.begin() as tx:
        model = register(tx, "base", content)
        assert register(tx, "base", content).existed
    Models(platform).alias("base", "best", number=1)
    release = Releases(platform).create("docs", model="model/base@best")
    assert release.model == model.ref and Releases(platform).create("docs", model="model/base").existed
    with platform.begin() as tx, pytest.raises(Denied):
        store.require_deployable(tx, release.ref, protected=True)
    assert [one.ref for one in Releases(platform).list_(state="draft").items] == [release.ref]


def test_of_two_decisions_at_the_same_time_one_is_refused(platform: Platform) -> None:
    stored = platform.files.put(b"weights")
    content = ModelContent(
        format="gguf", files=[ModelFile(path="m.gguf", sha256=stored.sha256, size=stored.size, role="weights")]
    )
    with platform.begin() as tx:
        register(tx, "base", content)
        release = store.create(tx, "docs", model="model/base", prompt="", guard="", parameters=store.Parameters())
        release = store.move(tx, release, "checked", "in_review")
    caller, outcomes, start = access.current(), list[str](), threading.Barrier(2)

    def decide(kind: str) -> None:
        with access.acting_as(caller):
            start.wait()
            try:
                with platform.begin() as tx:
                    outcomes.append(store.move(tx, release, kind, kind).state)  # type: ignore[arg-type]
            except Conflict:
                outcomes.append("refused")

    threads = [threading.Thread(target=decide, args=(kind,)) for kind in ("approved", "rejected")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(outcomes)[-1] == "rejected" and "refused" in outcomes) or sorted(outcomes) == ["approved", "refused"]
    assert Releases(platform).get("docs").state in outcomes
