"""Make exports with the packages of other products: `python exports.py NAME FOLDER`, in an environment that has it.

`mlflow` makes traces, prompts and a dataset on a server of its own, and takes them out as the page on moving in says.
`langfuse` and `langfuse_3` write what their API answers through the models that their packages read it with.
`tests/surfaces/exports` holds what they wrote.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AT = datetime(2026, 3, 2, 9, 15, 0, 120_000, UTC)
TRACE, ROOT, CALL = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "When?"}]
_OF_THE_MACHINE = ("mlflow.source.", "mlflow.user", "mlflow.artifactLocation")
ANSWER = {"role": "assistant", "content": "In 5 days."}


@contextmanager
def server() -> Iterator[str]:
    """Run MLflow's server on a folder that goes with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        store = ["--backend-store-uri", f"sqlite:///{folder}/m.db", "--default-artifact-root", f"{folder}/files"]
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), *store]
        with Path(folder, "log").open("w") as log:
            running = subprocess.Popen([*command, "--workers", "1"], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                with suppress(OSError), urllib.request.urlopen(url + "/health"):  # it does not listen yet
                    break
                time.sleep(0.2)  # that another process answers is seen only by asking
            else:
                raise SystemExit(f"MLflow does not answer; see {folder}/log.")
            yield url
        finally:
            running.terminate()
            running.wait()


def mlflow(folder: Path) -> None:
    """Make everything of MLflow that moves, and take it out."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow as tracking
    from mlflow.entities import AssessmentSource, SpanType

    with server() as url:
        tracking.set_tracking_uri(url)
        experiment = tracking.set_experiment("support")
        judge = AssessmentSource(source_type="LLM_JUDGE", source_id="judge-1")
        person = AssessmentSource(source_type="HUMAN", source_id="ann")

        @tracking.trace(name="look", span_type=SpanType.RETRIEVER)
        def look(question: str) -> list[dict[str, Any]]:
            if question == "Where?":
                raise LookupError("no such order")
            return [{"page_content": "Refunds take 5 days.", "metadata": {"doc_uri": "faq"}, "id": "d-1"}]

        @tracking.trace(name="answer", span_type=SpanType.AGENT)
        def answer(question: str) -> str:
            tracking.update_current_trace(session_id="s-1", user="ann", tags={"plan": "free"})
            look(question)
            with tracking.start_span(name="ask", span_type=SpanType.CHAT_MODEL) as span:
                span.set_inputs({"messages": ASKED, "model": "small-1"})
                span.set_outputs({"choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}]})
                used = {"input_tokens": 21, "output_tokens": 7, "total_tokens": 28}
                span.set_attributes({"mlflow.chat.tokenUsage": used, "mlflow.llm.model": "small-1"})
            return "In 5 days."

        answer("When?")
        trace_id = tracking.get_last_active_trace_id()
        with suppress(LookupError):  # the failure is what is to be recorded
            answer("Where?")
        tracking.flush_trace_async_logging()
        given: dict[str, Any] = {"trace_id": trace_id}
        tracking.log_feedback(**given, name="helpful", value=True, rationale="It answers.", source=person)
        tracking.log_feedback(**given, name="tone", value="kind", source=judge)
        tracking.log_feedback(**given, name="length", value=0.25, source=judge)
        tracking.log_feedback(**given, name="parts", value={"facts": 2}, source=judge)
        first = tracking.log_feedback(**given, name="grade", value=2, source=person)
        tracking.override_feedback(**given, assessment_id=first.assessment_id, value=4, rationale="on second thought")
        tracking.log_expectation(**given, name="expected_response", value="Five days.", source=person)

        genai = tracking.genai
        genai.register_prompt(name="Greet", template="Hello {{name}}.", commit_message="first")
        chat = [{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "{{question}}"}]
        how = {"model_name": "small-1", "temperature": 0.2, "max_tokens": 64, "stop_sequences": ["END"]}
        genai.register_prompt(name="Greet", template=chat, commit_message="with a tone", model_config=how)
        genai.set_prompt_alias("Greet", alias="production", version=1)
        genai.set_prompt_alias("Greet", alias="champion", version=2)

        made = genai.datasets.create_dataset(name="faq", experiment_id=experiment.experiment_id)
        source = {"source_type": "TRACE", "source_data": {"trace_id": trace_id}}
        rows: list[dict[str, Any]] = [
            {"inputs": {"question": "When?"}, "expectations": {"expected_response": "In 5 days."}, "source": source},
            {"inputs": {"question": "Why?"}, "expectations": {"expected_facts": ["because"]}, "tags": {"hard": "yes"}},
            {"inputs": {"messages": ASKED}},
        ]
        made.merge_records(rows)
        _taken_out(folder)


def _taken_out(folder: Path) -> None:
    """Write what MLflow holds, with the lines of the documentation."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "move-in.md").read_text()
    lines = text.partition("## Export from MLflow")[2].partition("```text\n")[2].partition("```")[0]
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(lines, "move-in.md", "exec"), {})
    finally:
        os.chdir(before)
    place = folder / "traces.jsonl"
    place.write_text("".join(json.dumps(_cleaned(json.loads(line))) + "\n" for line in place.open()))


