"""Lines of sessions say what their traces say, in whatever order these come, change and go."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import SessionSummary, Span, SpanFilter
from mainspring.kernel.spans_port import Spans

START = 1_790_000_000_000_000_000
spans = st.builds(
    lambda trace, number, start, length, session, user, environment, cost, status: Span(
        trace_id=f"{trace:032x}",
        span_id=f"{trace * 10 + number:016x}",
        parent_id="" if number == 1 else f"{trace * 10 + 1:016x}",
        project="one",
        kind="chat",
        environment=environment,
        start_ns=START + start,
        end_ns=START + start + length,
        session_id=session,
        user_id=user,
        input_tokens=start,
        cost=cost,
        status=status,
    ),
    st.integers(1, 6),
    st.integers(1, 2),
    st.integers(0, 9),
    st.integers(0, 5),
    st.sampled_from(["", "s1", "s2"]),
    st.sampled_from(["", "kim", "lee"]),
    st.sampled_from(["", "production", "staging"]),
    st.sampled_from([None, 0.1, 0.2]),
    st.sampled_from(["ok", "error", "running"]),
)
acts = st.lists(st.lists(spans, min_size=1, max_size=5) | st.integers(1, 6), min_size=1, max_size=12)


def summed(store: Spans) -> dict[str, SessionSummary]:
    """Sum the sessions anew from their traces; the end of a trace is known by its duration."""
    found: dict[str, SessionSummary] = {}
    for line in store.traces("one", SpanFilter(), limit=100)[0]:
        if not line.session_id:
            continue
        whole = store.outline("one", line.trace_id)
        before = found.get(line.session_id)
        here = SessionSummary(
            session_id=line.session_id, user_id=line.user_id, first_ns=line.start_ns,
            last_ns=max(span.end_ns for span in whole), traces=1, errors=int(line.status == "error"),
            input_tokens=line.input_tokens, output_tokens=line.output_tokens, cost=line.cost,
        )  # fmt: skip
        if before is not None:
            here = SessionSummary(
                session_id=line.session_id, user_id=max(before.user_id, here.user_id),
                first_ns=min(before.first_ns, here.first_ns), last_ns=max(before.last_ns, here.last_ns),
                traces=before.traces + 1, errors=before.errors + here.errors,
                input_tokens=before.input_tokens + here.input_tokens,
                output_tokens=before.output_tokens + here.output_tokens, cost=before.cost + here.cost,
            )  # fmt: skip
        found[line.session_id] = here
    return found


def rounded(one: SessionSummary) -> tuple[object, ...]:
    return tuple(round(value, 9) if isinstance(value, float) else value for value in (
        getattr(one, name) for name in SessionSummary.__struct_fields__
    ))  # fmt: skip


@given(acts)
@settings(max_examples=40)
def test_sessions_are_what_their_traces_are(acts: list[list[Span] | int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteSpans(Path(folder))
        try:
            for act in acts:
                if isinstance(act, int):
                    store.delete("one", [f"{act:032x}"])
                else:
                    store.append(act)
                    store.flush()
                shown = {one.session_id: rounded(one) for one in store.sessions("one", SpanFilter(), limit=100)[0]}
                assert shown == {name: rounded(one) for name, one in summed(store).items()}
            for environment in ("production", "staging"):
                where = SpanFilter(environment=environment)
                told = {one.session_id for one in store.sessions("one", where, limit=100)[0]}
                lines, _ = store.traces("one", where, limit=100)
                assert told <= {line.session_id for line in lines}
        finally:
            store.close()
