"""Origins: who asks a question, and what the answer tells of where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mainspring.kernel.access import Caller
from mainspring.kernel.clock import Ids
from mainspring.serving.models import LOADTEST, PLAYGROUND, Origin, Question, Target
from mainspring.serving.streaming import TRACE_HEADER, Call

_SOURCES = {PLAYGROUND: "prompt.read", LOADTEST: "loadtest.write"}
"""What a call may say that it is, so that monitors leave it out, and the permission to say so: who holds a stolen key
of an application is not to hide from them."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def origin_of(call: Call, caller: Caller, client: str, ids: Ids, user: str, metadata: Mapping[str, str]) -> Origin:
    """Return who asks, and under which trace, session and user; the call is told its trace."""
    given, source = call.header(b"traceparent"), call.header(b"x-mainspring-source")
    parent = _TRACEPARENT.fullmatch(given) if given else None
    call.trace_id = parent[1] if parent else ids.new().replace("-", "")
    session = metadata.get("session_id", "") or call.header(b"x-mainspring-session")[:256]
    who = user or metadata.get("user_id", "") or call.header(b"x-mainspring-user")[:256]
    if metadata:
        named = ("session_id",) if user else ("session_id", "user_id")
        metadata = {name: value for name, value in metadata.items() if name not in named}
    return Origin(
        member=caller.member,
        key_id=caller.key_id,
        client=client,
        trace_id=call.trace_id,
        parent_id=parent[2] if parent else "",
        session_id=session,
        user_id=who,
        service=source if source in _SOURCES and caller.may(_SOURCES[source]) else "mainspring",
        metadata=metadata,
    )


def headers_of(question: Question, target: Target) -> dict[str, str]:
    """Return what an answer tells of its trace, model, release and deployment."""
    told = question.told
    if told is not None and told.target is not None:
        target = told.target
    headers = {TRACE_HEADER: question.origin.trace_id, "x-mainspring-model": target.model}
    if target.release:
        headers["x-mainspring-release"] = target.release
    if target.deployment:
        headers["x-mainspring-deployment"] = target.deployment
    return headers if told is None else headers | told.headers
