"""The same spans in the dialect that each product reads best, as OTLP requests in protobuf.

Mainspring gets the GenAI conventions of OpenTelemetry, Phoenix OpenInference, MLflow its own attributes, each as the
instrumentation of that dialect writes a model call; `tests/traces/golden` holds what they really sent. So OpenInference
tells messages twice, flat and as the request and the answer in JSON; MLflow tells the tools three times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from made import Made, MadeTrace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

Attributes = dict[str, str | int | float]
Dialect = Callable[[MadeTrace, Made], Attributes]
_OPERATIONS = {"agent": "invoke_agent", "retriever": "retrieval", "chat": "chat", "tool": "execute_tool"}
_OPENINFERENCE = {"agent": "AGENT", "retriever": "RETRIEVER", "chat": "LLM", "tool": "TOOL"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{what} Takes the number of an order or of an article, and answers in plain words.",
            "parameters": {
                "type": "object",
                "properties": {
                    "order": {"type": "string", "description": "The number of the order, nine digits."},
                    "article": {"type": "string", "description": "The number of the article, as in the catalogue."},
                },
                "required": ["order"],
            },
        },
    }
    for name, what in (
        ("find_order", "Finds an order and says what is in it."),
        ("stock_level", "Says how many of an article are in stock."),
        ("delivery_date", "Says when an order is to arrive."),
        ("price_of", "Says what an article costs today."),
    )
]
_TOOLS = json.dumps(TOOLS)
_SCHEMAS = [json.dumps(tool) for tool in TOOLS]
_MLFLOW = {"agent": "AGENT", "retriever": "RETRIEVER", "chat": "CHAT_MODEL", "tool": "TOOL"}


def requests(traces: Iterable[MadeTrace], dialect: Dialect, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield requests of `size` spans, as an exporter sends them: in the order in which spans end, traces mixed."""
    every = sorted(((trace, span) for trace in traces for span in trace.spans), key=lambda pair: pair[1].end_ns)
    ordered = iter(every)
    while batch := list(islice(ordered, size)):
        groups: dict[tuple[str, str], ResourceSpans] = {}
        request = ExportTraceServiceRequest()
        for trace, span in batch:
            group = groups.get((trace.service, trace.environment))
            if group is None:
                group = groups[trace.service, trace.environment] = request.resource_spans.add()
                _set(group.resource, {"service.name": trace.service, "telemetry.sdk.language": "python"})
                _set(group.resource, {"deployment.environment.name": trace.environment})
                group.scope_spans.add().scope.name = "shop.assistant"
            _fill(group.scope_spans[0].spans.add(), trace, span, dialect(trace, span))
        yield len(batch), request.SerializeToString()


def genai(trace: MadeTrace, span: Made) -> Attributes:
    """OpenTelemetry's conventions for generative AI."""
    said: Attributes = {
        "gen_ai.operation.name": _OPERATIONS[span.kind],
        "gen_ai.conversation.id": trace.session,
        "user.id": trace.user,
    }
    if span.kind == "retriever":
        documents = [{"id": f"doc-{at}", "content": text, "score": 0.9} for at, text in enumerate(span.documents)]
        said["gen_ai.retrieval.query.text"] = span.said[0]["content"]
        said["gen_ai.retrieval.documents"] = json.dumps(documents)
    elif span.kind == "tool":
        said["gen_ai.tool.name"] = span.name.rpartition(" ")[2]
        said["gen_ai.tool.call.arguments"] = json.dumps({"call": span.said[0]["content"]})
        said["gen_ai.tool.call.result"] = json.dumps(span.answered[0]["content"])
    else:
        said["gen_ai.input.messages"] = json.dumps([_parts(**message) for message in span.said])
        said["gen_ai.output.messages"] = json.dumps([_parts(**message) for message in span.answered])
    if span.kind == "chat":
        said |= {
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": span.model,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.tool.definitions": _TOOLS,
            "gen_ai.response.model": span.model,
            "gen_ai.response.id": span.call_id,
            "gen_ai.response.finish_reasons": '["stop"]',
            "gen_ai.usage.input_tokens": span.input_tokens,
            "gen_ai.usage.output_tokens": span.output_tokens,
        }
    return said


