"""Monitors, drift, alerts and channels through their operations."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mainspring.data import rows as row_store
from mainspring.data.models import Message, Row
from mainspring.kernel import events, hooks, lineage, settings, versions
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from mainspring.kernel.spans import Span
from mainspring.monitoring import Alerts, Channels, Drifts, Monitors, jobs, outgoing, run_due
from mainspring.registry import ModelContent, ModelFile, Parameters, register
from mainspring.registry.releases import create as create_release
from mainspring.traces import Scores

WORDS = {
    "code": "function returns the value of a parameter array matrix shape index raises error when class method".split(),
    "food": "cook butter onion garlic simmer oven bake spoon flour sugar taste plate soup dinner recipe".split(),
}


class BagOfWords:
    """An Embed port for tests: each word has a direction, a text is the sum of its words."""

    name = "bag-of-words"

    def embed(self, texts):
        out = np.zeros((len(texts), 48), np.float32)
        for at, text in enumerate(texts):
            for word in re.findall(r"\w+", text):
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
                out[at] += np.random.default_rng(seed).standard_normal(48, np.float32)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def say(topic: str, number: int) -> str:
    return " ".join(np.random.default_rng(number).choice(WORDS[topic], 12))


def call(platform, number, text="hi", **fields):
    at = int(platform.clock.now().timestamp() * 1e9)
    base = {
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "project": "default",
        "environment": "production",
        "deployment": "docs",
        "release": "release/docs@1",
        "name": "chat docs",
        "kind": "chat",
        "start_ns": at - 10**9,
        "end_ns": at - 10**9 + 200_000_000,
        "status": "ok",
        "input": [{"role": "user", "parts": [{"type": "text", "content": text}]}],
    }
    return Span(**{**base, **fields})


@pytest.fixture
def trained(platform):
    """A release whose model was trained on texts about code."""
    platform.embed_port = BagOfWords()
    rows = [
        Row(
            id=f"r{n}",
            messages=[Message(role="user", content=say("code", n)), Message(role="assistant", content="a")],
            split="train" if n % 5 else "test",
        )
        for n in range(300)
    ]
    content = row_store.store(platform.files, rows)
    weights = platform.files.put(b"weights")
    file = ModelFile(path="model.gguf", sha256=weights.sha256, size=weights.size, role="weights")
    with platform.begin() as tx:
        dataset = versions.commit(tx, "dataset", "docs", content)
        base = register(tx, "base", ModelContent(format="gguf", files=[file]))
        model = register(
            tx, "docs", ModelContent(format="gguf", files=[file], base=base.ref, license="x"), run_id="run-1"
        )
        lineage.link(tx, "run-1", inputs=[dataset.ref])
        release = create_release(tx, "docs", model=model.ref, prompt="", guard="", parameters=Parameters())
    assert (dataset.ref, release.ref) == ("dataset/docs@1", "release/docs@1")
    return platform


def test_traffic_like_the_training_data_is_no_drift(trained):
    trained.spans.append([call(trained, n + 1, say("code", 1000 + n)) for n in range(80)])
    found = Drifts(trained).check("docs")
    assert not found.drifted and found.p_value > 0.01
    assert (found.release, found.reference, found.n, found.n_reference) == ("release/docs@1", "dataset/docs@1", 80, 200)
    assert "like the reference" in found.verdict


def test_traffic_of_another_kind_is_drift_and_shows_where_to_look(trained):
    odd = [call(trained, n + 1, say("food", n)) for n in range(40)]
    trained.spans.append(odd + [call(trained, n + 100, say("code", n)) for n in range(20)])
    found = Drifts(trained).check("release/docs@1")
    assert found.drifted and found.p_value <= 0.01 and found.effect > 0.2
    assert set(found.trace_ids) <= {span.trace_id for span in odd}
    again = Drifts(trained).check("docs", dataset="dataset/docs@1", split="test", limit=30)
    assert again.reference == "dataset/docs@1#test" and again.n == 30


def test_drift_says_what_is_missing(trained, platform):
    with pytest.raises(Invalid, match="drift needs"):
        Drifts(trained).check("docs")
    trained.spans.append([call(trained, n + 1, say("code", n), release="") for n in range(30)])
    with pytest.raises(Invalid, match="No release"):
        Drifts(trained).check("docs")
    with pytest.raises(NotFound):
        Drifts(trained).check("docs", dataset="dataset/none")
    with pytest.raises(Invalid, match="no rows of the split"):
        Drifts(trained).check("docs", dataset="dataset/docs", split="moon")
    trained.embed_port = None
    with pytest.raises(Unavailable):
        Drifts(trained).check("docs", dataset="dataset/docs")


def test_a_drift_monitor_opens_one_alert_and_ends_it_when_it_is_over(trained, clock):
    monitors, alerts = Monitors(trained), Alerts(trained)
    monitors.create("inputs", "drift", target="docs", window_minutes=60)
    assert monitors.run("inputs").state == "insufficient" and alerts.list_().items == []
    trained.spans.append([call(trained, n + 1, say("food", n)) for n in range(40)])
    assert monitors.test("inputs").state == "firing" and alerts.list_().items == []
    first = monitors.run("inputs")
    second = monitors.run("inputs")
    [alert] = alerts.list_(state="open").items
    assert first.alert_id == second.alert_id == alert.id
    assert (alert.count, alert.target, alert.monitor) == (2, "docs", "inputs") and alert.detail["p_value"] <= 0.01
    seen = alerts.acknowledge(alert.id, note="on it")
    assert (seen.state, seen.acknowledged_by, seen.note) == ("acknowledged", "ann", "on it")
    clock.advance(hours=2)
    trained.spans.append([call(trained, n + 500, say("code", n)) for n in range(60)])
    over = monitors.run("inputs")
    assert over.state == "ok" and over.alert_id == alert.id
    ended = alerts.get(alert.id)
    assert (ended.state, ended.resolved_by) == ("resolved", "system")
    with pytest.raises(Conflict):
        alerts.resolve(alert.id)
    trained.spans.append([call(trained, n + 900, say("food", n)) for n in range(200)])
    assert monitors.run("inputs").alert_id != alert.id
    assert [item.state for item in monitors.results("inputs", limit=3)] == ["firing", "ok", "firing"]


def fire(platform, kind, spans, **options):
    platform.spans.append(spans)
    Monitors(platform).create("m", kind, target="docs", settings=options)
    return Monitors(platform).run("m")


def test_errors_fire_beyond_chance_only(platform):
    few = fire(platform, "error_rate", [call(platform, n, status="error" if n < 3 else "ok") for n in range(1, 22)])
    assert few.state == "ok" and few.n == 21 and few.value == pytest.approx(2 / 21)
    platform.spans.append([call(platform, n, status="error") for n in range(30, 45)])
    many = Monitors(platform).run("m")
    assert many.state == "firing" and len(many.trace_ids) == 5


def test_the_interval_of_an_alarm_holds_its_level_on_few_calls(platform):
    # By Wilson's formula alone 3 of 20 lie above .05, which a true share of .05 makes in 8 of 100 windows.
    few = fire(platform, "error_rate", [call(platform, n, status="error" if n < 4 else "ok") for n in range(1, 21)])
    assert (few.state, few.detail["method"]) == ("ok", "clopper-pearson")
    platform.spans.append([call(platform, n) for n in range(30, 50)])
    assert Monitors(platform).run("m").detail["method"] == "agresti-coull"


def test_slow_calls_fire(platform):
    slow = [call(platform, n, end_ns=call(platform, n).start_ns + n * 10**9) for n in range(1, 31)]
    found = fire(platform, "latency", slow, max_ms=20_000.0)
    assert found.state == "firing" and found.value == pytest.approx(29_000, rel=0.01)
    assert found.trace_ids[-1] == f"{30:032x}"


def test_bad_feedback_fires_for_its_own_deployment(platform):
    platform.spans.append([call(platform, 99, deployment="other")])
    Scores(platform).create("thumb", trace_id=f"{99:032x}", number=0.0)
    spans = [call(platform, n) for n in range(1, 21)]
    for n in range(1, 21):
        Scores(platform).create("thumb", trace_id=f"{n:032x}", number=float(n % 2))
    found = fire(platform, "feedback", spans, score="thumb")
    assert (found.state, found.n, found.value) == ("firing", 20, 0.5)


def test_guard_hits_and_spend_fire(platform):
    hit = call(platform, 1, attributes={"mainspring.guard.action": "block"}, cost=3.0)
    found = fire(platform, "guard_hits", [hit, call(platform, 2, attributes={"mainspring.guard.action": "log"})])
    assert (found.state, found.value, found.trace_ids) == ("firing", 1.0, [hit.trace_id])
    Monitors(platform).create("cost", "spend", settings={"max_usd": 2.0})
    assert Monitors(platform).run("cost").state == "firing"


def test_monitors_look_at_their_own_environment(platform):
    found = fire(
        platform,
        "guard_hits",
        [call(platform, 1, environment="staging", attributes={"mainspring.guard.action": "block"})],
    )
    assert (found.state, found.n) == ("ok", 0)


def test_a_monitor_is_checked_changed_and_deleted(platform, acting):
    monitors = Monitors(platform)
    assert {kind.name for kind in monitors.kinds()} >= {
        "drift",
        "error_rate",
        "feedback",
        "guard_hits",
        "latency",
        "spend",
    }
    for wrong in (("x", "moon", {}), ("x", "drift", {"alpha": 3}), ("x", "drift", {"typo": 1}), ("x", "spend", {})):
        with pytest.raises(Invalid):
            monitors.create(wrong[0], wrong[1], settings=wrong[2])
    with pytest.raises(NotFound):
        monitors.create("x", "drift", channels=["none"])
    monitors.create("x", "error_rate")
    with pytest.raises(Conflict):
        monitors.create("x", "error_rate")
    assert monitors.update("x", enabled=False, settings={"max_share": 0.5}).settings["max_share"] == 0.5
    assert run_due(platform) == 0
    with acting("viewer"), pytest.raises(Denied):
        monitors.delete("x")
    with acting(project="other"):
        assert monitors.list_().items == []
    monitors.delete("x")
    with pytest.raises(NotFound):
        monitors.get("x")


def test_the_worker_looks_at_what_is_due_and_a_failure_stops_nothing(platform, clock):
    monitors = Monitors(platform)
    monitors.create("a", "drift", target="docs", every_minutes=10)
    monitors.create("b", "error_rate", every_minutes=10)
    platform.spans.append([call(platform, n + 1, say("code", n), release="") for n in range(30)])
    hooks.tick(platform, 1e9)
    a, b = monitors.get("a"), monitors.get("b")
    assert a.last is not None and a.last.state == "insufficient" and "No release" in a.last.summary
    assert b.last is not None and b.last.state == "ok"
    assert run_due(platform) == 0
    clock.advance(minutes=11)
    assert run_due(platform) == 2


class Receiver(BaseHTTPRequestHandler):
    """Takes messages, or refuses the first of them."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.statuses = [], []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def allow_private(platform, allowed=True):
    flags = {"home": str(platform.home), "webhook.allow_private": allowed}
    platform.settings = settings.load(flags, environ={}, folder=platform.home)


