"""The part of the OpenAPI document that no operation makes: the gateway, intake of traces, health and metrics.

What a request may say comes from the very types that decode it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.serving.protocols.anthropic import MessagesBody
from mainspring.serving.protocols.lists import EmbeddingsBody
from mainspring.serving.protocols.openai_bodies import ChatBody, TextBody
from mainspring.serving.protocols.responses import ResponsesBody

JSON = dict[str, Any]
ROOT = [{"url": "/", "description": "This server; these paths lie beside /api/v1."}]
_BODIES = (ChatBody, TextBody, ResponsesBody, MessagesBody, EmbeddingsBody)
_TEXT: JSON = {"type": "string"}
_COUNT: JSON = {"type": "integer", "minimum": 0}
_ANY: JSON = {"type": "object", "additionalProperties": True}
_HEADERS: JSON = {
    name: {"schema": _TEXT, "description": said}
    for name, said in {
        "x-mainspring-trace-id": "The call's trace, which is on disk.",
        "x-mainspring-model": "The exact model version that answered.",
        "x-mainspring-release": "The exact release, where the call went to one.",
        "x-mainspring-deployment": "The deployment, where the call went to one.",
    }.items()
}


def add_gateway(document: JSON) -> JSON:
    """Add to the document of the REST API what lies beside it; return it."""
    document["servers"] = [{"url": "/api/v1"}]
    document["security"] = [{"bearer": []}, {"key": []}]
    parts = document.setdefault("components", {})
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `ms_…`."},
        "key": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "The same, as Anthropic's clients.",
        },
    }
    _, bodies = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    parts.setdefault("schemas", {}).update(bodies | _schemas())
    for path, methods in _paths().items():
        document["paths"][path] = {"servers": ROOT, **methods}
    return document


def _object(required: list[str], **properties: JSON) -> JSON:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": True}


def _list(of: JSON) -> JSON:
    return {"type": "array", "items": of}


def _ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> JSON:
    usage = _object(
        ["prompt_tokens", "completion_tokens", "total_tokens"],
        prompt_tokens=_COUNT,
        completion_tokens=_COUNT,
        total_tokens=_COUNT,
        prompt_tokens_details=_object([], cached_tokens=_COUNT),
        completion_tokens_details=_object([], reasoning_tokens=_COUNT),
    )
    head: JSON = {"id": _TEXT, "object": _TEXT, "created": _COUNT, "model": _TEXT}
    ended: JSON = {"index": _COUNT, "finish_reason": _TEXT}
    said = _object(["role"], role=_TEXT, content={"type": ["string", "null"]}, tool_calls=_list(_ANY))
    choice = _object(["index", "message", "finish_reason"], **ended, message=said)
    text = _object(["index", "text", "finish_reason"], **ended, text=_TEXT)
    both = ["id", "object", "created", "model", "choices", "usage"]
    spent = _object(["input_tokens", "output_tokens"], input_tokens=_COUNT, output_tokens=_COUNT)
    problem = _object(["message", "type"], message=_TEXT, type=_TEXT, param={}, code={})
    kind: JSON = {"const": "error"}
    return {
        "ChatCompletion": _object(both, **head, choices=_list(choice), usage=usage),
        "TextCompletion": _object(both, **head, choices=_list(text), usage=usage),
        "Response": _object(["id", "object", "status", "output"], **head, status=_TEXT, output=_list(_ANY), usage=_ANY),
        "Message": _object(
            ["id", "type", "role", "content", "model", "usage"],
            id=_TEXT,
            type=_TEXT,
            role=_TEXT,
            content=_list(_ANY),
            model=_TEXT,
            stop_reason={"type": ["string", "null"]},
            stop_sequence={"type": ["string", "null"]},
            usage=spent,
        ),
        "TokenCount": _object(["input_tokens"], input_tokens=_COUNT),
        "EmbeddingList": _object(
            ["object", "data", "model", "usage"], object=_TEXT, data=_list(_ANY), model=_TEXT, usage=_ANY
        ),
        "ServedModel": _object(["id", "object", "owned_by"], id=_TEXT, object=_TEXT, created=_COUNT, owned_by=_TEXT),
        "ServedModels": _object(["object", "data"], object=_TEXT, data=_list(_ref("ServedModel"))),
        "OpenAIError": _object(["error"], error=problem),
        "AnthropicError": _object(
            ["type", "error"], type=kind, error=_object(["type", "message"], type=_TEXT, message=_TEXT)
        ),
        "Health": _object(["status"], status=_TEXT, missing={"type": "object", "additionalProperties": _TEXT}),
    }


def _paths() -> JSON:
    chat, limits = "How clients of OpenAI ask; ", "With `stream`, server-sent events."
    return {
        "/v1/chat/completions": _asked("gateway.chat", f"{chat}{limits}", "ChatBody", "ChatCompletion", stream=True),
        "/v1/completions": _asked(
            "gateway.complete", f"Go on with a text. {limits}", "TextBody", "TextCompletion", stream=True
        ),
        "/v1/responses": _asked(
            "gateway.respond", f"{chat}nothing is kept. {limits}", "ResponsesBody", "Response", stream=True
        ),
        "/v1/messages": _asked(
            "gateway.message", f"How clients of Anthropic ask. {limits}", "MessagesBody", "Message", stream=True
        ),
        "/v1/messages/count_tokens": _asked(
            "gateway.count_tokens", "Count a question's tokens.", "MessagesBody", "TokenCount"
        ),
        "/v1/embeddings": _asked("gateway.embed", "Turn texts into vectors.", "EmbeddingsBody", "EmbeddingList"),
        "/v1/models": {"get": _read("gateway.models", "List what may be asked.", _ref("ServedModels"))},
        "/v1/models/{model}": {
            "get": _read("gateway.model", "Show one of what may be asked.", _ref("ServedModel"), "model")
        },
        "/v1/traces": {"post": _intake()},
        "/healthz": {"get": _health("health", "Tell that the process answers.")},
        "/readyz": {"get": _health("ready", "Tell whether everything that a server needs answers, and what does not.")},
        "/metrics": {"get": _metrics()},
    }


def _answers(content: JSON, errors: str, headers: JSON | None = None) -> JSON:
    failed = {"description": "What went wrong.", "content": {"application/json": {"schema": _ref(errors)}}}
    good = {"description": "The answer.", "content": content, **({"headers": headers} if headers else {})}
    return {"200": good, "4XX": failed, "5XX": failed}


def _asked(name: str, summary: str, body: str, answer: str, *, stream: bool = False) -> JSON:
    content: JSON = {"application/json": {"schema": _ref(answer)}}
    if stream:
        content["text/event-stream"] = {"schema": _TEXT}
    errors = "AnthropicError" if body == "MessagesBody" else "OpenAIError"
    sent = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    told: JSON = {"operationId": name, "tags": ["gateway"], "summary": summary, "requestBody": sent}
    # Which permission is asked for follows from what is named: a deployment, a release, a model or a provider.
    return {"post": {**told, "x-permission": "*.use", "responses": _answers(content, errors, _HEADERS)}}


def _read(name: str, summary: str, schema: JSON, parameter: str = "") -> JSON:
    told: JSON = {"operationId": name, "tags": ["gateway"], "summary": summary, "x-permission": "*.use"}
    if parameter:
        told["parameters"] = [{"name": parameter, "in": "path", "required": True, "schema": _TEXT}]
    return {**told, "responses": _answers({"application/json": {"schema": schema}}, "OpenAIError")}


def _intake() -> JSON:
    kinds = {
        "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
        "application/json": {"schema": _ANY},
    }
    told: JSON = {"operationId": "otlp.traces", "tags": ["otlp"], "x-permission": "trace.write"}
    told["summary"] = "Take spans as OTLP; 200 once they are on disk."
    failed = {"description": "A google.rpc.Status."}
    answers = {"200": {"description": "An ExportTraceServiceResponse.", "content": kinds}, "4XX": failed, "5XX": failed}
    return {**told, "requestBody": {"required": True, "content": kinds}, "responses": answers}


def _health(name: str, summary: str) -> JSON:
    content = {"application/json": {"schema": _ref("Health")}}
    told: JSON = {"operationId": name, "tags": ["health"], "summary": summary, "security": []}
    waiting = {"description": "Not, or not any more; `missing` says what.", "content": content}
    return {**told, "responses": {"200": {"description": "Yes.", "content": content}, "503": waiting}}


def _metrics() -> JSON:
    told: JSON = {
        "operationId": "metrics",
        "tags": ["health"],
        "summary": "Metrics for Prometheus, over all processes.",
    }
    failed = {"description": "What went wrong.", "content": {"application/json": {"schema": _ref("ErrorReply")}}}
    good = {"description": "The text format.", "content": {"text/plain": {"schema": _TEXT}}}
    return {**told, "x-permission": "metrics.export", "responses": {"200": good, "4XX": failed}}
