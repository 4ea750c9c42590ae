"""Targets by URL: asked where they may be, with keys that belong to their host, and once for each question."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.evals.upstream import Counting

from mainspring.evals import Experiment, Experiments, remote
from mainspring.kernel import runs, settings
from mainspring.kernel.errors import Denied, Invalid
from mainspring.kernel.jobs import execute
from mainspring.traces import Prices, Traces


def configured(platform, **values):
    given = {"home": str(platform.home), **{name.replace("__", "."): value for name, value in values.items()}}
    platform.settings = settings.load(given, environ={}, folder=platform.home)


@pytest.fixture
def upstream(platform, questions):
    configured(platform, targets__allow_private=True)
    server = Counting()
    yield server
    server.close()


@pytest.fixture
def experiments(platform, questions):
    return Experiments(platform)


def ran(experiments, upstream, **kwargs):
    target = f"{upstream.url}#tiny"
    run = experiments.run("dataset/docs", target, prompt="prompt/describe", scorers=["exact", "latency"], **kwargs)
    assert run.error is None, run.error
    return Experiment.model_validate(run.result)


def test_a_url_is_asked_and_each_row_leads_to_its_trace(experiments, upstream, platform):
    Prices(platform).set("tiny", input_per_million=1.0, output_per_million=2.0)
    done = ran(experiments, upstream)
    assert (done.rows, done.calls, done.target) == (100, 100, f"{upstream.url}#tiny")
    assert done.cost == pytest.approx(100 * 20e-6)
    assert {body["model"] for body in upstream.bodies} == {"tiny"}
    row = experiments.rows(done.id, limit=1).items[0]
    assert row.answer == "echo Describe #0"
    platform.spans.flush()
    trace = Traces(platform).get(row.trace_id)
    span = trace.spans[0]
    assert (span.environment, span.prompt, span.model) == ("experiment", "prompt/describe@1", "tiny")
    assert span.attributes["mainspring.experiment"] == done.id
    assert span.output[0]["parts"][0]["content"] == row.answer


def test_inner_addresses_are_refused_until_they_are_allowed(experiments, upstream, platform):
    configured(platform)
    with pytest.raises(Denied, match="inner address"):
        experiments.run("dataset/docs", f"{upstream.url}#tiny")
    port = upstream.url.split(":")[2]
    run = experiments.run("dataset/docs", f"http://localhost:{port}#tiny", scorers=["exact"])
    assert run.state == "failed"
    assert "inner address" in run.error["message"]
    assert upstream.bodies == []


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "0.0.0.0"])
def test_link_local_addresses_are_never_asked(platform, address):
    configured(platform, targets__allow_private=True)
    with pytest.raises(Denied):
        remote.find(f"http://{address}/v1#m", platform.settings, {})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("https://api.example.com/v1", "does not name a model"),
        ("https://key@api.example.com/v1#m", "user or a password"),
        ("https://api.example.com/v1?key=a#m", "takes no query"),
        ("https://#m", "not valid"),
    ],
)
def test_a_url_that_is_no_target_is_refused(platform, target, message):
    with pytest.raises(Invalid, match=message):
        remote.find(target, platform.settings, {})


def test_a_key_goes_to_its_host_alone_and_stands_nowhere(experiments, upstream, platform, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    place = upstream.url.split("/")[2]
    configured(platform, targets__allow_private=True, targets__keys=f"{place}=SOME_KEY, api.example.com=SOME_KEY")
    done = ran(experiments, upstream)
    assert {headers["authorization"] for headers in upstream.headers} == {"Bearer sk-very-secret"}
    with platform.read() as tx:
        run = runs.get(tx, done.id)
    assert "secret" not in run.model_dump_json()
    other = Counting()
    ran(experiments, other)
    assert not any("authorization" in headers for headers in other.headers)
    other.close()
    with pytest.raises(Denied, match="unencrypted"):
        remote.find("http://api.example.com/v1#m", platform.settings)
    assert remote.find("https://api.example.com/v1#m", platform.settings).api_key == "sk-very-secret"
    assert "secret" not in repr(remote.find("https://api.example.com/v1#m", platform.settings))
    with pytest.raises(Invalid, match="is not set"):
        remote.find("https://api.example.com/v1#m", platform.settings, {})


def test_what_the_server_says_is_the_error_without_the_key(experiments, upstream, platform, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    place = upstream.url.split("/")[2]
    configured(platform, targets__allow_private=True, targets__keys=f"{place}=SOME_KEY")
    upstream.status, upstream.problem = 401, "Incorrect key: sk-very-secret"
    run = experiments.run("dataset/docs", f"{upstream.url}#tiny", limit=3, scorers=["exact"])
    assert run.state == "failed"
    assert "Incorrect key: [secret]" in run.error["message"]
    upstream.problem = "x" * 290 + "sk-very-secret"
    run = experiments.run("dataset/docs", f"{upstream.url}#tiny", limit=3, scorers=["exact"])
    assert "sk-very" not in run.error["message"]


def test_a_busy_server_is_asked_again_and_then_left(experiments, upstream):
    upstream.status = 429
    run = experiments.run("dataset/docs", f"{upstream.url}#tiny", limit=1, scorers=["exact"])
    assert run.state == "failed"
    assert len(upstream.bodies) > 4


def test_a_budget_of_calls_ends_the_run_with_what_it_has(experiments, upstream):
    done = ran(experiments, upstream, max_calls=30)
    assert (done.rows, done.calls, len(upstream.bodies)) == (30, 30, 30)
    assert "budget of 30 calls" in done.stopped


def test_a_budget_in_money_is_not_overrun_and_needs_a_price(experiments, upstream, platform):
    with pytest.raises(Invalid, match="needs a price"):
        ran(experiments, upstream, max_cost=1.0)
    Prices(platform).set("tiny", input_per_million=100.0, output_per_million=200.0)  # 2e-3 a call
    done = ran(experiments, upstream, max_cost=0.05)
    assert done.cost == pytest.approx(0.05)
    assert done.rows == len(upstream.bodies) == 25
    assert "US dollars is spent" in done.stopped
    whole = ran(experiments, upstream, name="whole")
    assert done.name == ""
    assert "stopped" in experiments.compare(whole.id, done.id).note


def test_questions_that_are_the_same_are_asked_once(experiments, upstream, platform):
    from mainspring.data import rows as dataset_rows
    from mainspring.data.models import Row
    from mainspring.kernel import versions

    rows = [Row(id=f"s{n}", text=f"same {n % 3}", reference="x", split="test") for n in range(12)]
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "twins", dataset_rows.store(platform.files, rows))
    run = experiments.run("dataset/twins", f"{upstream.url}#tiny", scorers=["exact"])
    assert (run.result["rows"], run.result["calls"]) == (12, 3)


WORKER = """
import sys
from pathlib import Path
from mainspring.backends.files_object import open_files
from mainspring.backends.records_sqlite import open_records
from mainspring.backends.spans_sqlite import open_spans
from mainspring.kernel import jobs, settings
from mainspring.kernel.clock import SystemClock, SystemIds
from mainspring.kernel.keyring import Keyring
from mainspring.kernel.platform import Platform
import mainspring.evals.jobs

