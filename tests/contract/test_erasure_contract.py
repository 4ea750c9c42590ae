"""An end user is erased from every store of traces and every database alike."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.traces.span_stores import clickhouse, opener

from mainspring.data.service import Datasets
from mainspring.governance.erasing import Erasures
from mainspring.governance.erasing.jobs import settle_due
from mainspring.kernel import runs
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.monitoring.areas import store
from mainspring.monitoring.areas.gathering import Bad
from mainspring.traces import Scores, Users
from mainspring.traces.comments import Comments

__all__ = ["clickhouse"]


def span(number: int, user: str, at: int) -> Span:
    return Span(
        trace_id=f"{number:032x}", span_id=f"{number:016x}", project="default", kind="chat", start_ns=at + number,
        end_ns=at + number + 5, user_id=user, session_id=f"s-{user}", input=[{"role": "user", "content": "Why?"}],
        output=[{"role": "assistant", "content": "Because."}],
    )  # fmt: skip


@pytest.fixture
def shop(platform: Platform, records_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Platform:
    """SQLite with the embedded store of traces, PostgreSQL with ClickHouse."""
    if records_url:
        platform.spans.close()
        platform.spans_port = opener("clickhouse", tmp_path / "spans", request)()
    at = int(platform.clock.now().timestamp() * 1e9)
    platform.spans.append([span(number, "kim" if number < 4 else "lee", at) for number in range(1, 6)])
    inner = {"span_id": f"{51:016x}", "parent_id": f"{5:016x}", "session_id": ""}
    platform.spans.append([msgspec.structs.replace(span(5, "kim", at), **inner)])
    platform.spans.flush()
    Scores(platform).create("helpful", trace_id=f"{1:032x}", number=0)
    Scores(platform).create("long", session_id="s-kim", label="yes")
    Comments(platform).create(f"{1:032x}", "Look.")
    Datasets(platform).collect("seen")
    with platform.begin() as tx:
        values = {
            "name": "refunds", "words": ["refund"], "why": "errors", "score": "", "target": "", "environment": "",
            "embedding": "", "middle": [], "asked": [], "apart": False,
        }  # fmt: skip
        rest = {"release": "", "why": "errors", "score": "", "value": None, "asked": "", "text": "", "unit": ""}
        store.add(tx, values, [Bad(trace_id=f"{number:032x}", at_ns=at, **rest) for number in (1, 4)])  # type: ignore[arg-type]
    return platform


def test_an_erasure_is_the_same_on_every_store(shop: Platform, clock) -> None:  # type: ignore[no-untyped-def]
    plan = Erasures(shop).plan("kim")
    assert {name: many for name, many in plan.erases.items() if many} == {
        "traces": 3, "spans": 3, "sessions": 1, "scores": 2, "comments": 1, "places_in_areas": 1,
    }  # fmt: skip
    assert [(one.ref, one.rows) for one in plan.keeps] == [("dataset/seen@1", 3)]
    run = Erasures(shop).run("kim")
    with shop.read() as tx:
        done = runs.get(tx, run.id)
    assert done.state == "succeeded", done.error
    assert (done.result["erased"]["traces"], done.result["erased"]["spans"]) == (4, 5)
    assert [user.user_id for user in Users(shop).list_().items] == ["lee"]
    with shop.read() as tx:
        [area], _ = store.listed(tx, "", None, 10, "")
    assert (area.count, [day.count for day in area.days]) == (1, [1])
    clock.advance(seconds=11)
    assert settle_due(shop) == 1 and Erasures(shop).list_().items[0].settled_at