def _cleaned(value: Any) -> Any:
    """Return a part of a trace without what tells of the machine."""
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "exception.stacktrace" in value:
        value = {**value, "exception.stacktrace": "Traceback (most recent call last): …"}
    return {key: _cleaned(one) for key, one in value.items() if not key.startswith(_OF_THE_MACHINE)}


def langfuse_3(folder: Path) -> None:
    """Write answers of Langfuse's API as its client of the third version models them."""
    from langfuse.api.resources import commons, prompts

    trace: dict[str, Any] = {"id": TRACE, "timestamp": AT, "name": "answer", "userId": "ann", "sessionId": "s-1"}
    trace |= {
        "input": {"q": "When?"},
        "output": "ok",
        "metadata": {"plan": "free"},
        "public": False,
        "tags": ["a", "b"],
    }
    trace |= {"environment": "default", "release": "r-7", "latency": 1.0, "totalCost": 0.0021, "htmlPath": "/t"}
    trace |= {"observations": _observations(), "scores": _judged()}
    held = _whole(commons.TraceWithFullDetails.parse_obj(trace))
    (folder / "trace.json").write_text(json.dumps(held, indent=1) + "\n")
    kinds: dict[str, Any] = {"TEXT": commons.Score_Text, "CORRECTION": commons.Score_Correction}
    kinds["NUMERIC"] = commons.Score_Numeric
    _lines(folder / "scores.jsonl", [kinds[one["dataType"]].parse_obj(one) for one in _said()])
    text: dict[str, Any] = {"name": "Greet", "version": 1, "prompt": "Hello {{name}}.", "config": {}, "type": "text"}
    text |= {"labels": [], "tags": ["t"]}
    asked = [{**one, "type": "chatmessage"} for one in ASKED]
    chat = {**text, "version": 2, "type": "chat", "prompt": asked, "config": {"temperature": 0.2, "model": "small-1"}}
    chat |= {"labels": ["production", "latest"], "commitMessage": "kinder"}
    _lines(folder / "prompts.jsonl", [prompts.Prompt_Text.parse_obj(text), prompts.Prompt_Chat.parse_obj(chat)])
    item: dict[str, Any] = {"id": "i-1", "status": "ACTIVE", "input": {"q": "When?"}, "metadata": {"n": 1}}
    item |= {"expectedOutput": "In 5 days.", "datasetId": "ds", "datasetName": "Refund FAQ", "sourceTraceId": TRACE}
    item |= {"createdAt": AT, "updatedAt": AT}
    bare = {**item, "id": "i-2", "input": "Why?", "expectedOutput": None, "metadata": None, "sourceTraceId": None}
    items = [commons.DatasetItem.parse_obj(one) for one in (item, bare, {**item, "id": "i-3", "status": "ARCHIVED"})]
    _page(folder / "items.json", items, {"page": 1, "totalPages": 1})


def _observations() -> list[dict[str, Any]]:
    seen: dict[str, Any] = {"traceId": TRACE, "environment": "default", "startTime": AT, "level": "DEFAULT"}
    seen |= {"metadata": {"k": 1}, "modelParameters": None, "costDetails": {}, "usageDetails": {}}
    seen |= {"usage": {"input": 0, "output": 0, "total": 0, "unit": "TOKENS"}}
    root = {**seen, "id": ROOT, "type": "AGENT", "name": "answer", "input": {"q": "When?"}, "output": "ok"}
    call = {**seen, "id": CALL, "parentObservationId": ROOT, "type": "GENERATION", "name": "ask", "model": "small-1"}
    call |= {"input": ASKED, "output": ANSWER, "modelParameters": {"temperature": 0.2}, "endTime": AT.replace(second=1)}
    call |= {"completionStartTime": AT.replace(microsecond=370_000), "promptName": "Greet", "promptVersion": 2}
    call |= {"usage": {"input": 21, "output": 7, "total": 28, "unit": "TOKENS", "totalCost": 0.0021}}
    call |= {
        "usageDetails": {"input": 21, "output": 7, "total": 28},
        "costDetails": {"input": 0.0014, "output": 0.0007},
    }
    call |= {"calculatedTotalCost": 0.0021, "latency": 0.88, "timeToFirstToken": 0.25, "modelId": None}
    failed = {**seen, "id": "obs-3", "parentObservationId": ROOT, "type": "TOOL", "name": "mail"}
    failed |= {"input": None, "output": None, "level": "ERROR", "statusMessage": "the mail bounced"}
    return [root, call, failed]


_STAMPED: dict[str, Any] = {"timestamp": AT, "createdAt": AT, "updatedAt": AT, "environment": "default", "metadata": {}}


