"""Spans: each call of a run as a trace, so that a row leads to what was sent and what came back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import JSON, ChatReply, ChatRequest
from mainspring.kernel.spans import Span
from mainspring.traces import Intake

ENVIRONMENT = "experiment"
"""Calls of experiments and searches are kept apart from all traffic: no figure of production counts them."""


class Recorded:
    """Makes spans of a run's calls. A call keeps its trace id, however often it is written."""

    def __init__(
        self, job: Job, experiment: str = "", *, model: str, release: str = "", prompt: str = "",
        service: str = "mainspring",
    ) -> None:  # fmt: skip
        """`experiment` is empty for calls that no experiment's row leads to, such as those of a search.

        `service` tells apart what is no question of anybody's, such as attacks.
        """
        self._service = service
        self._run_id, self._experiment = job.run_id, experiment
        self._project = job.caller.project
        self._model, self._release, self._prompt = model, release, prompt
        self._intake = Intake(job.platform)

    def trace_id(self, key: str) -> str:
        """Return the trace id of the call with a key."""
        return self._digest(key)[:32]

    def write(self, calls: Sequence[tuple[str, ChatRequest, ChatReply, int]]) -> None:
        """Store the spans of calls: key, request, reply and the moment (Unix time, ns) at which the reply came."""
        mine = [call for call in calls if call[2].trace_id == self.trace_id(call[0])]
        if mine:
            self._intake.append([self._span(*call) for call in mine])

    def _digest(self, key: str) -> str:
        return hashlib.sha256(f"{self._run_id}:{key}".encode()).hexdigest()

    def _span(self, key: str, request: ChatRequest, reply: ChatReply, at_ns: int) -> Span:
        said: list[JSON] = [{"type": "text", "content": reply.text}] if reply.text else []
        return Span(
            trace_id=reply.trace_id,
            span_id=self._digest(key)[32:48],
            project=self._project,
            environment=ENVIRONMENT,
            name=f"chat {self._model}",
            kind="chat",
            service=self._service,
            start_ns=at_ns - int(reply.latency_ms * 1e6),
            end_ns=at_ns,
            status="ok",
            model=self._model,
            provider="mainspring",
            release=self._release,
            prompt=self._prompt,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cost=reply.cost,
            ttft_ms=reply.ttft_ms,
            input=[
                {"role": message["role"], "parts": [{"type": "text", "content": message["content"]}]}
                for message in request.messages
            ],
            output=[{"role": "assistant", "parts": said, "finish_reason": reply.finish_reason}],
            attributes={
                **({"gen_ai.request.max_tokens": request.max_tokens} if request.max_tokens is not None else {}),
                **({"gen_ai.request.temperature": request.temperature} if request.temperature is not None else {}),
                "gen_ai.request.seed": request.seed,
                "gen_ai.response.finish_reasons": [reply.finish_reason],
                "mainspring.run": self._run_id,
                "mainspring.row": request.metadata.get("row", ""),
                **({"mainspring.experiment": self._experiment} if self._experiment else {}),
            },
        )
