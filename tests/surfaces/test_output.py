"""What a person sees of records that hold other records."""

from __future__ import annotations

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


def test_a_list_says_what_was_asked_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why [now]?"}]
    answers = [
        {"experiment": "a", "answer": "Because.", "error": ""},
        {"experiment": "b", "answer": "", "error": "invalid: too long"},
    ]
    show([{"row": "r1", "messages": asked, "answers": answers}], as_json=False)
    shown = capsys.readouterr().out.splitlines()[1]
    assert [part.strip() for part in shown.split("  ")] == ["r1", "Why [now]?", "Because. | invalid: too long"]
