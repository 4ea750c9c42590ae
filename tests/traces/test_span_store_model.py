"""Span stores against a plain dictionary: whatever is appended, replaced, erased or reopened, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.traces.span_stores import ClickHouse

from mainspring.backends.spans_clickhouse import ClickHouseSpans
from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span, SpanFilter

START = 1_790_000_000_000_000_000
WORDS = ("red", "green", "blue")
spans = st.builds(
    lambda project, trace, number, start, length, tokens, word, session, status: Span(
        trace_id=f"{trace:032x}",
        span_id=f"{trace * 10 + number:016x}",
        parent_id="" if number == 1 else f"{trace * 10 + 1:016x}",
        project=project,
        name="chat",
        kind="chat" if number > 1 else "invoke_agent",
        start_ns=START + start * 10**12,
        end_ns=START + start * 10**12 + length,
        input_tokens=tokens,
        input=word,
        session_id=session,
        status=status,
    ),
    st.sampled_from(["one", "two"]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 20),
    st.integers(0, 10**10),
    st.none() | st.integers(0, 100),
    st.sampled_from(WORDS),
    st.sampled_from(["", "s1", "s2"]),
    st.sampled_from(["ok", "error", "running"]),
)


def ended(span: Span) -> bool:
    return span.status != "running"


class StoreAndModel(RuleBasedStateMachine):
    """Every rule is done to both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.open()
        self.model: dict[tuple[str, str, str], Span] = {}
        self.erased: set[tuple[str, str]] = set()

    def open(self):
        self.store = SqliteSpans(self.folder)

    @rule(batch=st.lists(spans, min_size=1, max_size=6))
    def append(self, batch):
        self.store.append(batch)
        for span in batch:
            key = (span.project, span.trace_id, span.span_id)
            if key[:2] in self.erased or (span.status == "running" and key in self.model and ended(self.model[key])):
                continue
            self.model[key] = span

    @rule(project=st.sampled_from(["one", "two"]), trace=st.integers(1, 4))
    def erase(self, project, trace):
        trace_id = f"{trace:032x}"
        gone = [key for key in self.model if key[:2] == (project, trace_id)]
        assert self.store.delete(project, [trace_id]) == len(gone)
        self.erased.add((project, trace_id))
        for key in gone:
            del self.model[key]

    @rule()
    def reopen(self):
        self.store.close()
        self.open()

    def of(self, project):
        return [span for (owner, _, _), span in self.model.items() if owner == project]

    @invariant()
    def traces_are_the_same(self):
        for project in ("one", "two"):
            mine = self.of(project)
            lines, cursor = self.store.traces(project, SpanFilter(), limit=100)
            assert not cursor and {line.trace_id for line in lines} == {span.trace_id for span in mine}
            assert [line.start_ns for line in lines] == sorted((line.start_ns for line in lines), reverse=True)
            for line in lines:
                whole = [span for span in mine if span.trace_id == line.trace_id]
                assert line.spans == len(whole)
                assert line.start_ns == min(span.start_ns for span in whole)
                statuses = {span.status for span in whole}
                assert line.status == "error" if "error" in statuses else line.status in statuses
                found = self.store.trace(project, line.trace_id)
                assert sorted(found, key=lambda span: span.span_id) == sorted(whole, key=lambda span: span.span_id)

    @invariant()
    def words_sessions_and_hours_are_the_same(self):
        for project in ("one", "two"):
            mine = self.of(project)
            for word in WORDS:
                lines, _ = self.store.traces(project, SpanFilter(query=word), limit=100)
                assert {line.trace_id for line in lines} == {span.trace_id for span in mine if span.input == word}
                scanned = self.store.scan(project, SpanFilter(query=word), limit=1000)
                said = [span.span_id for span in mine if span.input == word and ended(span)]
                assert sorted(span.span_id for span in scanned) == sorted(said)
            hours = self.store.usage(project, SpanFilter())
            over = [span for span in mine if ended(span)]
            assert sum(hour.spans for hour in hours) == len(over)
            assert sum(hour.input_tokens for hour in hours) == sum(span.input_tokens or 0 for span in over)
            assert len(list(self.store.scan(project, SpanFilter(), limit=1000))) == len(over)
            assert sum(hour.errors for hour in hours) == sum(span.status == "error" for span in mine)
            lines, _ = self.store.traces(project, SpanFilter(), limit=100)
            sessions, _ = self.store.sessions(project, SpanFilter(), limit=100)
            assert {s.session_id: s.traces for s in sessions} == {
                name: sum(line.session_id == name for line in lines)
                for name in {line.session_id for line in lines}
                if name
            }

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.folder)


class ClickHouseAndModel(StoreAndModel):
    """The same on a server."""

    server: ClickHouse

    def __init__(self) -> None:
        self.url = self.server.address()
        super().__init__()

    def open(self):
        self.store = ClickHouseSpans(self.url, self.folder)


@pytest.mark.slow
def test_clickhouse_and_model(clickhouse):
    ClickHouseAndModel.server = clickhouse
    run_state_machine_as_test(
        ClickHouseAndModel, settings=settings(max_examples=2, stateful_step_count=6, deadline=None)
    )


TestStoreAndModel = StoreAndModel.TestCase
TestStoreAndModel.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
