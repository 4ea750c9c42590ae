"""How the SDK sends: in bounds, in the background, again where that helps, and never at the application's cost."""

from __future__ import annotations

import json
import logging

import mainspring
from mainspring.sdk.active import exporter


def test_a_full_queue_drops_and_counts(server, caplog):
    server.gate.clear()
    assert mainspring.init(server.url, "key", interval=0.05, max_queue=10)
    try:
        for _ in range(600):
            with mainspring.span("x"):
                pass
        assert mainspring.counters()["dropped"] >= 600 - 512 - 10
        server.gate.set()
        assert mainspring.flush(30)
        counts = mainspring.counters()
        assert counts["sent"] + counts["dropped"] == 600
    finally:
        mainspring.shutdown(5)


def test_memory_is_bounded_by_bytes_too(server):
    server.gate.clear()
    assert mainspring.init(server.url, "key", interval=0.05, max_queue_bytes=1_000_000)
    try:
        for _ in range(100):
            with mainspring.span("x", input="y" * 60_000):
                pass
        assert mainspring.counters()["dropped"] > 50
    finally:
        server.gate.set()
        mainspring.shutdown(5)


def test_it_tries_again_when_the_server_asks_it_to(sink, server, caplog):
    server.answers += [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (500, {})]
    with caplog.at_level(logging.WARNING), mainspring.span("x"):
        pass
    assert sink.one().name == "x"
    assert mainspring.counters() == {"sent": 1, "dropped": 0, "rejected": 0}
    assert caplog.text.count("does not take them now") == 1


def test_what_the_server_refuses_is_dropped_and_told_once(sink, server, caplog):
    server.answers += [(400, {}), (400, {})]
    for name in ("a", "b", "c"):
        with mainspring.span(name):
            pass
        mainspring.flush(30)
    assert [span.name for span in sink.arrived()] == ["c"]
    assert mainspring.counters()["dropped"] == 2 and caplog.text.count("refused them with 400") == 1


def test_rejected_spans_are_counted(sink, server):
    server.reply = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "span 0: no"}}).encode()
    with mainspring.span("x"):
        pass
    assert mainspring.flush(30) and mainspring.counters() == {"sent": 0, "dropped": 0, "rejected": 1}


def test_an_unreachable_server_costs_the_application_nothing(server, caplog):
    server.shutdown()
    server.server_close()
    assert mainspring.init(server.url, "key", interval=0.05)
    with mainspring.span("x") as span:
        span.set_output("works")
    while "does not take them now" not in caplog.text:
        assert mainspring.flush(0.1) is False
    assert mainspring.shutdown(0.1) is False
    with mainspring.span("after"):
        pass
    assert caplog.text.count("does not take them now") == 1


def test_a_long_span_is_told_of_before_it_ends(sink, server):
    sender = exporter()
    assert sender is not None
    with mainspring.span("long", input="question") as span:
        span.start_ns -= 2_000_000_000
        sink.wait(lambda: bool(server.received))
        [running] = sink.arrived()
        assert (running.status, running.input, running.end_ns) == ("running", "question", running.start_ns)
    ended = [one for one in sink.spans() if one.status != "running"]
    assert [one.span_id for one in ended] == [running.span_id] and not sender.open


def test_the_redaction_hook_sees_all_that_is_said(server):
    def redact(value):
        if "explode" in json.dumps(value):
            raise RuntimeError("no")
        return json.loads(json.dumps(value).replace("ann@example.org", "[mail]"))

    assert mainspring.init(server.url, "key", interval=0.05, redact=redact)
    try:
        with mainspring.user("ann@example.org"), mainspring.span("x", input={"to": "ann@example.org"}) as span:
            span.set(mail="ann@example.org", bad="explode").event("e", mail="ann@example.org")
            span.fail("ann@example.org is gone")
        mainspring.score("s", 1.0, trace_id="1" * 32, comment="by ann@example.org")
        assert mainspring.flush(30)
    finally:
        mainspring.shutdown(5)
    sent = b"".join(body for _, _, body in server.received)
    assert b"ann@example" not in sent and b"explode" not in sent and b"[redaction failed]" in sent
    assert sent.count(b"[mail]") == 6


