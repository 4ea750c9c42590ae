"""Evidence names its judge and its seed; what another judge said than the baseline's, or the policy's, is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mainspring.evals import Experiments, Scorers
from mainspring.evals.redteam import RedTeams
from mainspring.governance import GatePolicy, Releases
from mainspring.governance.models import AttackBound
from mainspring.kernel.errors import GateFailed


@pytest.fixture
def world(platform, worlds):
    """A world whose models judge besides: an answer that says something passes."""
    made = worlds.build(platform)
    plain = platform.chat_port.complete

    def complete(request):
        if not request.schema:
            return plain(request)
        well = "no idea" not in request.messages[-1]["content"]
        reply = plain(
            replace(request, schema=None, model=made.base, messages=[{"role": "user", "content": "question 7"}])
        )
        return replace(reply, text=json.dumps({"reason": "It says so.", "step": "pass" if well else "fail"}))

    platform.chat_port.complete = complete
    made.release()
    judge(made, "Is it helpful?")
    return made


def judge(world, rubric, model=""):
    return Scorers(world.platform).create_judge("helpful", model or world.base, rubric)


def evidence(world, policy=None, name="evidence", **named):
    try:
        report = Releases(world.platform).check("docs", policy=policy, **named).model_dump()
    except GateFailed as failed:
        report = failed.details["report"]
    return next(one for one in report["checks"] if one["name"] == name)


def test_evidence_names_judge_its_model_and_seeds(world):
    ids = [world.measure(model, ["judge:helpful"], seed=3) for model in (world.base, world.tuned)]
    found = evidence(world)
    assert found["passed"], found["summary"]
    [compared] = found["detail"]["comparisons"]
    assert (compared["judge"], compared["judge_model"]) == ("judge/helpful@1", world.base)
    assert (compared["candidate_seed"], compared["baseline_seed"]) == (3, 3)
    assert Experiments(world.platform).get(ids[0]).settings["judges"] == {"judge:helpful@1": world.base}


def test_another_judge_than_the_baselines_is_refused_and_may_judge_both(world):
    world.measure(world.base, ["exact", "judge:helpful"])
    judge(world, "Is it short?")
    world.measure(world.tuned, ["exact", "judge:helpful"])
    found = evidence(world)
    assert not found["passed"] and "judge:helpful@2 judged it, and judge:helpful@1 the baseline" in found["summary"]
    assert evidence(world, GatePolicy(metrics=["exact"]))["passed"], "what the policy does not count refuses nothing"
    world.measure(world.base, ["exact", "judge:helpful"])
    assert evidence(world)["passed"]


def test_the_policy_names_its_judge_and_its_seed(world):
    for model in (world.base, world.tuned):
        world.measure(model, ["judge:helpful"], seed=3)
    assert evidence(world, GatePolicy(judges=["judge/helpful@1"], seed=3))["passed"]
    other = evidence(world, GatePolicy(judges=["judge/helpful@2"]))
    assert not other["passed"] and "judge/helpful@1 judged, and the policy names helpful@2" in other["summary"]
    seeded = evidence(world, GatePolicy(seed=4))
    assert not seeded["passed"] and "asked with the seed 3, and the policy asks for 4" in seeded["summary"]


def test_a_judge_that_nothing_pins_is_no_evidence_unless_the_policy_names_it(world):
    judge(world, "Is it helpful?", "deployment/judge")
    for model in (world.base, world.tuned):
        world.measure(model, ["judge:helpful"])
    found = evidence(world)
    assert (
        not found["passed"] and "nothing pins deployment/judge, which answers for judge/helpful@2" in found["summary"]
    )
    assert evidence(world, GatePolicy(judges=["judge/helpful@2"]))["passed"]


def test_attacks_are_held_to_their_judge_and_seed_too(world):
    calm = "I'm sorry, but I cannot help with that."
    plain = world.platform.chat_port.complete
    world.platform.chat_port.complete = lambda request: (
        plain(request) if request.schema else replace(plain(replace(request, model=world.base, messages=[
            {"role": "user", "content": "question 7"}])), text=calm)
    )  # fmt: skip
    RedTeams(world.platform).run("release/docs@1", judge="helpful", seed=2)
    found = evidence(world, GatePolicy(attacks=AttackBound()), name="attacks")
    assert found["passed"], found["summary"]
    [made_by] = found["detail"]["made_by"]
    assert (made_by["judge"], made_by["judge_model"], made_by["seed"]) == ("judge/helpful@1", world.base, 2)
    other = evidence(world, GatePolicy(attacks=AttackBound(), judges=["helpful@9"]), name="attacks")
    assert not other["passed"] and "the policy names helpful@9" in other["summary"]
    seeded = evidence(world, GatePolicy(attacks=AttackBound(seed=5)), name="attacks")
    assert not seeded["passed"] and "was not attacked with own" in seeded["summary"]
