"""The gate, and who may approve what it lets pass."""

from __future__ import annotations

import pytest

from mainspring.evals import Experiments, GivenRow
from mainspring.governance import GatePolicy, Releases
from mainspring.governance.gate import names
from mainspring.kernel import access
from mainspring.kernel.errors import Conflict, Denied, GateFailed, Invalid
from mainspring.kernel.platform import Platform
from mainspring.workspace import Keys, Members, authenticate, first_start


@pytest.fixture
def world(platform: Platform, worlds):
    made = worlds.build(platform)
    made.measure(made.base)
    made.measure(made.tuned)
    return made


def failing(world, **options: object) -> dict[str, dict]:
    """Check a release that must fail; return its failed checks."""
    with pytest.raises(GateFailed) as caught:
        Releases(world.platform).check("docs", **options)  # type: ignore[arg-type]
    report = caught.value.details["report"]
    assert not report["passed"]
    return {one["name"]: one for one in report["checks"] if not one["passed"]}


def test_a_better_release_passes_and_goes_into_review(world) -> None:
    world.release()
    report = Releases(world.platform).check("docs")
    assert report.passed and [one.name for one in report.checks] == names()
    evidence = next(one for one in report.checks if one.name == "evidence")
    assert evidence.detail["better"] == ["exact"]
    compared = next(one for one in evidence.detail["comparisons"] if one["metric"] == "exact")
    assert compared["low"] > 0 and compared["n"] == 60 and compared["baseline_target"] == world.base
    found = Releases(world.platform).get("docs")
    assert found.state == "in_review" and found.events[-1].detail["passed"]


def test_an_author_cannot_approve_and_another_can(world, acting) -> None:
    releases = Releases(world.platform)
    world.release()
    with acting(role="operator", member="olga"), pytest.raises(Conflict):
        releases.approve("docs")
    releases.check("docs")
    with pytest.raises(Denied, match="cannot approve"):
        releases.approve("docs")
    with acting(role="developer", member="dev"), pytest.raises(Denied):
        releases.approve("docs")
    with acting(role="operator", member="olga"):
        assert releases.approve("docs", note="looks right").state == "approved"
        with pytest.raises(Conflict):
            releases.approve("docs")
    assert [e.kind for e in releases.get("docs").events] == ["created", "checked", "approved"]
    assert releases.get("docs").events[-1].member == "olga"


def test_an_approval_says_who_made_the_key_that_approved(world) -> None:
    platform, releases = world.platform, Releases(world.platform)
    world.release()
    releases.check("docs")
    first = first_start(platform)
    assert first is not None
    with access.acting_as(authenticate(platform, first.secret)):
        Members(platform).add("rita", "operator")
        issued = Keys(platform).create("rita")
    with access.acting_as(authenticate(platform, issued.secret)):
        event = releases.approve("docs").events[-1]
    assert (event.member, event.detail) == ("rita", {"key_made_by": "owner"})


def test_a_release_that_is_worse_is_stopped(world, acting) -> None:
    Releases(world.platform).create("docs", model=world.base, prompt=world.prompt)
    bad = failing(world)
    assert set(bad) == {"evidence"} and bad["evidence"]["detail"]["worse"] == ["exact"]
    assert Releases(world.platform).get("docs").state == "draft"
    with acting(role="operator", member="olga"), pytest.raises(Conflict):
        Releases(world.platform).approve("docs")


