"""Moving in: exports of other products through the client, twice, with what was taken and what was not and why."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines
from typer.testing import CliRunner

from mainspring.kernel.errors import Invalid, TooLarge, Unauthenticated, Unreachable
from mainspring.kernel.platform import Platform
from mainspring.surfaces.app import build_app
from mainspring.surfaces.cli import app
from mainspring.surfaces.client import Client
from mainspring.surfaces.moving import files, move, moved
from mainspring.workspace import first_start

EXPORTS = Path(__file__).with_name("exports")
RECORDED = EXPORTS / "recorded"
"""What `scripts/golden/exports.py` wrote with the packages of both products."""
MODELLED = "0af7651916cd43dd8448eb211c80319c"
TRACE = "5f1f9e0c7d1f4a589a3b0c3a4e0f9b11"


@pytest.fixture
def client(bare_platform: Platform) -> Iterator[Client]:
    bare_platform.engine_port = NoEngines()
    bare_platform.clock.advance(seconds=400 * 86_400)  # type: ignore[attr-defined]
    owner = first_start(bare_platform)
    assert owner is not None
    made = Client("http://testserver", owner.secret, "default")
    with TestClient(build_app(bare_platform, dict), headers=dict(made._http.headers)) as http:
        made._http = http
        yield made


def test_an_export_of_langfuse_arrives_with_ids_times_scores_prompts_and_rows(client: Client) -> None:
    report = move(client, "langfuse", EXPORTS / "langfuse_api")
    assert report.problems == []
    assert (report.traces, report.spans, report.scores, report.scores_known) == (1, 4, 3, 0)
    assert report.prompts == {
        "greet-customer 1": "prompt/greet-customer@1",
        "greet-customer 2": "prompt/greet-customer@2",
    }
    assert (report.labels, report.datasets) == (["greet-customer@production"], ["dataset/refund-faq@1"])
    assert report.left_out == {
        "an archived row of a dataset": 1, "a prompt's version with places for messages": 1,
    }  # fmt: skip
    trace = client.trace.get(TRACE)
    assert trace.started_at == datetime(2026, 3, 2, 9, 15, 0, 120_000, UTC)
    assert [span.name for span in trace.spans] == ["support", "look-up", "answer", "sent"]
    root, _, answer, sent = trace.spans
    assert (root.user_id, root.session_id, answer.parent_id, sent.parent_id) == (
        "ann",
        "s-1",
        root.span_id,
        answer.span_id,
    )
    assert (answer.kind, answer.model, answer.input_tokens, answer.output_tokens) == ("chat", "small-1", 21, 7)
    assert (answer.cost, answer.ttft_ms, answer.prompt) == (0.0021, 250.0, "prompt/greet-customer@2")
    assert (sent.status, sent.status_message) == ("error", "the mail bounced")
    scores = {score.name: score for score in trace.scores}
    assert (scores["helpfulness"].number, scores["helpfulness"].source) == (0.9, "model")
    assert scores["helpfulness"].span_id == answer.span_id
    assert scores["helpfulness"].created_at == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert (scores["tone"].label, scores["solved"].number) == ("kind", 1)
    assert client.prompt.get("greet-customer", selector="production").parameters.temperature == 0.2
    rows = client.dataset.rows("refund-faq").items
    assert [row.messages[-1].content for row in rows] == ["When?", "Why?"]
    assert (rows[0].reference, rows[0].meta["trace_id"], rows[1].reference) == (
        "In 5 days.",
        TRACE,
        {"reason": "policy"},
    )


def test_a_second_time_adds_nothing_and_moves_no_label(client: Client) -> None:
    for source, folder in (("langfuse", "langfuse_api"), ("mlflow", "mlflow")):
        first = move(client, source, EXPORTS / folder)
        before = held(client)
        client.prompt.label(next(iter(first.prompts)).split()[0], "production", "1")
        again = move(client, source, EXPORTS / folder)
        assert (again.scores, again.scores_known, again.labels, again.problems) == (0, first.scores, [], [])
        assert (again.prompts, again.datasets) == (first.prompts, first.datasets)
        assert held(client) == before


def held(client: Client) -> tuple[object, ...]:
    lines = client.trace.list_(limit=100).items
    return (
        [(line.trace_id, line.spans, line.input_tokens, line.cost) for line in lines],
        len(client.score.list_(limit=100).items),
        [(one.name, one.latest) for one in client.prompt.list_().items],
        [one.ref for one in client.dataset.list_().items],
    )


def test_blob_storage_is_read_by_its_columns_and_a_trace_of_one_call_needs_no_span_above(client: Client) -> None:
    report = move(client, "langfuse", EXPORTS / "langfuse_blob")
    assert (report.traces, report.spans, report.scores, report.problems, report.left_out) == (1, 1, 2, [], {})
    [whole] = client.score.list_(session_id="s-2").items
    assert (whole.name, whole.trace_id) == ("session-ok", "")
    trace = client.trace.get("0af7651916cd43dd8448eb211c80319c")
    [span] = trace.spans
    assert (span.span_id, span.parent_id, span.user_id, span.session_id) == ("b7ad6b7169203331", "", "bob", "s-2")
    assert (span.input_tokens, span.cached_tokens, span.output_tokens, span.cost) == (4, 1, 2, 0.0001)
    assert (trace.scores[0].number, trace.scores[0].comment) == (0, "too short")


def test_an_export_of_mlflow_arrives_too(client: Client) -> None:
    report = move(client, "mlflow", EXPORTS / "mlflow")
    assert report.problems == [] and report.left_out == {}
    assert (report.traces, report.spans, report.scores) == (2, 5, 3)
    assert report.prompts == {"greet 1": "prompt/greet@1", "greet 2": "prompt/greet@2"}
    assert (report.labels, report.datasets) == (["greet@production"], ["dataset/faq@1"])
    trace = client.trace.get("2485b8c30c3856f95685a36eb392aa38")
    assert [(span.name, span.kind) for span in trace.spans] == [
        ("answer", "invoke_agent"), ("look", "retrieval"), ("ask", "chat")
    ]  # fmt: skip
    assert (trace.spans[0].session_id, trace.spans[0].user_id) == ("s-1", "ann")
    assert (trace.spans[2].input_tokens, trace.spans[2].output_tokens) == (21, 7)
    scores = {score.name: score for score in trace.scores}
    assert (scores["helpful"].number, scores["helpful"].comment, scores["tone"].label) == (1, "It answers.", "kind")
    assert (scores["tone"].source, scores["expected_response"].correction) == ("model", "Five days.")
    failed = client.trace.get("73059cab5a5b9d171cef2da7dc5196ca")
    assert failed.status == "error" and "no such order" in failed.spans[0].status_message
    rows = {row.messages[-1].content: row for row in client.dataset.rows("faq").items}
    assert rows["When?"].reference == "In 5 days." and rows["Why?"].reference == {"expected_facts": ["because"]}


@pytest.mark.parametrize("name", ["langfuse_3", "langfuse"])
def test_what_the_models_of_langfuse_hold_arrives_field_by_field(client: Client, name: str) -> None:
    """`langfuse_3` is as the API answered until it gave observations and scores on their own, `langfuse` as it does."""
    report = move(client, "langfuse", RECORDED / name)
    gone = {"an archived row of a dataset": 1} if name == "langfuse_3" else {}
    assert report.problems == [] and report.left_out == {"a score of a run of a dataset": 1, **gone}
    trace = client.trace.get(MODELLED)
    named = {span.name: span for span in trace.spans}
    root, call = named["answer"], named["ask"]
    at = datetime(2026, 3, 2, 9, 15, 0, 120_000, UTC)
    assert (root.name, root.kind, root.started_at, root.duration_ms) == ("answer", "invoke_agent", at, 0)
    assert (root.user_id, root.session_id, root.input) == ("ann", "s-1", {"q": "When?"})
    assert root.attributes["langfuse.trace.tags"] == ["a", "b"] and root.attributes["langfuse.release"] == "r-7"
    assert (call.parent_id, call.kind, call.model, call.duration_ms) == (root.span_id, "chat", "small-1", 1000)
    assert (call.input_tokens, call.output_tokens, call.cost, call.ttft_ms) == (21, 7, 0.0021, 250)
    assert [one["role"] for one in call.input] == ["system", "user"]
    assert call.output == [{"role": "assistant", "parts": [{"type": "text", "content": "In 5 days."}]}]
    assert call.attributes["langfuse.observation.model.parameters"] == '{"temperature": 0.2}'
    assert call.attributes["langfuse.observation.metadata"] == {"k": 1}
    scores = {one.name: one for one in [*trace.scores, *client.score.list_(session_id="s-1").items]}
    assert (scores["helpful"].number, scores["helpful"].source, scores["helpful"].created_at) == (0.9, "model", at)
    assert (scores["solved"].number, scores["solved"].source, scores["output"].correction) == (
        1,
        "code",
        "In five days.",
    )
    assert (scores["tone"].label, scores["tone"].span_id, scores["tone"].source) == ("kind", call.span_id, "human")
    assert (scores["said"].comment, scores["said"].trace_id, len(scores)) == ("thanks", "", 5)
    if name == "langfuse":
        assert call.cached_tokens == 4
        return
    failed = named["mail"]
    assert (failed.kind, failed.status, failed.status_message) == ("execute_tool", "error", "the mail bounced")
    assert root.attributes["langfuse.trace.metadata"] == {"plan": "free"} and call.prompt == "prompt/greet@2"
    second = client.prompt.get("greet", selector="production")
    assert (second.number, second.parameters.temperature, "kinder" in second.note) == (2, 0.2, True)
    assert report.labels == ["greet@production"] and second.number == 2
    assert client.prompt.get("greet", selector="1").messages[0].content == "Hello {{name}}."
    first, other = client.dataset.rows("refund-faq").items
    assert (first.reference, first.meta) == ("In 5 days.", {"metadata": {"n": 1}, "trace_id": MODELLED})
    assert (other.messages[0].content, other.reference, other.meta) == ("Why?", None, {})


def test_what_mlflow_itself_writes_arrives_field_by_field(client: Client) -> None:
    report = move(client, "mlflow", RECORDED / "mlflow")
    assert report.problems == [] and report.left_out == {"an assessment that was replaced": 1}
    assert (report.traces, report.spans, report.scores) == (2, 5, 6)
    lines = [json.loads(line) for line in (RECORDED / "mlflow" / "traces.jsonl").open()]
    for told in lines:
        trace = client.trace.get(told["info"]["trace_id"].removeprefix("tr-"))
        assert [span.name for span in trace.spans] == [span["name"] for span in told["data"]["spans"]]
        for span, was in zip(trace.spans, told["data"]["spans"], strict=True):
            assert span.start_ns == str(was["start_time_unix_nano"])
            lasted = (was["end_time_unix_nano"] - was["start_time_unix_nano"]) / 1e6
            assert span.duration_ms == pytest.approx(lasted)
            assert span.status == {"STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}[was["status"]["code"]]
        root = trace.spans[0]
        assert (root.user_id, root.session_id, root.attributes["mlflow.tag.plan"]) == ("ann", "s-1", "free")
    failed, answered = (client.trace.get(told["info"]["trace_id"].removeprefix("tr-")) for told in lines)
    assert failed.spans[0].status_message == "LookupError: no such order"
    assert failed.spans[0].events[0]["attributes"]["exception.type"] == "LookupError"
    _, look, ask = answered.spans
    assert (look.kind, look.output[0]["id"], ask.kind) == ("retrieval", "d-1", "chat")
    assert (ask.model, ask.input_tokens, ask.output_tokens) == ("small-1", 21, 7)
    assert [one["role"] for one in ask.input] == ["system", "user"] and ask.output[0]["role"] == "assistant"
    scores = {one.name: one for one in answered.scores}
    assert (scores["helpful"].number, scores["helpful"].comment, scores["length"].number) == (1, "It answers.", 0.25)
    assert (scores["grade"].number, scores["grade"].comment) == (4, "on second thought")
    assert (scores["tone"].label, scores["parts"].comment) == ("kind", '{"facts": 2.0}')
    assert (scores["tone"].source, scores["expected_response"].correction) == ("model", "Five days.")
    assert sorted(report.labels) == ["greet@champion", "greet@production"]
    second = client.prompt.get("greet", selector="champion")
    how = second.parameters
    assert (second.number, how.temperature, how.max_tokens, how.stop) == (2, 0.2, 64, ["END"])
    rows = sorted(client.dataset.rows("faq").items, key=lambda row: (len(row.messages), row.messages[-1].content))
    assert [(row.messages[-1].content, row.reference, row.meta.get("trace_id")) for row in rows] == [
        ("When?", "In 5 days.", answered.trace_id),
        ("Why?", {"expected_facts": ["because"]}, None),
        ("When?", None, None),
    ]


def test_settings_beyond_our_bounds_are_noted_and_lose_no_prompt(client: Client, tmp_path: Path) -> None:
    config = {"temperature": 0.5, "max_tokens": 10**6, "stop": "END", "seed": None, "tone": "kind"}
    place = tmp_path / "prompts.jsonl"
    place.write_text(json.dumps({"name": "p", "version": 1, "prompt": "Hi", "config": config}))
    assert move(client, "langfuse", place).problems == []
    found = client.prompt.get("p")
    assert (found.parameters.temperature, found.parameters.stop, found.parameters.max_tokens) == (0.5, ["END"], None)
    assert "'max_tokens': 1000000" in found.note and "'tone': 'kind'" in found.note


def test_pages_sessions_and_lists_of_names_are_told_apart(client: Client, tmp_path: Path) -> None:
    trace = {"id": TRACE, "timestamp": "2026-03-02T09:15:00Z", "name": "answer"}
    pages = [
        {"data": [trace], "meta": {"page": 1}},
        {"id": "s-9", "createdAt": "x", "traces": [{**trace, "id": "b" * 32}]},
    ]
    names = [
        {"name": "p", "type": "text", "versions": [1], "labels": [], "tags": []},
        {"id": "d", "name": "faq", "projectId": "p", "createdAt": "x", "metadata": None},
        {"id": "r", "datasetRunId": "r", "datasetItemId": "i", "traceId": TRACE},
    ]
    place = tmp_path / "all.jsonl"
    place.write_text("\n".join(map(json.dumps, [*pages, *names])))
    report = move(client, "langfuse", place)
    assert (report.traces, report.problems) == (2, [])
    assert report.left_out == {
        "the name of a prompt without its text": 1,
        "the name of a dataset without its rows": 1,
        "a run of a dataset": 1,
    }
    assert client.trace.get("b" * 32).spans[0].session_id == "s-9"


def test_a_dry_run_sends_nothing(client: Client) -> None:
    report = move(client, "mlflow", EXPORTS / "mlflow", dry_run=True)
    assert (report.dry_run, report.traces, report.scores, report.datasets) == (True, 2, 3, ["faq"])
    assert client.trace.list_().items == [] and client.prompt.list_().items == []


def test_files_are_read_whole_by_line_and_under_gzip_and_what_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"n": 1}]')
    (tmp_path / "b.jsonl").write_text('{"n": 2}\n\n{"n": 3}\n')
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b'{"data": [{"n": 4}], "meta": {}}'))
    (tmp_path / "d.json").write_text('{"n": 5}\n{"n": 6}\n')
    (tmp_path / "e.txt").write_text("not read")
    assert [row["n"] for _, row in files.rows_of(tmp_path)] == [1, 2, 3, 4, 5, 6]
    (tmp_path / "f.jsonl").write_text('{"n": 7}\nnot json\n')
    with pytest.raises(Invalid, match=r"Line 2 of .*f\.jsonl is no JSON"):
        list(files.rows_of(tmp_path))
    for wrong in (tmp_path / "none", EXPORTS.parent / "__pycache__"):
        with pytest.raises(Invalid):
            list(files.rows_of(wrong))


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_LINE", 20)
    (tmp_path / "a.jsonl").write_text(json.dumps({"n": "x" * 30}))
    with pytest.raises(TooLarge, match="Line 1"):
        list(files.rows_of(tmp_path))
    monkeypatch.setattr(moved, "MOST_ROWS", 3)
    with pytest.raises(Invalid, match="more than 3 rows"):
        list(moved.bounded(iter(range(4))))


def test_odd_rows_are_left_out_with_a_reason_and_do_not_stop_the_rest(client: Client, tmp_path: Path) -> None:
    place = tmp_path / "odd.json"
    nothing = {"id": "s", "traceId": "t", "name": "x", "source": "API", "dataType": "NUMERIC", "value": None}
    late = {"id": "o", "traceId": "u", "startTime": "never"}
    rows = [7, {}, {"id": "t", "timestamp": "never"}, late, nothing]
    place.write_text(json.dumps(rows))
    report = move(client, "langfuse", place)
    assert report.left_out == {
        "a row that is no object": 1, "a row of no known kind": 1, "a trace without a time": 2,
        "an observation without a start": 1, "a score that says nothing": 1,
    }  # fmt: skip
    odd = {"info": {"trace_id": "tr-1", "assessments": []}, "data": {"spans": [{"trace_id": "!", "span_id": ""}]}}
    place.write_text(json.dumps([odd, {"inputs": None, "expectations": {}}]))
    assert sum(move(client, "mlflow", place).left_out.values()) == 3
    with pytest.raises(Invalid, match="not known"):
        move(client, "other", place)


def test_what_the_server_refuses_is_named(client: Client, tmp_path: Path) -> None:
    prompt = {"name": "p", "version": 1, "prompt": "{% if %}", "type": "text", "labels": ["production"]}
    place = tmp_path / "prompts.json"
    place.write_text(json.dumps([prompt]))
    report = move(client, "langfuse", place)
    assert report.prompts == {} and len(report.problems) == 1 and report.problems[0].startswith("prompt p, version 1:")


def test_a_server_that_is_gone_ends_an_import(client: Client) -> None:
    gone = Client("http://127.0.0.1:1", client.api_key, "default")
    with gone, pytest.raises(Unreachable):
        move(gone, "langfuse", EXPORTS / "langfuse_api")
    other = Client("http://testserver", "ms_no_key", "default")
    client._http.headers["authorization"] = other._http.headers["authorization"]
    with pytest.raises(Unauthenticated):
        move(client, "langfuse", EXPORTS / "langfuse_api")


def test_the_command_lists_its_sources() -> None:
    done = CliRunner().invoke(app, ["import", "--help"])
    assert done.exit_code == 0 and "langfuse" in done.stdout and "mlflow" in done.stdout


def test_a_row_of_an_odd_shape_is_left_out_and_the_others_are_read(tmp_path: Path, client: Client) -> None:
    good = {"id": "a", "traceId": TRACE, "startTime": "2026-03-02T09:15:00Z", "name": "answer"}
    odd = {**good, "traceId": TRACE[::-1], "usageDetails": {"input": []}}
    prompt = {"name": "p", "version": float("inf"), "prompt": "x"}
    score = {"id": "s", "name": "\ud800", "dataType": "NUMERIC", "source": "API", "value": 1, "traceId": TRACE}
    place = tmp_path / "export.jsonl"
    place.write_text("\n".join(map(json.dumps, (good, odd, prompt, score))))
    report = move(client, "langfuse", place, dry_run=True)
    assert report.traces == 1
    assert report.left_out == {
        "a trace of an unknown shape": 1, "a row of an unknown shape": 1, "a score of an unknown shape": 1,
    }  # fmt: skip
    spans = [{"trace_id": "a" * 32, "span_id": "b" * 16, "start_time_unix_nano": 1, "end_time_unix_nano": "soon"}]
    info = {"info": {}, "data": {"spans": spans}}
    place.write_text("\n".join(map(json.dumps, (info, {"template": "x", "version": "one", "name": "p"}))))
    assert move(client, "mlflow", place, dry_run=True).left_out == {"a row of an unknown shape": 2}


def test_numbers_that_json_does_not_know_are_left_out(tmp_path: Path, client: Client) -> None:
    span = {"id": "a", "traceId": TRACE, "startTime": "2026-03-02T09:15:00Z", "name": "answer", "metadata": {"x": 1}}
    score = {"id": "s", "name": "n", "dataType": "NUMERIC", "source": "API", "traceId": TRACE}
    place = tmp_path / "export.jsonl"
    held = [{**span, "totalCost": float("nan")}, {**score, "value": float("nan")}, {**score, "id": "t", "value": 1.0}]
    place.write_text("\n".join([*map(json.dumps, held), json.dumps({**score, "id": "u"})[:-1] + ', "value": 1e999}']))
    report = move(client, "langfuse", place)
    assert (report.problems, report.spans, report.scores) == ([], 1, 1)
    assert report.left_out == {"a score that says nothing": 2}
    span = {"trace_id": "a" * 32, "span_id": "b" * 16, "start_time_unix_nano": 10**18}
    trace = {"info": {}, "data": {"spans": [span | {"attributes": {"a": float("inf"), "b": "kept"}}]}}
    place.write_text(json.dumps(trace) + "\n" + json.dumps(trace).replace("Infinity", "1e999").replace("bb", "cc"))
    report = move(client, "mlflow", place)
    assert report.problems == [] and client.trace.get("a" * 32).spans


@pytest.mark.parametrize("name", ["deep.json", "deep.jsonl"])
def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.write_text("[" * 200_000)
    with pytest.raises(Invalid, match="nested too deeply"):
        list(files.rows_of(place))
