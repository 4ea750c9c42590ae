"""What a person sees of records that hold other records."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mainspring.surfaces.commands.output import show

METRIC: dict[str, Any] = {
    "metric": "exact",
    "unit": "share",
    "baseline": 0.25,
    "candidate": 0.75,
    "difference": 0.5,
    "low": 0.31,
    "high": 0.69,
    "p_adjusted": 0.001,
    "verdict": "better",
    "needed": None,
}


def test_the_metrics_of_a_comparison_are_a_table_below_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    show({"rows": 42, "metrics": [METRIC, {**METRIC, "metric": "json", "verdict": "worse"}]}, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    head = "metric baseline candidate difference low high p_adjusted verdict".split()
    assert lines[0] == ["rows", "42"]
    assert lines[2:] == [
        head,
        "exact 0.25 0.75 0.5 0.31 0.69 0.001 better".split(),
        "json 0.25 0.75 0.5 0.31 0.69 0.001 worse".split(),
    ]


def test_a_field_of_the_same_name_with_other_things_in_it_stays_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    show({"metrics": [{"name": "loss"}], "figures": {"n": 1}}, as_json=False)
    assert capsys.readouterr().out.split("\n")[0].split()[0] == "metrics"


def test_what_is_not_set_within_a_field_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    parameters = {"temperature": 0.0, "seed": None, "stop": [], "of": {"a": ""}}
    show({"parameters": parameters, "unset": {"a": None}, "deep": [{"b": None}]}, as_json=False)
    assert [line.strip().split(maxsplit=1) for line in capsys.readouterr().out.splitlines()] == [
        ["parameters", '{"temperature": 0.0, "of": {}}'],
        ["deep", "[{}]"],
    ]


def test_a_record_of_a_list_is_one_line_however_long_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"id": f"{number:032}", **{f"name_{at}": "word " * 12 for at in range(9)}} for number in range(3)]
    show(items, as_json=False)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 4
    assert shown[3].split()[0] == f"{2:032}"
    assert shown[3].count("word") == 9 * 12


def test_a_list_leaves_out_the_columns_for_which_a_terminal_has_no_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    items = [{"id": f"{number:032}", **{f"name_{at}": "word " * 12 for at in range(9)}} for number in range(3)]
    show(items, as_json=False)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert len(lines) == 4
    assert f"{2:032}" in lines[3]
    assert all(len(line) <= 100 for line in lines)
    assert "name_1" in lines[0]
    assert "name_2" not in lines[0]


def test_a_list_says_what_was_asked_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why [now]?"}]
    answers = [
        {"experiment": "a", "answer": "Because.", "error": ""},
        {"experiment": "b", "answer": "", "error": "invalid: too long"},
    ]
    show([{"row": "r1", "messages": asked, "answers": answers}], as_json=False)
    shown = capsys.readouterr().out.splitlines()[1]
    assert [part.strip() for part in shown.split("  ")] == ["r1", "Why [now]?", "Because. | invalid: too long"]


def test_families_of_attacks_are_a_table_with_their_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"attacks": 40, "succeeded": 8, "resisted": 30, "blocked": 0, "unclear": 2, "unanswered": 0}
    figure = {"metric": "encoding", "value": 0.2, "low": 0.11, "high": 0.34, "n": 40}
    few = {"metric": "languages", "value": 0.5, "n": 2}
    families = [{"family": "encoding", **counts, "figure": figure}, {"family": "languages", **counts, "figure": few}]
    show({"id": "r", "families": families}, as_json=False)
    head, first, second = capsys.readouterr().out.splitlines()[-3:]
    assert head.split() == ["family", *counts, "value", "low", "high"]
    assert first.split()[0] == "encoding" and first.split()[-3:] == ["0.2", "0.11", "0.34"]
    assert second.split()[0] == "languages" and second.split()[-1] == "0.5"


def test_what_a_record_is_asked_for_by_stands_first(capsys: pytest.CaptureFixture[str]) -> None:
    for record, first in (
        ({"connect_seconds": 5.0, "name": "acme"}, "name"),
        ({"input_per_million": 0.1, "model": "small"}, "model"),
        ({"trace_id": "a1", "name": "chat"}, "trace_id"),
        ({"day": "2026-01-01", "model": "small"}, "day"),
    ):
        show([record], as_json=False)
        assert capsys.readouterr().out.split()[0] == first
        show(record, as_json=False)
        assert capsys.readouterr().out.split()[0] == first


def test_a_text_that_is_empty_shows_as_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "a", "canary": ""}, {"name": "b", "canary": "release/a@2"}], as_json=False)
    assert '""' not in capsys.readouterr().out


def test_levels_of_a_load_test_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    spread = {name: {"value": 12.5, "low": None, "high": None} for name in ("p50", "p95", "p99")}
    level = {
        "arrivals": "closed", "load": 2.0, "requests": 9, "answered": 9, "requests_per_second": 3.5,
        "tokens_per_second": 70.0, "ttft": spread, "itl": None, "e2e": spread, "met": 1.0, "goodput": 3.5,
    }  # fmt: skip
    show({"id": "t", "levels": [level]}, as_json=False)
    head, row = (line.split() for line in capsys.readouterr().out.splitlines()[-2:])
    assert dict(zip(head, row, strict=True))["ttft_p95"] == "12.5"
    show([{"id": "t", "levels": [level, level | {"load": 4.0}]}], as_json=False)
    assert "2, 4" in capsys.readouterr().out


def test_a_list_that_is_empty_says_where_it_was_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    show([], as_json=False, empty="Nothing found in this environment; --environment names another")
    assert capsys.readouterr().err == "Nothing found in this environment; --environment names another.\n"


def test_figures_over_time_are_a_table_with_a_column_for_each_group(capsys: pytest.CaptureFixture[str]) -> None:
    small = {"group": "small", "values": [None, 2.5], "total": 2.5, "before": 4.0}
    rest = {"group": None, "values": [None, 7], "total": 7, "before": None}
    show({"measure": "latency_p95", "times": ["08:00", "08:15"], "series": [small, rest]}, as_json=False)
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[:3] == [["measure", "latency_p95"], [], ["time", "small", "others"]]
    assert shown[3:] == [["in", "all", "2.5", "7"], ["before", "4"], ["08:15", "2.5", "7"]]


def test_thresholds_of_a_cache_are_a_table_of_shares(capsys: pytest.CaptureFixture[str]) -> None:
    hits, wrong = {"share": 0.5, "low": 0.4, "high": 0.6}, {"share": None, "low": 0.0, "high": 1.0}
    show({"calls": 80, "results": [{"threshold": 0.9, "hits": hits, "wrong": wrong}]}, as_json=False)
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[2:] == [["threshold", "hits", "wrong_low", "wrong_high"], ["0.9", "0.5", "0", "1"]]
