"""Boards: figures over time by group, beside the time before, against sums made by hand; and boards as rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.spans import Span
from mainspring.monitoring import Boards
from mainspring.monitoring.boards import Panel
from mainspring.traces import Scores


def call(platform, number, *, hours, ms=100, **fields):
    at = int((platform.clock.now() - timedelta(hours=hours)).timestamp() * 1e9)
    usual = {
        "trace_id": f"{number:032x}", "span_id": f"{number:016x}", "project": "default", "environment": "production",
        "deployment": "docs", "model": "a", "kind": "chat", "status": "ok", "start_ns": at,
        "end_ns": at + int(ms * 1e6), "input_tokens": 100, "output_tokens": 10, "cost": 0.5,
    }  # fmt: skip
    platform.spans.append([Span(**{**usual, **fields})])
    platform.spans.flush()


@pytest.fixture
def busy(platform):
    """Ten calls in the last day, four in the day before, and one of a load test."""
    for number in range(1, 11):
        model, status = "ab"[number % 2], "error" if number == 3 else "ok"
        said = {"mainspring.cache": "hit" if number < 3 else "miss"}
        common = {"user_id": f"u{number % 3}", "ttft_ms": 50.0, "attributes": said}
        call(platform, number, hours=number - 0.5, ms=100 * number, model=model, status=status, **common)
    for number in range(11, 15):
        call(platform, number, hours=24 + number)
    call(platform, 15, hours=1, service="loadtest")
    return Boards(platform)


def test_sums_shares_and_quantiles_are_of_the_calls_and_not_of_the_steps(busy):
    assert [busy.figures(name).series[0].total for name in ("requests", "errors", "cost", "tokens")] == [10, 1, 5, 1100]
    assert busy.figures("error_rate").series[0].total == 0.1
    assert busy.figures("cache_rate").series[0].total == 0.2
    assert busy.figures("latency_p50").series[0].total == pytest.approx(500, rel=0.2)
    assert busy.figures("ttft_p95").series[0].total == pytest.approx(50, rel=0.2)
    assert busy.figures("requests", service="loadtest").series[0].total == 1
    assert busy.figures("requests", model="c").series == []


def test_steps_hold_what_began_in_them_and_an_empty_one_is_no_quantile(busy):
    found = busy.figures("requests", step_minutes=360)
    assert (len(found.times), found.series[0].values) == (4, [0, 0, 4, 6])
    quantiles = busy.figures("latency_p95", step_minutes=360).series[0].values
    assert quantiles[0] is None and quantiles[-1] is not None
    assert busy.figures("requests").step_minutes == 15


def test_groups_are_kept_apart_the_rest_is_one_and_the_time_before_stands_beside(busy):
    found = busy.figures("cost", by="user", groups=2, compare=True)
    assert [(one.group, one.total) for one in found.series] == [("u1", 2.0), ("u0", 1.5), (None, 1.5)]
    by_model = busy.figures("requests", by="model", compare=True)
    assert {one.group: (one.total, one.before) for one in by_model.series} == {"a": (5, 4), "b": (5, None)}
    assert sum(by_model.series[0].before_values) == 4


def test_scores_are_means_by_what_their_calls_are_of(busy, platform):
    for number in (1, 2, 3, 4):
        Scores(platform).create("thumbs", trace_id=f"{number:032x}", number=number % 2)
        Scores(platform).create("tone", trace_id=f"{number:032x}", label="kind" if number == 1 else "rude")
    platform.clock.advance(seconds=60)
    assert busy.figures("score/thumbs").series[0].total == 0.5
    found = busy.figures("score/thumbs", by="model")
    assert {one.group: one.total for one in found.series} == {"a": 0.0, "b": 1.0}
    assert busy.figures("score/tone=kind", model="b").series[0].total == 0.5
    assert busy.figures("score/none").series == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "odd"},
        {"measure": "score/"},
        {"measure": "cost", "step_minutes": 0.1},
        {"measure": "score/thumbs", "step_minutes": 0.1},
        {"measure": "cost", "since": datetime(1960, 1, 1, tzinfo=UTC), "until": datetime(1960, 2, 1, tzinfo=UTC)},
    ],
)
def test_what_cannot_be_measured_is_refused(busy, wrong):
    with pytest.raises(Invalid):
        busy.figures(**wrong)


def test_boards_are_the_projects_and_those_of_the_product_come_back(platform):
    service = Boards(platform)
    assert {board.name for board in service.list_().items} >= {"overview", "releases", "users"}
    made = service.create("mine", [Panel(measure="cost", by="model", chart="bars")], title="What it costs")
    assert (service.get("mine"), made.built_in) == (made, False)
    with pytest.raises(Conflict):
        service.create("mine", [Panel(measure="cost")])
    with pytest.raises(Invalid, match="no measure"):
        service.create("odd", [Panel(measure="odd")])
    with pytest.raises(Invalid):
        service.create("figures", [Panel(measure="cost")])
    assert service.update("mine", title="Cost").title == "Cost"
    changed = service.update("overview", panels=[Panel(measure="score/thumbs")])
    assert (changed.built_in, changed.title, len(service.get("overview").panels)) == (False, "Overview", 1)
    assert [board.name for board in service.list_().items].count("overview") == 1
    service.delete("overview")
    assert service.get("overview").built_in
    with pytest.raises(NotFound):
        service.delete("overview")
    with pytest.raises(NotFound):
        service.get("none")
