"""Traces, sessions, scores, prices and retention through their operations, and OTLP through its route."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import TestClient

from mainspring.kernel import access, hooks, settings
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.spans import Span
from mainspring.serving.metering import Usages
from mainspring.traces import Intake, Prices, Retentions, Scores, Sessions, Traces, expire
from mainspring.traces.http import otlp_routes

T0 = datetime(2026, 1, 2, tzinfo=UTC)
ONE, TWO = f"{1:032x}", f"{2:032x}"


def span(trace=1, number=1, **fields):
    start = int(T0.timestamp() * 1e9) + trace * 10**9
    base = {
        "trace_id": f"{trace:032x}",
        "span_id": f"{trace * 100 + number:016x}",
        "parent_id": "" if number == 1 else f"{trace * 100 + 1:016x}",
        "project": "default",
        "name": "chat",
        "kind": "chat",
        "start_ns": start,
        "end_ns": start + 250_000_000,
    }
    return Span(**{**base, **fields})


def test_a_trace_is_shown_with_spans_and_scores(platform):
    platform.spans.append([span(input="hi", model="m"), span(number=2)])
    score = Scores(platform).create("helpful", trace_id=ONE, number=1.0, comment="good")
    trace = Traces(platform).get(ONE)
    assert [item.span_id for item in trace.spans] == [f"{101:016x}", f"{102:016x}"]
    assert trace.scores == [score] and trace.duration_ms == 250.0
    assert trace.started_at == T0 + timedelta(seconds=1)
    with pytest.raises(NotFound):
        Traces(platform).get(TWO)


def test_lists_narrow_and_follow_pages(platform):
    platform.spans.append([span(n, model="a" if n % 2 else "b", input=f"word{n}") for n in range(1, 8)])
    traces = Traces(platform)
    first = traces.list_(model="a", limit=3)
    rest = traces.list_(model="a", limit=3, cursor=first.next_cursor or "")
    assert [int(line.trace_id, 16) for line in first.items + rest.items] == [7, 5, 3, 1]
    assert rest.next_cursor is None
    assert [line.trace_id for line in traces.search("word2").items] == [TWO]
    assert len(traces.list_(since=T0 + timedelta(seconds=6)).items) == 2
    with pytest.raises(Invalid):
        traces.search("")
    with pytest.raises(Invalid):
        traces.list_(cursor="bad")


def test_a_moment_that_no_clock_reaches_bounds_nothing_and_breaks_nothing(platform):
    platform.spans.append([span()])
    platform.spans.flush()
    far, early = datetime.max.replace(tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)
    for rows in (Traces(platform), Sessions(platform)):
        assert rows.list_(since=far).items == []
        rows.list_(since=early, until=far)
    assert len(Traces(platform).list_(since=early, until=far).items) == 1


def test_traces_are_found_by_their_scores(platform):
    platform.spans.append([span(1), span(2), span(3)])
    scores = Scores(platform)
    scores.create("thumb", trace_id=ONE, number=0.0)
    scores.create("thumb", trace_id=TWO, number=1.0)
    assert [line.trace_id for line in Traces(platform).list_(score="thumb", score_at_most=0.5).items] == [ONE]
    assert Traces(platform).list_(score="other").items == []


def test_usage_sums_by_what_is_asked(platform):
    now = int(platform.clock.now().timestamp() * 1e9)
    platform.spans.append(
        [
            span(n, model=f"m{n % 2}", input_tokens=10, cost=0.5, start_ns=now, end_ns=now + n * 10**8)
            for n in range(1, 5)
        ]
    )
    [all_] = Traces(platform).usage(by="", hourly=False)
    assert (all_.spans, all_.traces, all_.input_tokens, all_.cost, all_.mean_ms) == (4, 4, 40, 2.0, 250.0)
    assert 100 <= all_.p50_ms <= 300 and 300 <= all_.p95_ms <= 500
    assert [item.model for item in Traces(platform).usage(by="model")] == ["m0", "m1"]
    with pytest.raises(Invalid):
        Traces(platform).usage(by="moon")


def test_usage_of_too_many_parts_is_refused_and_not_cut(platform, monkeypatch):
    now = int(platform.clock.now().timestamp() * 1e9)
    platform.spans.append([span(n, model=f"m{n}", start_ns=now, end_ns=now + 1) for n in range(1, 5)])
    monkeypatch.setattr("mainspring.traces.service._PARTS", 3)
    with pytest.raises(Invalid, match="4 parts"):
        Traces(platform).usage(by="model")
    assert len(Traces(platform).usage(by="")) == 1


def test_sessions_gather_traces_and_scores(platform):
    platform.spans.append([span(n, session_id="a/b c" if n < 3 else "z", user_id="u") for n in (1, 2, 3)])
    Scores(platform).create("ok", session_id="a/b c", label="yes")
    Scores(platform).create("ok", trace_id=ONE, label="no")
    page = Sessions(platform).list_(limit=1)
    assert page.items[0].session_id == "z"
    assert Sessions(platform).list_(limit=1, cursor=page.next_cursor or "").items[0].session_id == "a/b c"
    detail = Sessions(platform).get("a/b c")
    assert detail.session.traces == 2 and len(detail.traces) == 2 and len(detail.scores) == 2
    with pytest.raises(NotFound):
        Sessions(platform).get("none")


def test_a_score_needs_a_target_and_something_to_say(platform, acting):
    scores = Scores(platform)
    for wrong in ({"number": 1.0}, {"trace_id": ONE}, {"span_id": "0" * 15 + "1", "session_id": "s", "number": 1.0}):
        with pytest.raises(Invalid):
            scores.create("x", **wrong)
    with acting("annotator", "bob"):
        made = scores.create("x", trace_id=ONE, label="bad", correction="should be so")
    assert made.created_by == "bob" and made.source == "human"
    with acting("viewer", "eve"), pytest.raises(Denied):
        scores.create("x", trace_id=ONE, label="bad")
    scores.create("y", trace_id=ONE, number=0.2)
    assert [s.name for s in scores.list_(trace_id=ONE).items] == ["y", "x"]
    assert [s.name for s in scores.list_(at_most=0.5).items] == ["y"]
    with acting(project="other"):
        assert scores.list_().items == []


def test_deleting_erases_trace_and_scores(platform, acting):
    platform.spans.append([span(1, input="gone"), span(2)])
    Scores(platform).create("x", trace_id=ONE, label="bad")
    with acting("viewer"), pytest.raises(Denied):
        Traces(platform).delete(ONE)
    assert Traces(platform).delete(ONE).model_dump() == {"spans": 1, "scores": 1}
    assert Scores(platform).list_().items == []
    with pytest.raises(NotFound):
        Traces(platform).delete(ONE)
    assert [line.trace_id for line in Traces(platform).list_().items] == [TWO]


def test_traces_are_counted_then_erased(platform):
    platform.spans.append([span(1, user_id="u"), span(2, user_id="v")])
    request = ErasureRequest("default", (ONE,), user_id="u")
    assert hooks.erasure_hooks["traces"](platform, request, False) == 1
    assert hooks.erasure_hooks["traces"](platform, request, True) == 1
    assert [line.user_id for line in Traces(platform).list_().items] == ["v"]


def test_retention_erases_what_is_older(platform, clock):
    assert Retentions(platform).get().days == 0
    platform.spans.append([span(1)])
    assert expire(platform) == 0
    assert Retentions(platform).set(30).days == Retentions(platform).get().days == 30
    assert expire(platform) == 0
    clock.advance(days=31)
    assert expire(platform) == 1
    assert Traces(platform).list_().items == []


def test_prices_give_calls_their_cost(platform):
    prices = Prices(platform)
    prices.set("gpt*", input_per_million=100.0, output_per_million=0.0, holds_from=T0)
    prices.set("gpt-5", input_per_million=1.0, output_per_million=2.0, holds_from=T0)
    prices.set("gpt-5", input_per_million=2.0, output_per_million=4.0, cached_per_million=1.0, holds_from=T0)
    assert [(p.model, p.input_per_million) for p in prices.list_()] == [("gpt*", 100.0), ("gpt-5", 2.0)]
    intake = Intake(platform)
    intake.append(
        [
            span(1, model="gpt-5", input_tokens=1_000_000, output_tokens=500_000, cached_tokens=500_000),
            span(2, model="gpt-9", input_tokens=1_000_000),
            span(3, model="own", input_tokens=5),
            span(4, model="gpt-5", input_tokens=5, cost=9.0),
        ]
    )
    assert [platform.spans.trace("default", f"{n:032x}")[0].cost for n in (1, 2, 3, 4)] == [3.5, 100.0, None, 9.0]


def strict(platform, **changes):
    flags = {"home": str(platform.home), **{name.replace("_", "."): value for name, value in changes.items()}}
    platform.settings = settings.load(flags, environ={}, folder=platform.home)
    return platform


def test_with_capture_off_nothing_said_is_written(platform):
    strict(platform, capture_content=False)
    said = span(
        input=[{"role": "user", "parts": []}],
        output="secretive",
        status_message="secretive",
        attributes={
            "db.query.text": "secretive",
            "gen_ai.request.temperature": 0.5,
            "http.route": "/x",
            "o": {"a": 1},
            "gen_ai.response.finish_reasons": ["stop"],
        },
        events=[{"name": "exception", "time_ns": 1, "attributes": {"exception.message": "secretive", "n": 1}}],
    )
    Intake(platform).append([said])
    [stored] = platform.spans.trace("default", ONE)
    assert stored.input is None and stored.output is None
    kept = {"gen_ai.request.temperature": 0.5, "http.route": "/x", "gen_ai.response.finish_reasons": ["stop"]}
    assert stored.attributes == kept
    assert "secretive" not in repr(stored)


def test_with_redaction_personal_data_is_never_written(platform):
    strict(platform, capture_redact=True)
    Intake(platform).append(
        [
            span(
                input=[{"role": "user", "parts": [{"type": "text", "content": "I am ann@example.org"}]}],
                user_id="ann@example.org",
            )
        ]
    )
    assert "[EMAIL]" in Traces(platform).list_().items[0].input_preview
    blob = b"".join(path.read_bytes() for path in (platform.home / "spans").rglob("*") if path.is_file())
    assert b"ann@example.org" not in blob


@pytest.fixture
def client(platform):
    caller = access.current()

    async def sign_in(request, call_next):
        role = request.headers.get("role", "developer")
        request.state.caller = access.Caller("dev", "k", "default", "staging", role, access.ROLES[role])
        return await call_next(request)

    app = Starlette(routes=otlp_routes(platform))
    app.add_middleware(BaseHTTPMiddleware, dispatch=sign_in)
    assert caller.member == "ann"
    return TestClient(app)


def body(**span_fields):
    one = {"traceId": ONE, "spanId": "00000000000000a1", "name": "n", "startTimeUnixNano": "5", "endTimeUnixNano": "9"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{**one, **span_fields}]}]}]}).encode()


JSON_HEADERS = {"content-type": "application/json"}


@pytest.mark.parametrize("path", ["/", "/v1/traces"])
def test_otlp_is_taken_at_both_paths(client, platform, path):
    reply = client.post(path, content=body(), headers=JSON_HEADERS)
    assert (reply.status_code, reply.json()) == (200, {})
    [stored] = platform.spans.trace("default", ONE)
    assert (stored.project, stored.environment) == ("default", "staging")


def test_otlp_answers_errors_as_exporters_expect(client, platform):
    zipped = {**JSON_HEADERS, "content-encoding": "gzip"}
    assert client.post("/", content=gzip.compress(body()), headers=zipped).status_code == 200
    assert client.post("/", content=b"{", headers=JSON_HEADERS).status_code == 400
    assert client.post("/", content=body(), headers={"content-type": "text/plain"}).status_code == 400
    assert client.post("/", content=body(), headers={**JSON_HEADERS, "role": "viewer"}).status_code == 403
    partial = client.post("/", content=body(traceId="xyz"), headers=JSON_HEADERS)
    assert partial.status_code == 200 and partial.json()["partialSuccess"]["rejectedSpans"] == "1"
    platform.spans.close()
    closed = client.post("/", content=body(), headers=JSON_HEADERS)
    assert closed.status_code == 503 and closed.headers["retry-after"] and closed.json()["code"] == 14


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_at_the_end_of_the_calendar_is_taken_in_utc(platform, at):
    moment = datetime.fromisoformat(at)
    given = Scores(platform).create("helpful", trace_id=ONE, number=1.0, at=moment)
    assert given.created_at.year == (1 if moment.year == 1 else platform.clock.now().year)
    assert Usages(platform).report(since=moment) is not None and Usages(platform).report(until=moment) is not None


def test_with_redaction_no_field_and_no_number_holds_personal_data(platform):
    strict(platform, capture_redact=True)
    mail, card = "ann@example.org", 4111111111111111
    fields = ("name", "kind", "service", "model", "provider", "deployment", "release", "prompt", "session_id")
    said = span(
        **dict.fromkeys(fields, mail),
        input=[{"role": "user", "parts": [{"type": "data", "content": {"card": card, "whole": float(card), "n": 5}}]}],
        attributes={"card": card, mail: [card, 3]},
        events=[{"name": mail, "time_ns": 1_790_000_000_000_000_000, "attributes": {"card": card}}],
    )
    Intake(platform).append([said])
    [stored] = platform.spans.trace("default", ONE)
    assert stored.input[0]["parts"][0]["content"] == {"card": "[CARD]", "whole": "[CARD]", "n": 5}
    assert stored.attributes == {"card": "[CARD]", "[EMAIL]": ["[CARD]", 3]}
    assert stored.events[0]["time_ns"] == 1_790_000_000_000_000_000
    blob = b"".join(path.read_bytes() for path in (platform.home / "spans").rglob("*") if path.is_file())
    assert mail.encode() not in blob and str(card).encode() not in blob
