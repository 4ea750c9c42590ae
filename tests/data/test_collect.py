"""Traces and feedback become a dataset version in one call."""

from __future__ import annotations

import pytest

from mainspring.data import read_rows
from mainspring.data.service import Datasets
from mainspring.kernel import lineage
from mainspring.kernel.errors import NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.traces.service import Scores


def trace(number: int) -> str:
    return f"{number:032x}"


def span(number: int, **fields: object) -> Span:
    base: dict[str, object] = {
        "trace_id": trace(number),
        "span_id": f"{number:016x}",
        "project": "default",
        "start_ns": 1_767_323_045_000_000_000 + number,
        "end_ns": 1_767_323_045_500_000_000 + number,
        "kind": "chat",
        "deployment": "docs",
        "release": "release/docs@1",
        "input": [{"role": "user", "parts": [{"type": "text", "content": f"question {number}"}]}],
        "output": [{"role": "assistant", "parts": [{"type": "text", "content": f"answer {number}"}]}],
    }
    return Span(**{**base, **fields})  # type: ignore[arg-type]


@pytest.fixture
def judged(platform: Platform) -> Platform:
    platform.spans.append([span(n) for n in (1, 2, 3)])
    platform.spans.append([span(4, input=None, output=None), span(5, input="plain question", output="plain answer")])
    platform.spans.flush()
    scores = Scores(platform)
    scores.create("helpful", trace_id=trace(1), number=0.0, correction="better answer")
    scores.create("helpful", trace_id=trace(2), number=0.0)
    scores.create("helpful", trace_id=trace(3), number=1.0)
    scores.create("helpful", trace_id=trace(4), number=0.0)
    return platform


def test_bad_feedback_becomes_rows_with_their_sources(judged: Platform) -> None:
    made = Datasets(judged).collect("bad", score="helpful", at_most=0.0)
    assert (made.ref, made.rows, made.source) == ("dataset/bad@1", 2, "collect")
    rows = {row.meta["trace_id"]: row for row in read_rows(judged, made.ref)}
    first = rows[trace(1)]
    assert [(m.role, m.content) for m in first.messages] == [("user", "question 1"), ("assistant", "better answer")]
    assert (first.reference, first.meta["answer"], first.meta["release"]) == (
        "better answer",
        "answer 1",
        "release/docs@1",
    )
    assert rows[trace(2)].messages[1].content == "answer 2"
    assert rows[trace(2)].reference is None
    with judged.read() as tx:
        kinds = [edge.source_kind for edge in lineage.row_sources(tx, made.ref, [first.id])]
        assert sorted(kinds) == ["feedback", "trace"]
        assert [edge.dataset for edge in lineage.rows_from(tx, "trace", trace(2))] == [made.ref]
    assert Datasets(judged).collect("bad", score="helpful", at_most=0.0).existed


def test_corrected_only_and_without_scores(judged: Platform) -> None:
    assert Datasets(judged).collect("corrected", corrected=True).rows == 1
    everything = Datasets(judged).collect("all", deployment="docs")
    assert everything.rows == 4
    assert {row.messages[0].content for row in read_rows(judged, everything.ref)} >= {"plain question", "question 3"}
    assert Datasets(judged).collect("some", deployment="docs", limit=2).rows == 2
    assert Datasets(judged).collect("twice", trace_ids=[trace(1), trace(2), trace(1)]).rows == 2


def test_nothing_that_fits_is_an_error(judged: Platform) -> None:
    with pytest.raises(NotFound, match="No trace"):
        Datasets(judged).collect("none", score="harmful")
    with pytest.raises(NotFound, match="No trace"):
        Datasets(judged).collect("none", deployment="other")
    assert Datasets(judged).list_().items == []