def _judged() -> list[dict[str, Any]]:
    """Return scores of a trace as they stand in it."""
    given: dict[str, Any] = {**_STAMPED, "traceId": TRACE}
    tone = {"id": "3", "name": "tone", "source": "ANNOTATION", "dataType": "CATEGORICAL", "value": 2}
    solved = {"id": "2", "name": "solved", "source": "API", "dataType": "BOOLEAN", "value": 1, "stringValue": "True"}
    return [
        {**given, "id": "1", "name": "helpful", "source": "EVAL", "dataType": "NUMERIC", "value": 0.9},
        {**given, **solved},
        {**given, **tone, "stringValue": "kind", "observationId": CALL, "comment": "warm"},
    ]


def _said() -> list[dict[str, Any]]:
    """Return scores that stand on their own."""
    words = {"id": "4", "sessionId": "s-1", "name": "said", "source": "API", "dataType": "TEXT"}
    right = {
        "id": "5",
        "traceId": TRACE,
        "name": "output",
        "source": "ANNOTATION",
        "dataType": "CORRECTION",
        "value": 0,
    }
    every = {"id": "6", "name": "all", "source": "EVAL", "dataType": "NUMERIC", "value": 1, "datasetRunId": "r"}
    said = [{**words, "stringValue": "thanks"}, {**right, "stringValue": "In five days."}, every]
    return [{**_STAMPED, **one} for one in said]


def langfuse(folder: Path) -> None:
    """Write answers of Langfuse's newer API, of observations alone, as its client of the fifth version models them."""
    from langfuse.api import commons, scores
    from langfuse.api.core.pydantic_utilities import parse_obj_as

    seen: dict[str, Any] = {"traceId": TRACE, "projectId": "p", "startTime": AT, "environment": "default"}
    seen |= {"userId": "ann", "sessionId": "s-1", "traceName": "answer", "tags": ["a", "b"], "release": "r-7"}
    root = {**seen, "id": ROOT, "type": "AGENT", "name": "answer", "isRootObservation": True, "level": "DEFAULT"}
    root |= {"input": json.dumps({"q": "When?"})}
    call = {**seen, "id": CALL, "parentObservationId": ROOT, "type": "GENERATION", "name": "ask", "model": "small-1"}
    call |= {"input": json.dumps(ASKED), "output": json.dumps(ANSWER), "modelParameters": {"temperature": 0.2}}
    call |= {"completionStartTime": AT.replace(microsecond=370_000), "promptName": "Greet", "promptVersion": 2}
    call |= {"usageDetails": {"input": 17, "input_cached_tokens": 4, "output": 7, "total": 28}, "totalCost": 0.0021}
    call |= {"costDetails": {"input": 0.0014, "output": 0.0007, "total": 0.0021}, "metadata": {"k": 1}}
    call |= {"endTime": AT.replace(second=1), "level": "DEFAULT"}
    told: dict[str, Any] = {"data": [_whole(parse_obj_as(commons.ObservationV2, one)) for one in (root, call)]}
    (folder / "observations.jsonl").write_text(json.dumps({**told, "meta": {"cursor": None}}) + "\n")
    whole, part = {"kind": "trace", "id": TRACE}, {"kind": "observation", "id": CALL, "traceId": TRACE}
    of_session, of_run = {"kind": "session", "id": "s-1"}, {"kind": "experiment", "id": "r"}
    judged: list[tuple[str, str, str, Any, dict[str, str]]] = [
        ("helpful", "EVAL", "NUMERIC", 0.9, whole),
        ("solved", "API", "BOOLEAN", True, whole),
        ("tone", "ANNOTATION", "CATEGORICAL", "kind", part),
        ("said", "API", "TEXT", "thanks", of_session),
        ("output", "ANNOTATION", "CORRECTION", "In five days.", whole),
        ("all", "EVAL", "NUMERIC", 1, of_run),
    ]
    names = ("name", "source", "dataType", "value", "subject")
    found = [dict(zip(names, one, strict=True)) | {"id": str(n), "projectId": "p"} for n, one in enumerate(judged)]
    records = [parse_obj_as(scores.ScoreV3, {**_STAMPED, **one}) for one in found]
    _page(folder / "scores.json", records, {"limit": 50})


def _whole(record: Any) -> dict[str, Any]:
    """Return a model of an answer as the answer was, its empty fields too."""
    found: dict[str, Any] = json.loads(record.json(exclude_unset=False))
    return found


def _lines(path: Path, records: list[Any]) -> None:
    path.write_text("".join(json.dumps(_whole(one)) + "\n" for one in records))


def _page(path: Path, records: list[Any], about: dict[str, Any]) -> None:
    path.write_text(json.dumps({"data": [_whole(one) for one in records], "meta": about}, indent=1) + "\n")


PROGRAMS = {"mlflow": mlflow, "langfuse": langfuse, "langfuse_3": langfuse_3}

if __name__ == "__main__":
    place = Path(sys.argv[2]).resolve()
    place.mkdir(parents=True, exist_ok=True)
    PROGRAMS[sys.argv[1]](place)
