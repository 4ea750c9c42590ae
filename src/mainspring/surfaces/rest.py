"""REST: an endpoint for each operation, over FastAPI, with one shape of error."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import Body, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from mainspring import __version__
from mainspring.kernel import access
from mainspring.kernel.errors import Cancelled, Invalid, MainspringError
from mainspring.kernel.operation import Operation, operations, streamed
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record
from mainspring.kernel.service import Service
from mainspring.surfaces.arguments import model_of
from mainspring.surfaces.described import add_gateway
from mainspring.surfaces.nouns import NOUNS
from mainspring.surfaces.presence import Present

Found = tuple[str, type[Service], Operation]
_DOCUMENT = "openapi.json"
_log = logging.getLogger(__name__)


class Lines(StreamingResponse):
    """A JSON document a line, as they are made."""

    media_type = "application/x-ndjson"


class ErrorBody(Record):
    """What went wrong."""

    code: str
    message: str
    hint: str = ""
    details: dict[str, Any] = {}


class ErrorReply(Record):
    """The one shape of every error."""

    error: ErrorBody


def rest_app(platform: Platform | None) -> FastAPI:
    """Build the REST application; without a platform it can only describe itself.

    The caller is set by the authentication in front of it, in the scope's state.
    """
    app = _bare()
    for found in every_operation():
        _mount(app, platform, *found)
    return app


class Rest:
    """The same, each part of it built when its paths are first asked for.

    Building every endpoint takes longer than all else at a start, and most are never asked for.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._app = _bare()
        self._lock = threading.Lock()
        self._unbuilt: dict[str, list[Found]] = {}
        for found in every_operation():
            self._unbuilt.setdefault(_first_part(found[2].path), []).append(found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        part = _first_part(scope["path"].removeprefix(scope.get("root_path", "")))
        if self._unbuilt and (part in self._unbuilt or part == _DOCUMENT):
            await asyncio.to_thread(self._build, list(self._unbuilt) if part == _DOCUMENT else [part])
        await self._app(scope, receive, send)

    @property
    def routes(self) -> list[BaseRoute]:
        """Every endpoint, built."""
        self._build(list(self._unbuilt))
        return self._app.routes

    def _build(self, parts: list[str]) -> None:
        with self._lock:
            for part in parts:
                for found in self._unbuilt.get(part, ()):
                    _mount(self._app, self._platform, *found)
                self._unbuilt.pop(part, None)


def every_operation() -> Iterator[Found]:
    """Yield each operation, with its noun and service."""
    for noun in NOUNS:
        service = noun.load()
        for spec in operations(service):
            yield noun.name, service, spec


def _first_part(path: str) -> str:
    return path.strip("/").partition("/")[0].partition(":")[0]


def _bare() -> FastAPI:
    app = FastAPI(
        title="Mainspring",
        version=__version__,
        description="The whole LLM lifecycle: data, prompts, tuning, review, serving, monitoring.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"/{_DOCUMENT}",
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=False,
    )
    describe = app.openapi
    app.openapi = lambda: app.openapi_schema or add_gateway(describe())  # type: ignore[method-assign]
    app.add_middleware(Present)
    app.add_exception_handler(MainspringError, _ours)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, http_problem)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _mount(app: FastAPI, platform: Platform | None, noun: str, service: type[Service], spec: Operation) -> None:
    item = streamed(spec.signature.return_annotation)
    more: dict[str, Any] = {"response_class": Lines} if item else {}
    app.add_api_route(
        spec.path,
        _endpoint(platform, noun, service, spec),
        methods=[spec.method],
        name=f"{noun}.{spec.verb}",
        summary=spec.summary,
        description=inspect.getdoc(spec.function),
        status_code=spec.status,
        tags=[noun],
        openapi_extra={"x-permission": spec.permission, "x-audited": spec.audited},
        response_model=None if item else spec.signature.return_annotation,
        responses={"4XX": {"model": ErrorReply}} | ({200: {"model": item}} if item else {}),
        **more,
    )


def _endpoint(platform: Platform | None, noun: str, service: type[Service], spec: Operation) -> Callable[..., Any]:
    parameters, body_names = _parameters(noun, spec)

    def endpoint(request: Request, **given: Any) -> Any:
        assert platform is not None
        body = given.pop("body", None)
        if body is not None:
            given |= {name: getattr(body, name) for name in body_names}
        with access.acting_as(request.state.caller):
            answer = getattr(service(platform), spec.function.__name__)(**given)
        return Lines(_lines(answer, request.state.caller)) if isinstance(answer, Iterator) else answer

    first = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    endpoint.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    return endpoint


def _lines(items: Iterator[Record], caller: access.Caller) -> Iterator[bytes]:
    """Yield each item as a line of JSON; it is made on behalf of the caller, in whatever thread asks for it."""
    while True:
        try:
            with access.acting_as(caller):
                item = next(items, None)
        except Cancelled:
            return  # nobody reads on
        if item is None:
            return
        yield item.model_dump_json().encode() + b"\n"


def _parameters(noun: str, spec: Operation) -> tuple[list[inspect.Parameter], list[str]]:
    """Return the endpoint's parameters, and the names of those that travel in the body."""
    found: list[inspect.Parameter] = []
    fields: dict[str, Any] = {}
    for name, parameter in spec.signature.parameters.items():
        required = parameter.default is inspect.Parameter.empty
        if name in spec.path_parameters:
            kind: Any = Annotated[parameter.annotation, Path()]
        elif spec.method in ("GET", "DELETE"):
            kind = Annotated[parameter.annotation, Query()]
        else:
            fields[name] = (parameter.annotation, ... if required else parameter.default)
            continue
        default = inspect.Parameter.empty if required else parameter.default
        found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default))
    if fields:
        title = f"{noun.capitalize()}{spec.verb.title().replace('_', '')}Request"
        model = model_of(title, fields)
        optional = all(default is not ... for _, default in fields.values())
        default = model() if optional else inspect.Parameter.empty
        annotation = Annotated[model, Body()]  # type: ignore[valid-type]
        found.append(inspect.Parameter("body", inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default))
    return found, list(fields)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MainspringError)
    headers = {"Retry-After": str(error.details.get("retry_after", 1))} if error.status in (429, 503) else None
    return JSONResponse(error.to_dict(), error.status, headers)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path")) + f": {problem['msg']}"
        for problem in error.errors()[:10]
    ]
    reply = Invalid("The request is not valid: " + "; ".join(problems), hint="See /api/v1/openapi.json.")
    return JSONResponse(reply.to_dict(), reply.status)


async def http_problem(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses, such as an unknown path, in the one shape of error."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "invalid"}.get(error.status_code, "invalid")
    message = f"There is no {request.method} {request.url.path}." if error.status_code in (404, 405) else error.detail
    body = {"error": {"code": code, "message": message, "hint": "See /api/v1/openapi.json."}}
    return JSONResponse(body, error.status_code, error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    number = uuid.uuid4().hex[:12]
    _log.error("request %s %s failed (%s)", request.method, request.url.path, number, exc_info=error)
    message = f"Something went wrong in the server (number {number})."
    return JSONResponse({"error": {"code": "internal", "message": message, "hint": "The log has it."}}, 500)