def test_without_evidence_nothing_passes(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    world.release()
    assert {"evidence", "leakage"} <= set(failing(world))
    world.measure(world.tuned)
    assert "No baseline" in failing(world)["evidence"]["summary"]


def test_no_better_is_enough_only_where_the_policy_says_so(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    world.answers[world.tuned] = False
    world.measure(world.base)
    world.measure(world.tuned)
    world.release()
    assert "better on none" in failing(world)["evidence"]["summary"]
    evidence = failing(world, policy=GatePolicy(evidence="not worse", margins={"exact": 0.01}))["evidence"]
    assert "exact (may be worse by 0.0" in evidence["summary"] and evidence["detail"]["open"] == ["exact"]
    report = Releases(platform).check("docs", policy=GatePolicy(evidence="not worse"))
    assert report.passed and "shown on all of 1 comparisons to be no worse" in str(report.checks)
    assert "Not measured" in failing(world, policy=GatePolicy(metrics=["rougeL"]))["evidence"]["summary"]
    assert Releases(platform).get("docs").state == "draft"


def test_rows_too_few_to_show_anything_are_not_as_good(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    world.measure(world.base, limit=12)
    world.measure(world.tuned, limit=12)
    world.release()
    weak = GatePolicy(evidence="not shown worse", metrics=["exact"])
    strict = GatePolicy(evidence="not worse", metrics=["exact"])
    assert "12 rows are too few for an interval" in failing(world, policy=strict)["evidence"]["summary"]
    report = Releases(platform).check("docs", policy=weak)
    evidence = next(one for one in report.checks if one.name == "evidence")
    assert evidence.passed and "is not shown either, on exact" in evidence.summary


def test_experiments_without_common_rows_are_named_and_passed_over(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    apart = world.measure(world.base, limit=1, seed=1)
    own = world.measure(world.tuned, limit=1, seed=2)
    world.release()
    bad = failing(world, candidate=[own], baseline=[apart])["evidence"]
    assert "no row in common" in bad["summary"] and "same split, limit and seed" in bad["summary"]
    assert own in bad["summary"] and apart in bad["summary"] and len(bad["detail"]["not_compared"]) == 1


def test_evidence_of_another_model_does_not_count(world) -> None:
    world.release()
    other = world.measure(world.base)
    bad = failing(world, candidate=[other])
    assert "Not of this release's model" in bad["evidence"]["summary"]


def test_an_experiment_that_its_budget_stopped_is_no_evidence(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    whole = world.measure(world.base)
    cut = world.measure(world.tuned, max_calls=50)
    world.release()
    assert "budget of 50 calls is spent" in failing(world)["evidence"]["summary"]
    named = failing(world, candidate=[cut])
    assert "no evidence" in named["evidence"]["summary"] and cut in named["evidence"]["summary"]
    world.measure(world.tuned)
    assert "no evidence" in failing(world, baseline=[world.measure(world.base, max_calls=55)])["evidence"]["summary"]
    # The newest of both sides are now a whole and a cut one: the whole ones are compared.
    evidence = next(one for one in Releases(platform).check("docs").checks if one.name == "evidence")
    assert {one["baseline_experiment"] for one in evidence.detail["comparisons"]} == {whole}
    assert {one["n"] for one in evidence.detail["comparisons"] if one["metric"] == "exact"} == {60}


def test_scores_written_down_by_somebody_are_no_evidence(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    release = world.release()
    made = [
        Experiments(platform).record(
            "made-up",
            [GivenRow(row=f"r{number}", scores={"exact": score}) for number in range(60)],
            dataset=world.dataset,
            target=target,
        )
        for target, score in ((world.base, 0.0), (release.ref, 1.0))
    ]
    assert "No experiment shows" in failing(world)["evidence"]["summary"]
    assert "so no evidence" in failing(world, candidate=[made[1].id])["evidence"]["summary"]


def test_better_on_one_of_many_metrics_by_chance_is_not_better(platform: Platform, worlds) -> None:
    world = worlds.build(platform)
    world.answers[world.tuned] = {50, 51, 52, 53, 54, 55}
    # Six rows of sixty gained on one metric: p = .031 alone, .09 after correction for the three that count.
    metrics = ["exact", "contains:never said", "json", "latency"]
    world.measure(world.base, metrics)
    world.measure(world.tuned, metrics)
    world.release()
    bad = failing(world)["evidence"]
    exact = next(one for one in bad["detail"]["comparisons"] if one["metric"] == "exact")
    assert (exact["verdict"], bad["detail"]["better"], bad["detail"]["worse"]) == ("too few rows", [], [])
    assert "The interval alone excludes zero" in exact["sentence"]
    assert exact["p_adjusted"] == pytest.approx(3 * exact["p_value"])
    assert Releases(platform).check("docs", policy=GatePolicy(metrics=["exact"])).passed


def test_rows_that_were_trained_on_are_found(platform: Platform, worlds) -> None:
    rows = worlds.make_rows(
        test_50=f"question 50 {worlds.text_of(7)} again", train_7=f"question 50 {worlds.text_of(7)} again"
    )
    world = worlds.build(platform, rows)
    world.measure(world.base)
    world.measure(world.tuned)
    world.release()
    bad = failing(world)
    assert (set(bad) == {"leakage"} and "1 exact" in bad["leakage"]["summary"]) or "1 near" in bad["leakage"]["summary"]


def test_personal_data_in_the_training_rows_is_found(platform: Platform, worlds) -> None:
    rows = worlds.make_rows(train_3="question 3 write to jane.doe@corp-mail.com or 4111 1111 1111 1111")
    world = worlds.build(platform, rows)
    world.measure(world.base)
    world.measure(world.tuned)
    world.release()
    found = failing(world)["pii"]
    assert found["detail"]["hits"] == 1 and found["detail"]["examples"] == [f"{world.dataset}#train-3"]
    assert "jane.doe" not in str(found)
    assert Releases(platform).check("docs", policy=GatePolicy(pii_rows=1)).passed


def test_licences_of_data_and_models_are_looked_at(platform: Platform, worlds) -> None:
    world = worlds.build(platform, worlds.make_rows(license="GPL-3.0"))
    world.measure(world.base)
    world.measure(world.tuned)
    world.release()
    assert "GPL-3.0" in failing(world)["licence"]["summary"]
    assert Releases(platform).check("docs", policy=GatePolicy(licenses=["GPL-3.0"])).passed


@pytest.mark.parametrize("parity", [False, None])
def test_a_tuned_model_needs_its_parity_check(platform: Platform, worlds, parity: bool | None) -> None:
    world = worlds.build(platform, parity=parity)
    world.measure(world.base)
    world.measure(world.tuned)
    world.release()
    assert set(failing(world)) == {"parity"}


def test_a_changed_file_is_found(world) -> None:
    world.release()
    path = world.platform.files.path(world.platform.files.put(b"adapter").sha256)
    path.chmod(0o600)
    path.write_bytes(b"adaptor")
    assert "differ" in failing(world)["files"]["summary"]


def test_rejected_and_withdrawn_are_the_end(world, acting) -> None:
    releases = Releases(world.platform)
    world.release()
    world.release("other", seed=1)
    releases.check("docs")
    with acting(role="auditor", member="aud"):
        releases.approve("docs")
        assert releases.withdraw("docs", note="recalled").state == "withdrawn"
        assert releases.reject("other").state == "rejected"
        for again in (
            lambda: releases.approve("docs"),
            lambda: releases.withdraw("docs"),
            lambda: releases.reject("other"),
        ):
            with pytest.raises(Conflict):
                again()
    for name in ("docs", "other"):
        with pytest.raises(Conflict):
            releases.check(name)


def test_a_policy_is_bounded() -> None:
    with pytest.raises(ValueError, match="leakage"):
        GatePolicy(leakage=0.0)
    with pytest.raises((Invalid, ValueError)):
        GatePolicy(evidence="any")  # type: ignore[arg-type]