home = Path(sys.argv[1])
config = settings.load({"home": str(home), "targets.allow_private": True}, environ={}, folder=home)
platform = Platform(
    home=home, settings=config, clock=SystemClock(), ids=SystemIds(), keyring=Keyring(b"k" * 32),
    records=open_records("", home, config), files=open_files("", home, config), spans_port=open_spans("", home, config),
)
jobs.execute(platform, sys.argv[2])
"""


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_pays_for_no_answer_twice(experiments, upstream, platform, tmp_path: Path):
    upstream.hold_at = 61
    platform.runner_port = None
    run = experiments.run("dataset/docs", f"{upstream.url}#tiny", prompt="prompt/describe", scorers=["exact"])
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    worker = subprocess.Popen([sys.executable, str(script), str(platform.home), run.id], env={**os.environ})
    journal = platform.home / "runs" / run.id / "calls.jsonl"
    assert upstream.held.wait(120), "the worker asked nothing"
    before = dict(upstream.answered)
    # Answers on the wire when it dies are paid for and lost: the kill waits until every answer that was given is kept.
    while worker.poll() is None and len(journal.read_text().splitlines()) < len(before):
        before = dict(upstream.answered)
    worker.kill()
    worker.wait()
    assert 53 <= len(before) <= 61
    upstream.hold_at = None
    upstream.answered.clear()  # what was held is let go into a dead connection
    asked_before = len(upstream.bodies)
    execute(platform, run.id)
    with platform.read() as tx:
        finished = runs.get(tx, run.id)
    assert (finished.state, finished.attempt) == ("succeeded", 2), finished.error
    again = [body["messages"][-1]["content"] for body in upstream.bodies[asked_before:]]
    assert set(again).isdisjoint(before)
    assert len(again) == 100 - len(before)
    done = experiments.get(run.id)
    assert (done.rows, done.calls) == (100, 100)
    platform.spans.flush()
    rows = experiments.rows(run.id, limit=1000).items
    assert all(Traces(platform).get(row.trace_id).spans for row in (rows[0], rows[-1]))