def test_capture_may_be_off_and_lengths_bounded(server):
    for how, expected in (({"capture": False}, None), ({"max_chars": 100}, "y" * 100 + " […cut]")):
        assert mainspring.init(server.url, "key", interval=0.05, **how)

        @mainspring.trace(name="f")
        def work(text):
            return text

        work("y" * 1000)
        assert mainspring.flush(30)
        body = server.received[-1][2].decode()
        assert ("y" * 101 not in body) and (expected is None) == ("output.value" not in body)
        mainspring.shutdown(5)


def test_a_share_of_traces_is_sent_and_every_error(server):
    assert mainspring.init(server.url, "key", interval=0.05, sample=0.0)
    try:
        with mainspring.span("left out"), mainspring.span("child"):
            assert mainspring.headers()["traceparent"].endswith("-00")
        with mainspring.span("root"), mainspring.span("failed") as span:
            span.fail("no")
        assert mainspring.flush(30)
    finally:
        mainspring.shutdown(5)
    sent = b"".join(body for _, _, body in server.received)
    assert b"failed" in sent and b"left out" not in sent and b'"root"' not in sent


def test_headers_name_key_project_and_environment(server):
    assert mainspring.init(server.url + "/prefix/", "key", interval=0.05, project="shop", environment="staging")
    try:
        with mainspring.span("x"):
            pass
        assert mainspring.flush(30)
    finally:
        mainspring.shutdown(5)
    [(path, headers, _)] = server.received
    assert path == "/prefix/v1/traces" and headers["authorization"] == "Bearer key"
    assert (headers["x-mainspring-project"], headers["x-mainspring-environment"]) == ("shop", "staging")


def test_much_text_goes_in_many_requests(sink, server):
    for _ in range(60):
        with mainspring.span("x", input="y" * 60_000):
            pass
    assert len(sink.spans()) == 60
    sizes = [len(body) for path, _, body in server.received if path == "/v1/traces"]
    assert len(sizes) >= 3 and max(sizes) < 1_300_000


def test_a_long_comment_arrives_as_it_is(sink):
    mainspring.score("helpful", 1, comment="It is good. " * 500, trace_id="a" * 32)
    [score] = sink.scores()
    assert (score["comment"], score["number"]) == ("It is good. " * 500, 1.0)


def test_a_judgement_that_is_none_breaks_nothing(sink, caplog):
    mainspring.score("helpful", "many", trace_id="a" * 32)  # type: ignore[arg-type]
    mainspring.feedback("a" * 32, object())  # type: ignore[arg-type]
    mainspring.score("helpful", 1, label=7, comment="x" * 50_000, trace_id="a" * 32)  # type: ignore[arg-type]
    [score] = sink.scores()
    assert (score["label"], len(score["comment"])) == ("7", 20_000) and caplog.text.count("was not taken") == 2


def test_the_hook_of_a_score_sees_its_words_alone(server):
    assert mainspring.init(server.url, "key", interval=0.05, redact=lambda value: value.replace("ann", "***"))
    mainspring.score("helpful", 1, comment="ann said so", trace_id="a" * 32)
    assert mainspring.shutdown(5)
    [body] = [json.loads(body) for path, _, body in server.received if path == "/api/v1/scores"]
    assert (body["number"], body["trace_id"], body["comment"]) == (1.0, "a" * 32, "*** said so")


def test_a_span_that_cannot_be_written_takes_no_other_with_it(server, caplog):
    odd: dict[object, object] = {}
    odd["self"] = odd
    assert mainspring.init(server.url, "key", interval=0.05, redact=lambda value: odd if value == "spoil" else value)
    for said in ("good", "spoil", "better"):
        with mainspring.span("x", input=said):
            pass
    assert mainspring.flush(30)
    assert mainspring.counters() == {"sent": 2, "dropped": 1, "rejected": 0}
    assert "cannot be written" in caplog.text and mainspring.shutdown(5)
