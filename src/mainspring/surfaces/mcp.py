"""MCP over HTTP: operations that opted in, as tools. Stateless as of 2026-07-28; 2025-11-25 by negotiation."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainspring import __version__
from mainspring.kernel import access
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.operation import Operation, operations
from mainspring.kernel.platform import Platform
from mainspring.kernel.service import Service
from mainspring.surfaces.arguments import model_of
from mainspring.surfaces.nouns import NOUNS

VERSIONS = ("2026-07-28", "2025-11-25")
INFO = {"name": "mainspring", "version": __version__}
Tool = tuple[type[Service], Operation, type[Any]]


def tools() -> dict[str, Tool]:
    """Return every tool by its name, `noun_verb`, with the model of its arguments."""
    found: dict[str, Tool] = {}
    for noun in NOUNS:
        service = noun.load()
        for spec in operations(service):
            if spec.mcp:
                name = f"{noun.name}_{spec.verb}"
                found[name] = (service, spec, _arguments(name, spec))
    return found


def _arguments(name: str, spec: Operation) -> type[Any]:
    fields: dict[str, Any] = {
        key: (parameter.annotation, ... if parameter.default is inspect.Parameter.empty else parameter.default)
        for key, parameter in spec.signature.parameters.items()
    }
    return model_of(name, fields)


def mcp_route(platform: Platform) -> Route:
    """Return the route `/mcp`; the caller comes from the authentication in front of it."""
    known = cache(tools)  # the models of all arguments take a while to build, and few ask for tools

    async def handle(request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse({"error": "This server is stateless: POST one JSON-RPC message."}, 405)
        try:
            message = await request.json()
        except (ValueError, RecursionError):
            return _reply(None, error=(-32700, "The body is not JSON."))
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return _reply(None, error=(-32600, "The body is not one JSON-RPC 2.0 message."))
        if "id" not in message:
            return Response(status_code=202)
        parameters = message.get("params")
        given = parameters if isinstance(parameters, dict) else {}
        method, number = message.get("method"), message["id"]
        if method in ("initialize", "server/discover"):
            return _reply(number, _hello(given))
        if method == "ping":
            return _reply(number, {})
        if method == "tools/list":
            return _reply(number, {"tools": await asyncio.to_thread(_described, known)})
        if method == "tools/call":
            name = str(given.get("name"))
            tool = (await asyncio.to_thread(known)).get(name)
            if tool is None:
                return _reply(number, error=(-32602, f"There is no tool {name[:100]}."))
            arguments = given.get("arguments")
            caller = request.state.caller
            outcome = await asyncio.to_thread(_call, platform, caller, tool, arguments or {})
            return _reply(number, outcome)
        return _reply(number, error=(-32601, f"There is no method {str(method)[:100]}."))

    return Route("/mcp", handle, methods=["GET", "POST", "DELETE"])


def _hello(given: Mapping[str, Any]) -> dict[str, Any]:
    wanted = given.get("protocolVersion")
    version = wanted if wanted in VERSIONS else VERSIONS[0]
    return {
        "protocolVersion": version,
        "supportedVersions": VERSIONS,
        "capabilities": {"tools": {}},
        "serverInfo": INFO,
    }


def _described(known: Callable[[], dict[str, Tool]]) -> list[dict[str, Any]]:
    return [_describe(name, tool) for name, tool in known().items()]


def _describe(name: str, tool: Tool) -> dict[str, Any]:
    _, spec, model = tool
    reads = spec.method == "GET"
    return {
        "name": name,
        "description": inspect.getdoc(spec.function) or spec.summary,
        "inputSchema": model.model_json_schema(),
        "annotations": {"readOnlyHint": reads, "destructiveHint": False},
    }


def _call(platform: Platform, caller: access.Caller, tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    service, spec, model = tool
    try:
        checked = model.model_validate(arguments)
        given = {name: getattr(checked, name) for name in checked.model_fields_set}
        with access.acting_as(caller):
            result = getattr(service(platform), spec.function.__name__)(**given)
    except ValidationError as problem:
        return _text(f"The arguments are not valid: {problem}", failed=True)
    except MainspringError as error:
        return _text(f"{error.message} {error.hint}".strip(), failed=True)
    document = TypeAdapter(spec.signature.return_annotation).dump_python(result, mode="json")
    return _text(json.dumps(document, ensure_ascii=False), failed=False)


def _text(text: str, *, failed: bool) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def _reply(number: Any, result: Any = None, error: tuple[int, str] | None = None) -> Response:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
    if error:
        body["error"] = {"code": error[0], "message": error[1]}
    else:
        body["result"] = result
    return JSONResponse(body)
