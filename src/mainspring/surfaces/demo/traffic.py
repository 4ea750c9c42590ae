"""Traffic: calls to a deployment by the official `openai` client, as an application would make them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.errors import MissingExtra
from mainspring.surfaces.client import Client

AT_ONCE = 4


@dataclass(frozen=True)
class Answered:
    """One call and what came of it."""

    row_id: str
    status: int
    trace_id: str
    release: str
    text: str
    seconds: float
    reference: Any
    tokens: int


def openai_client(client: Client) -> Any:
    """Return the official client, pointed at the gateway. Raises MissingExtra."""
    try:
        from openai import OpenAI
    except ImportError:
        raise MissingExtra.of("demo", "The demonstration, which calls the gateway by the openai client,") from None
    return OpenAI(base_url=f"{client.url}/v1", api_key=client.api_key, max_retries=0, timeout=120)


def send(client: Client, deployment: str, rows: Sequence[Any], max_tokens: int) -> list[Answered]:
    """Ask the deployment the rows' questions, every other call as a stream; return the answers in order."""
    api = openai_client(client)

    def one(item: tuple[int, Any]) -> Answered:
        at, row = item
        return ask(api, deployment, row, stream=at % 2 == 1, max_tokens=max_tokens)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, enumerate(rows)))


def ask(api: Any, deployment: str, row: Any, *, stream: bool, max_tokens: int) -> Answered:
    """Make one call; an error that the gateway answers with is an answer too."""
    from openai import APIStatusError

    question = next(message.content for message in row.messages if message.role == "user")
    began = time.monotonic()
    given = {
        "model": deployment,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": max_tokens,
        "extra_headers": {"x-mainspring-session": f"demo-{row.id}"},
    }
    try:
        if stream:
            raw = api.chat.completions.with_raw_response.create(
                **given, stream=True, stream_options={"include_usage": True}
            )
            text, tokens = "", 0
            for chunk in raw.parse():
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
                tokens = chunk.usage.total_tokens if chunk.usage else tokens
        else:
            raw = api.chat.completions.with_raw_response.create(**given)
            reply = raw.parse()
            text, tokens = reply.choices[0].message.content or "", reply.usage.total_tokens
        status, headers = raw.status_code, raw.headers
    except APIStatusError as failure:
        status, headers, text, tokens = failure.status_code, failure.response.headers, failure.message, 0
    return Answered(
        row_id=row.id,
        status=status,
        trace_id=headers.get("x-mainspring-trace-id", ""),
        release=headers.get("x-mainspring-release", ""),
        text=text,
        seconds=time.monotonic() - began,
        reference=row.reference,
        tokens=tokens,
    )


def percentile(answers: Sequence[Answered], share: float) -> float:
    """Return a percentile of the latencies, in milliseconds: the nearest rank."""
    ordered = sorted(answer.seconds for answer in answers)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0
