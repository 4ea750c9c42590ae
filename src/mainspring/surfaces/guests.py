"""Routes for people without a key: end users who judge an answer, and reviewers who came by a link.

Each body carries a token that opens one thing; everything else of the API stays shut to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainspring.kernel import access
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.kernel.platform import Platform
from mainspring.monitoring.annotation import Queues, guest_of
from mainspring.traces.feedback import Said, give

T = TypeVar("T", bound=msgspec.Struct)
_ANYWHERE = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "content-type",
    "access-control-allow-methods": "POST",
    "access-control-max-age": "86400",
}
"""The page that holds a feedback token is served elsewhere; nothing that a browser holds of its user is sent along."""
PATHS = ("/api/v1/feedback", "/api/v1/review/next", "/api/v1/review/answer")


class _Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, msgspec.Meta(max_length=4000)]


class _Reviewed(_Link, frozen=True, forbid_unknown_fields=True):
    item_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f-]{36}$")]
    answers: dict[str, float | str] = {}
    comment: Annotated[str, msgspec.Meta(max_length=20_000)] = ""
    skip: bool = False


def guest_routes(platform: Platform) -> list[Route]:
    """Return the routes, to be mounted before the REST application."""

    async def feedback(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_ANYWHERE)
        try:
            score = await asyncio.to_thread(give, platform, await _body(request, Said))
        except MainspringError as error:
            return JSONResponse(error.to_dict(), error.status, _ANYWHERE)
        return JSONResponse({"name": score.name, "at": score.created_at.isoformat()}, 201, _ANYWHERE)

    async def following(request: Request) -> Response:
        link = await _body(request, _Link)
        return await asyncio.to_thread(_as_guest, platform, link.token, lambda queue: Queues(platform).next(queue))

    async def answer(request: Request) -> Response:
        body = await _body(request, _Reviewed)

        def submit(queue: str) -> Any:
            given: dict[str, Any] = {"answers": body.answers, "comment": body.comment, "skip": body.skip}
            return Queues(platform).submit(queue, body.item_id, **given).item

        return await asyncio.to_thread(_as_guest, platform, body.token, submit)

    return [
        Route(PATHS[0], feedback, methods=["POST", "OPTIONS"]),
        Route(PATHS[1], following, methods=["POST"]),
        Route(PATHS[2], answer, methods=["POST"]),
    ]


def _as_guest(platform: Platform, token: str, work: Callable[[str], Any]) -> Response:
    caller, queue = guest_of(platform, token)
    with access.acting_as(caller):
        return JSONResponse(work(queue).model_dump(mode="json"))


async def _body(request: Request, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.ValidationError as error:
        raise Invalid(f"The body does not fit: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("The body is not valid JSON.", hint="Send a JSON object.") from None
