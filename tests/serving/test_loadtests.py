"""Load tests: requests that come when they should, timed from then, and figures that follow from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.conftest import Upstream
from tests.serving.test_deployment_machine import make_releases

from mainspring.kernel import runs
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.runs import Run
from mainspring.kernel.settings import Settings
from mainspring.kernel.spans import SpanFilter
from mainspring.serving import loads
from mainspring.serving.loads import LoadTest, Sample
from mainspring.serving.loadtests import LoadTests, samples
from mainspring.serving.service import Deployments
from mainspring.workspace import Keys, Projects


def ended(platform: Platform, run: Run) -> Run:
    with platform.read() as tx:
        return runs.get(tx, run.id)


@pytest.fixture
def outside(platform: Platform, upstream: Upstream) -> str:
    """The tiny server as a target by URL."""
    held = {name: (value, "test") for name, value in platform.settings.items()}
    platform.settings = Settings({**held, "targets.allow_private": (True, "test")})
    return f"{upstream.url}/v1#tiny"


@pytest.fixture
def deployed(platform: Platform, small_model: str, gateway_url: str) -> str:
    """A deployment behind the gateway of a server that runs."""
    Projects(platform).create("default")
    made = make_releases(platform, small_model)["approved"][0]
    Deployments(platform).create("docs", made)
    state = Path(platform.home) / "run" / "server.json"
    state.parent.mkdir(exist_ok=True)
    state.write_text(json.dumps({"url": gateway_url}))
    return made


def test_open_load_comes_at_random_times_and_every_request_is_kept(
    platform: Platform, outside: str, upstream: Upstream
) -> None:
    service = LoadTests(platform)
    run = service.run(url=outside, rates=[60.0], seconds=1.0, slo="ttft=60000,e2e=60000", prompts=["a", "b"], seed=3)
    test = service.get(run.id)
    [level] = test.levels
    assert (level.arrivals, level.load, level.errors) == ("open", 60.0, {})
    assert 35 <= level.requests == level.answered <= 90
    assert level.met == 1.0 and level.met_low > 0.9 and test.sustained == 60.0 and test.knee is None
    assert level.ttft is not None and level.e2e is not None and level.ttft.p50.value <= level.e2e.p50.value
    assert level.e2e.p50.low is not None and level.e2e.p50.low <= level.e2e.p50.value
    assert level.e2e.p99.high is None, "so few requests do not hold the 99th percentile"
    assert level.tokens_per_second == pytest.approx(3 * level.requests_per_second)
    kept = samples(platform, level.samples)
    assert len(kept) == level.requests and {one.tokens for one in kept} == {3}
    assert all(0 <= one.due < 1000 for one in kept)
    assert {body["messages"][0]["content"] for body in upstream.bodies} == {"a", "b"}
    assert upstream.bodies[0]["stream"] is True and upstream.bodies[0]["model"] == "tiny"
    assert [one.id for one in service.list_().items] == [run.id]


def test_waiting_is_timed_from_when_a_request_was_due(platform: Platform, outside: str, upstream: Upstream) -> None:
    """A server that answers one at a time in 50 ms cannot bear 60 a second: who comes late waits for all before."""
    upstream.one_at_a_time = 0.05
    run = LoadTests(platform).run(url=outside, rates=[60.0], seconds=1.0, slo="e2e=300")
    test = LoadTests(platform).get(run.id)
    [level] = test.levels
    assert level.e2e is not None and level.e2e.p95.value > 700
    assert level.met < 0.5 and level.goodput < level.requests_per_second and test.sustained is None


def test_a_deployment_is_asked_through_the_gateway_with_a_key_that_ends(platform: Platform, deployed: str) -> None:
    run = LoadTests(platform).run(deployment="docs", concurrency=[4, 1, 2], seconds=1.0)
    assert ended(platform, run).state == "succeeded", ended(platform, run).error
    test = LoadTests(platform).get(run.id)
    assert [(one.arrivals, one.load) for one in test.levels] == [("closed", 1.0), ("closed", 2.0), ("closed", 4.0)]
    assert test.release == deployed and test.knee in (1.0, 2.0, 4.0)
    assert all(one.errors == {} and one.answered > 0 for one in test.levels)
    with platform.read() as tx:
        told = [event.body for event in runs.events_of(tx, run.id) if "level" in event.body]
    assert [loads.LoadLevel(**body["level"]) for body in told] == test.levels, "each is told as soon as it is done"
    platform.spans.flush()
    spans = list(platform.spans.scan("default", SpanFilter(deployment="docs"), limit=10_000))
    assert {span.service for span in spans} == {"loadtest"}
    assert len(spans) >= sum(one.answered for one in test.levels)
    made = [key for key in Keys(platform).list_().items if key.note.startswith("load test")]
    assert len(made) == 3 and all(key.state == "revoked" for key in made)


def test_a_server_that_answers_nothing_fails_the_run_which_can_be_resumed(
    platform: Platform, outside: str, upstream: Upstream
) -> None:
    upstream.fail = (500, {"error": {"message": "down"}})
    failed = LoadTests(platform).run(url=outside, concurrency=[1], seconds=1.0)
    told = ended(platform, failed)
    assert told.state == "failed" and told.error is not None and "status 500" in told.error["message"]
    with pytest.raises(Conflict, match="failed"):
        LoadTests(platform).get(failed.id)
    upstream.fail = None
    with platform.begin() as tx:
        runs.resume(tx, failed.id)
    platform.runner.submit(failed.id)
    assert LoadTests(platform).get(failed.id).levels[0].answered > 0


def test_what_cannot_be_asked_is_refused(platform: Platform, deployed: str, outside: str, acting: Any) -> None:
    service = LoadTests(platform)
    for wrong in (
        {"rates": [1.0]},
        {"deployment": "docs", "url": outside, "rates": [1.0]},
        {"deployment": "docs"},
        {"deployment": "docs", "rates": [1.0], "concurrency": [1]},
        {"deployment": "docs", "rates": [1.0], "slo": "ttft=1,ttft=2"},
        {"url": "http://127.0.0.1/v1", "rates": [1.0]},
    ):
        with pytest.raises(Invalid):
            service.run(**wrong)
    with pytest.raises(NotFound):
        service.run(deployment="nothing", rates=[1.0])
    with acting(role="viewer", member="bob"), pytest.raises(Denied):
        service.run(deployment="docs", rates=[1.0])


def taken(rng: np.random.Generator, n: int, factor: float = 1.0) -> list[Sample]:
    """Requests of which a tenth is slow."""
    times = factor * rng.lognormal(5, 0.4, n)
    return [Sample(10.0 * k, float(t) / 4, float(t) / 40, float(t), 20, "") for k, t in enumerate(times)]


def made(name: str, by_load: dict[float, list[Sample]], slo: dict[str, float]) -> LoadTest:
    levels = [
        loads.level(found, slo, arrivals="open", load=load, seconds=10.0, kept=f"{name}-{load}")
        for load, found in by_load.items()
    ]
    moment: Any = "2026-01-02T00:00:00Z"
    figures = {"knee": loads.knee(levels), "sustained": loads.sustained(levels), "levels": levels, "slo": slo}
    fixed = {"target": "docs", "release": "", "prompts": 1, "max_tokens": 64, "seed": 0, "started_at": moment}
    return LoadTest(id=name, **figures, **fixed)


def test_the_knee_and_the_objectives_follow_from_the_levels() -> None:
    rng = np.random.default_rng(1)
    by_load = {5.0: taken(rng, 50), 10.0: taken(rng, 100), 20.0: taken(rng, 200, 1.2), 40.0: taken(rng, 210, 6.0)}
    failed = [one._replace(error="status 429", ttft=None, itl=None, e2e=None, tokens=0) for one in taken(rng, 190)]
    test = made("a", {**by_load, 40.0: by_load[40.0] + failed}, {"e2e": 500.0, "ttft": 200.0})
    assert test.knee == 20.0 and test.sustained == 20.0
    last = test.levels[-1]
    assert (last.requests, last.answered, last.errors) == (400, 210, {"status 429": 190})
    assert last.met < 0.2 and last.goodput == pytest.approx(last.met * 400 / 10, rel=0.2)
    assert loads.level([], {}, arrivals="open", load=1.0, seconds=1.0, kept="").ttft is None


def test_two_load_tests_are_compared_level_by_level() -> None:
    rng = np.random.default_rng(2)
    left = {10.0: taken(rng, 300), 20.0: taken(rng, 300)}
    right = {10.0: taken(rng, 300, 1.5), 20.0: taken(rng, 300), 30.0: taken(rng, 40)}
    one, two = made("one", left, {}), made("two", right, {})
    read = {f"one-{load}": found for load, found in left.items()} | {f"two-{k}": found for k, found in right.items()}
    found = loads.compare(one, two, read, confidence=0.95)
    by_key = {(item.load, item.time, item.quantile): item for item in found.differences}
    assert len(by_key) == 12 and found.unmatched == ["30 requests a second: in one of the two only"]
    for time in loads.TIMES:
        assert by_key[(10.0, time, "p50")].verdict == "slower"
        assert by_key[(20.0, time, "p50")].verdict == "no difference shown"
    slow = by_key[(10.0, "e2e", "p50")]
    assert slow.low <= 1.5 <= slow.high and slow.ratio == pytest.approx(slow.candidate / slow.baseline)
    swapped = loads.compare(two, one, read, confidence=0.95)
    assert next(item for item in swapped.differences if item.load == 10.0).verdict == "faster"