def test_an_alert_reaches_its_channel_though_the_first_try_fails(platform, clock, receiver):
    allow_private(platform)
    url = f"http://127.0.0.1:{receiver.server_port}/hook?x=1"
    channel = Channels(platform).create("ops", url, secret="s3cret")
    assert (channel.host, channel.signed) == ("127.0.0.1", True)
    receiver.statuses = [500]
    fire(platform, "guard_hits", [call(platform, 1, attributes={"mainspring.guard.action": "block"})])
    events.deliver_due(platform)
    assert len(receiver.got) == 1
    clock.advance(seconds=5)
    events.deliver_due(platform)
    events.deliver_due(platform)
    assert len(receiver.got) == 2
    path, headers, body = receiver.got[1]
    message = json.loads(body)
    assert path == "/hook?x=1" and message["type"] == "alert.opened" and message["alert"]["monitor"] == "m"
    assert headers["x-mainspring-signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert receiver.got[0][1]["x-mainspring-delivery"] == headers["x-mainspring-delivery"] == message["id"]
    Alerts(platform).resolve(message["alert"]["id"], note="done")
    events.deliver_due(platform)
    assert json.loads(receiver.got[2][2])["type"] == "alert.resolved"


def test_a_monitor_tells_only_the_channels_that_it_names(platform, receiver):
    allow_private(platform)
    base = f"http://127.0.0.1:{receiver.server_port}"
    Channels(platform).create("chat", f"{base}/chat", kind="slack")
    Channels(platform).create("other", f"{base}/other")
    platform.spans.append([call(platform, 1, attributes={"mainspring.guard.action": "block"})])
    Monitors(platform).create("m", "guard_hits", target="docs", channels=["chat"])
    Monitors(platform).run("m")
    while events.deliver_due(platform):
        pass
    [(path, _, body)] = receiver.got
    assert path == "/chat" and "guard hits of docs" in json.loads(body)["text"]
    Channels(platform).test("other")
    assert receiver.got[1][0] == "/other"


def test_a_channel_shows_no_url_and_reaches_no_inner_address(platform, receiver):
    channels = Channels(platform)
    allow_private(platform)
    channels.create("in", f"http://localhost:{receiver.server_port}/very-secret")
    with platform.records.read() as conn:
        tables = ("channels", "audit_rows", "events")
        stored = repr([conn.exec_driver_sql(f"select * from {table}").all() for table in tables])
    assert "http://localhost" in stored
    assert "very-secret" not in stored and "very-secret" not in repr(channels.list_())
    allow_private(platform, False)
    with pytest.raises(Denied):
        channels.test("in")
    assert receiver.got == []
    for url in ("ftp://x/y", "http://user:pw@example.org/", "http://", "https://a b.org/", "http://x:99999/"):
        with pytest.raises(Invalid):
            channels.create("bad", url)
    with pytest.raises(Conflict):
        channels.create("in", "https://example.org/")
    channels.delete("in")
    with pytest.raises(NotFound):
        channels.test("in")


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::7f00:1", False, True),
        ("2002:0a00:0001::1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("100.64.0.1", False, False),
        ("2606:2800:220:1::1", True, True),
    ],
)
def test_which_addresses_may_be_called(address, public, private):
    assert outgoing.permitted(address, allow_private=False) is public
    assert outgoing.permitted(address, allow_private=True) is private


def test_a_message_for_a_deleted_channel_is_dropped(platform):
    jobs.deliver_message(platform, {"channel": "gone", "message": {}})
