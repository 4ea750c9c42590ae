"""What stands on the command line reaches the operation as what it means."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mainspring.evals import GivenRow
from mainspring.kernel.errors import Invalid
from mainspring.surfaces.client import Client
from mainspring.surfaces.commands import experiment_reports, operations
from mainspring.surfaces.nouns import NOUNS


@pytest.fixture
def given(monkeypatch):
    """Run a command with nobody behind it; return what it would send."""
    sent = {}
    monkeypatch.setattr(operations, "connect", lambda settings: nullcontext())
    monkeypatch.setattr(operations, "call", lambda client, spec, path, arguments: sent.update(arguments))

    def run(noun, *words):
        sent.clear()
        found = next(one for one in NOUNS if one.name == noun)
        done = CliRunner().invoke(operations.group(found), list(words))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return dict(sent)

    return run


def test_a_list_of_choices_is_given_by_repeating_the_option(given):
    words = ("create-judge", "helpful", "model/base", "Be right.", "--scale", "bad", "--scale", "good")
    found = given("scorer", *words, "--shows", "question", "--shows", "reference")
    assert (found["scale"], found["shows"]) == (["bad", "good"], ["question", "reference"])


def test_what_a_baseline_showed_is_said_whatever_the_exit_code(capfd):
    shown = SimpleNamespace(metric="exact", sentence="Too few rows: difference -0.1 (no interval, 6 rows).")
    known = SimpleNamespace(
        get=lambda name: SimpleNamespace(baseline="before" if name == "after" else ""),
        compare=lambda baseline, candidate: SimpleNamespace(metrics=[shown]),
    )
    for run, said in (("alone", ""), ("after", f"exact: {shown.sentence}")):
        experiment_reports.after(SimpleNamespace(experiment=known), run, {})
        captured = capfd.readouterr()
        assert " ".join(captured.err.split()) == said
        assert captured.out == ""


def test_a_number_that_is_not_finite_is_bad_input_and_no_fault():
    with Client("http://127.0.0.1:9", api_key="ms_x_y") as client, pytest.raises(Invalid, match="not finite"):
        client.request("POST", "/api/v1/experiments/record", json={"rows": [{"scores": {"kind": float("nan")}}]})
    with pytest.raises(ValueError, match="finite"):
        GivenRow(row="a", scores={"kind": float("inf")})


def test_a_choice_that_there_is_not_is_named(given):
    with pytest.raises(Exception, match="'question', 'reference' or 'contexts'"):
        given("scorer", "create-judge", "helpful", "model/base", "Be right.", "--shows", "answer")


@pytest.mark.parametrize(
    ("text", "value"), [("yes", "yes"), ("100", 100), ('{"a": 1}', {"a": 1}), ('"100"', "100"), ("no: yes", "no: yes")]
)
def test_a_value_of_any_kind_is_json_or_else_the_text_itself(given, text, value):
    assert given("scorer", "try", "exact", "yes", "--reference", text)["reference"] == value
