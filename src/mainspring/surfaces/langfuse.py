"""What a client of Langfuse asks of its server besides taking spans: who it is, and to keep scores.

An application that is written with such a client so needs another address and another key, no other code. The spans
themselves go to `mainspring.traces.http`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainspring.kernel import access, audit
from mainspring.kernel.errors import Invalid, MainspringError, NotFound, TooLarge
from mainspring.kernel.platform import Platform
from mainspring.surfaces.moving.langfuse import score_of, snaked
from mainspring.surfaces.moving.moved import MovedScore
from mainspring.traces.scores import put_once

PREFIX = "/api/public/"
"""On paths below it a key may come by HTTP's basic scheme, as its second half."""
_MOST = 1_000


def langfuse_routes(platform: Platform) -> list[Route]:
    """Return the routes; whoever mounts them puts the Caller into `request.state.caller`."""

    async def projects(request: Request) -> Response:
        project = request.state.caller.project
        about = {"id": project, "name": project, "metadata": {}, "organization": {"id": "all", "name": "Mainspring"}}
        return JSONResponse({"data": [about]})

    async def scores(request: Request) -> Response:
        held = _decoded(await request.body())
        bodies = held if isinstance(held, list) else [held]
        problems = await asyncio.to_thread(_keep, platform, request.state.caller, bodies)
        wrong = [{"message": problem} for problem in problems if problem]
        if not isinstance(held, list):
            if wrong:
                raise Invalid(wrong[0]["message"])
            return JSONResponse({"id": str(held.get("id") or "")})
        if wrong:
            said = {"accepted": len(bodies) - len(wrong), "rejected": len(wrong), "errors": wrong}
            return JSONResponse(said, 207)
        return JSONResponse({"message": "Accepted"}, 202)

    async def ingestion(request: Request) -> Response:
        held = _decoded(await request.body())
        events = held.get("batch") if isinstance(held, dict) else None
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise Invalid("The body has no batch of events.")
        judged = [event for event in events if event.get("type") == "score-create"]
        found = await asyncio.to_thread(_keep, platform, request.state.caller, [one.get("body") for one in judged])
        problems = {id(event): problem for event, problem in zip(judged, found, strict=True)}
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for event in events:
            problem = problems.get(id(event), _OTHER if event.get("type") != "sdk-log" else "")
            told = {"id": str(event.get("id") or ""), "status": 400 if problem else 201}
            (bad if problem else good).append({**told, "message": problem} if problem else told)
        return JSONResponse({"successes": good, "errors": bad}, 207)

    async def nothing(request: Request) -> Response:
        raise NotFound(
            f"{request.url.path[:200]} of Langfuse's API is not answered here.",
            hint="Spans and scores are taken; prompts and datasets are read with the client of Mainspring.",
        )

    return [
        Route(PREFIX + "projects", projects, methods=["GET"]),
        Route(PREFIX + "scores", scores, methods=["POST"]),
        Route(PREFIX + "ingestion", ingestion, methods=["POST"]),
        Route(PREFIX + "{rest:path}", nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]


_OTHER = "Mainspring takes scores here; spans come as OpenTelemetry's, which clients do from their third version on."


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("The body is not valid JSON.") from None


def _keep(platform: Platform, caller: access.Caller, bodies: list[Any]) -> list[str]:
    """Store scores, what is stored already not again; return what is wrong with each, nothing where it is kept."""
    if len(bodies) > _MOST:
        raise TooLarge(f"The request has over {_MOST:,} scores.", hint="Send fewer at a time.")
    read = [_read(body) for body in bodies]
    with access.acting_as(caller):
        access.require(caller, "score.write")
        kept = [one for one in read if isinstance(one, MovedScore)]
        if kept:
            with platform.begin() as tx:
                for one in kept:
                    put_once(
                        tx, one.name, trace_id=one.trace_id, span_id=one.span_id, session_id=one.session_id,
                        number=one.number, label=one.label, comment=one.comment, correction=one.correction,
                        source=one.source, at=one.at,
                    )  # fmt: skip
                audit.append(tx, "score.create", f"POST {PREFIX}scores", "ok", {"scores": len(kept)})
    return [one if isinstance(one, str) else "" for one in read]


def _read(body: Any) -> MovedScore | str:
    """Return a score, or what is wrong with it."""
    try:
        fields = snaked(body)
        if not fields.get("name"):
            return "A score has no name."
        if not fields.get("trace_id") and not fields.get("session_id"):
            return "A score judges a trace, an observation or a session here; runs of datasets are experiments."
        return score_of(fields) or "A score says nothing."
    except (ValueError, TypeError, AttributeError, ArithmeticError, MainspringError):
        return "A score is not of the shape that clients write."
