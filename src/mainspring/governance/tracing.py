"""Lineage of one thing: of a version, up and down; of a trace, from the answer back to rows and approvals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mainspring.governance import graph, nearest
from mainspring.governance.models import Answer, Lineage, Node
from mainspring.kernel import refs, versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tx import Tx
from mainspring.registry import ancestors, load
from mainspring.traces.scores import of_traces

_CALLS = ("chat", "text_completion", "generate_content")
_PREVIEW = 4000


def of_version(platform: Platform, ref: str) -> Lineage:
    """Return what a version came from and what it led to. Raises Invalid, NotFound."""
    with platform.read() as tx:
        exact = versions.resolve(tx, refs.parse(ref)).ref
        above, below = graph.upstream(tx, [exact]), graph.downstream(tx, [exact])
        every = [exact, *(node.ref for node in above), *(node.ref for node in below)]
        return Lineage(
            ref=exact,
            upstream=above,
            downstream=below,
            runs=graph.runs_of(tx, every),
            decisions=graph.decisions_of(tx, every),
            nearest=[],
        )


def of_trace(platform: Platform, trace_id: str, count: int) -> Lineage:
    """Return what led to an answer, the training rows nearest to its question, and what the trace itself led to.

    Raises NotFound for a trace that is unknown.
    """
    platform.spans.flush()
    with platform.read() as tx:
        spans = platform.spans.trace(tx.project, trace_id)
    if not spans:
        raise NotFound(f"There is no trace {trace_id[:64]}.", hint="`mainspring trace list` shows what there is.")
    call = next((span for span in reversed(spans) if span.kind in _CALLS), spans[0])
    answer = _answer(call)
    with platform.read() as tx:
        above = _pinned(tx, answer)
        reached = graph.made_from_trace(tx, trace_id, [score.id for score in of_traces(tx, [trace_id])])
        below = [Node(ref=ref, kind="dataset", depth=1, run="") for ref in reached]
        below += [_deeper(node) for node in graph.downstream(tx, reached) if node.ref not in reached]
        every = [*(node.ref for node in above), *(node.ref for node in below)]
        trained = [versions.resolve(tx, ref) for ref in training_data(tx, answer.model)]
        made, decided = graph.runs_of(tx, every), graph.decisions_of(tx, every)
    models = [node.ref for node in above if node.kind == "model"]
    near = nearest.nearest(platform, trained, answer.question, count, models)
    return Lineage(
        ref=f"trace/{trace_id}",
        answer=answer,
        upstream=above,
        downstream=below,
        runs=made,
        decisions=decided,
        nearest=near,
        embedding=platform.embed.name if near else "",
    )


def training_data(tx: Tx, model: str) -> list[str]:
    """Return the dataset versions that a model, or one of its bases, was tuned on; none for an unknown model."""
    try:
        found = load(tx, model)
    except (Invalid, NotFound):
        return []
    nodes = [node for made in (found, *ancestors(tx, found)) for node in graph.upstream(tx, [made.ref])]
    return list(dict.fromkeys(node.ref for node in nodes if node.kind == "dataset" and node.depth == 1))


def _deeper(node: Node) -> Node:
    return node.model_copy(update={"depth": node.depth + 1})


def _pinned(tx: Tx, answer: Answer) -> list[Node]:
    """Return what answered, and what that came from."""
    roots = [ref for ref in (answer.release or answer.model, answer.prompt) if "/" in ref]
    known = []
    for ref in dict.fromkeys(roots):
        try:
            known.append(versions.resolve(tx, ref).ref)
        except (Invalid, NotFound):
            continue  # A trace from elsewhere may name what is not registered here.
    own = [Node(ref=ref, kind=ref.partition("/")[0], depth=1, run="") for ref in known]
    return own + [_deeper(node) for node in graph.upstream(tx, known)]


def _answer(span: Span) -> Answer:
    return Answer(
        trace_id=span.trace_id,
        at=datetime.fromtimestamp(span.start_ns / 1e9, UTC),
        question=_text(span.input, "user"),
        answer=_text(span.output, "assistant"),
        deployment=span.deployment,
        release=span.release,
        prompt=span.prompt,
        model=span.model,
    )


def _text(messages: Any, role: str) -> str:
    """Return the text of the last message of a role, in the shapes in which spans hold messages."""
    if isinstance(messages, str):
        return messages[:_PREVIEW]
    if not isinstance(messages, list):
        return ""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role", role) == role:
            parts = message.get("parts")
            if isinstance(parts, list):
                texts = [part.get("content") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
                return "\n".join(text for text in texts if isinstance(text, str))[:_PREVIEW]
            content = message.get("content")
            return content[:_PREVIEW] if isinstance(content, str) else ""
    return ""