def openinference(trace: MadeTrace, span: Made) -> Attributes:
    """OpenInference, which Phoenix's instrumentations write."""
    said: Attributes = {
        "openinference.span.kind": _OPENINFERENCE[span.kind],
        "session.id": trace.session,
        "user.id": trace.user,
        "input.value": span.said[-1]["content"],
        "input.mime_type": "text/plain",
    }
    if span.answered:
        said |= {"output.value": span.answered[0]["content"], "output.mime_type": "text/plain"}
    for at, text in enumerate(span.documents):
        document = f"retrieval.documents.{at}.document"
        said |= {f"{document}.id": f"doc-{at}", f"{document}.content": text, f"{document}.score": 0.9}
    if span.kind == "tool":
        said["tool.name"] = span.name.rpartition(" ")[2]
    if span.kind == "chat":
        said["input.mime_type"] = said["output.mime_type"] = "application/json"
        said["input.value"], said["output.value"] = json.dumps(_request(span)), json.dumps(_answer(span))
        said |= {f"llm.tools.{at}.tool.json_schema": schema for at, schema in enumerate(_SCHEMAS)}
        for list_, messages in (("llm.input_messages", span.said), ("llm.output_messages", span.answered)):
            for at, message in enumerate(messages):
                said[f"{list_}.{at}.message.role"] = message["role"]
                said[f"{list_}.{at}.message.content"] = message["content"]
        said |= {
            "llm.provider": "openai",
            "llm.model_name": span.model,
            "llm.invocation_parameters": json.dumps({"model": span.model, "temperature": 0.2}),
            "llm.finish_reason": "stop",
            "llm.token_count.prompt": span.input_tokens,
            "llm.token_count.completion": span.output_tokens,
            "llm.token_count.total": span.input_tokens + span.output_tokens,
        }
    return said


def mlflow(trace: MadeTrace, span: Made) -> Attributes:
    """MLflow's own attributes, each a JSON text, as its tracing library exports them."""
    said: dict[str, Any] = {"mlflow.spanType": _MLFLOW[span.kind]}
    if span.kind == "retriever":
        said["mlflow.spanInputs"] = {"query": span.said[0]["content"]}
        said["mlflow.spanOutputs"] = [
            {"page_content": text, "metadata": {"doc_uri": f"doc-{at}", "score": 0.9}}
            for at, text in enumerate(span.documents)
        ]
    elif span.kind == "tool":
        said["mlflow.spanInputs"] = {"call": span.said[0]["content"]}
        said["mlflow.spanOutputs"] = span.answered[0]["content"]
    elif span.kind == "agent":
        said["mlflow.spanInputs"] = {"messages": span.said}
        said["mlflow.spanOutputs"] = span.answered[0]
    else:
        said["mlflow.spanInputs"], said["mlflow.spanOutputs"] = _request(span), _answer(span)
        said |= {"model": span.model, "temperature": 0.2, "tools": TOOLS, "mlflow.chat.tools": TOOLS}
        said["mlflow.message.format"] = "openai"
        used = {"input_tokens": span.input_tokens, "output_tokens": span.output_tokens}
        said["mlflow.chat.tokenUsage"] = {**used, "total_tokens": sum(used.values())}
        said["mlflow.llm.model"] = span.model
    if span.kind == "agent":
        said |= {"mlflow.trace.session": trace.session, "mlflow.trace.user": trace.user}
    return {key: json.dumps(value) for key, value in said.items()}


def _request(span: Made) -> dict[str, Any]:
    return {"model": span.model, "messages": span.said, "tools": TOOLS, "temperature": 0.2}


def _answer(span: Made) -> dict[str, Any]:
    used = {"prompt_tokens": span.input_tokens, "completion_tokens": span.output_tokens}
    return {
        "id": span.call_id,
        "choices": [
            {"finish_reason": "stop", "index": 0, "logprobs": None, "message": {**message, "refusal": None}}
            for message in span.answered
        ],
        "created": span.end_ns // 10**9,
        "model": span.model,
        "object": "chat.completion",
        "usage": {**used, "total_tokens": sum(used.values())},
    }


def _parts(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def _fill(target: Span, trace: MadeTrace, span: Made, said: Attributes) -> None:
    target.trace_id, target.span_id, target.name = trace.trace_id, span.span_id, span.name
    if span.parent is not None:
        target.parent_span_id = (span.parent + 1).to_bytes(8, "big")
    target.kind = Span.SPAN_KIND_CLIENT if span.kind == "chat" else Span.SPAN_KIND_INTERNAL
    target.start_time_unix_nano, target.end_time_unix_nano = span.start_ns, span.end_ns
    target.status.code = 2 if span.failed else 1
    _set(target, said)


def _set(target: Any, said: Attributes) -> None:
    for key, value in said.items():
        pair = target.attributes.add(key=key)
        if isinstance(value, str):
            pair.value.string_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.double_value = value
